"""Every Python example of README and the documentation runs, and what its apps write is valid; tests/cluster asks an API server as well."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest

from tests import pages


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda path: path.relative_to(pages.ROOT).as_posix())
def test_it_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = page.relative_to(pages.ROOT).as_posix()
    if name in pages.RUN_ELSEWHERE:
        pytest.skip(pages.RUN_ELSEWHERE[name])
    monkeypatch.chdir(tmp_path)
    for manifest in pages.run(page, tmp_path):
        if pages.is_built_in(manifest):
            kubernetes_validate.validate(manifest, "1.34", strict=True)


def test_there_are_pages() -> None:
    assert len(pages.PAGES) >= 12
    assert {pages.ROOT / name for name in pages.RUN_ELSEWHERE} <= set(pages.PAGES)
