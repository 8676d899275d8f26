"""The check of our English finds what it should, at the line where it stands."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tools import cdk8s_cli, prose

PROGRAM = dedent('''\
    """An image of ours.

    :param name: whoever reads this.
    """
    NAME = "of ours"
    raise ValueError(f"{NAME} is what whoever reads this sees")
    # whoever: a comment is not checked
    SQL = """
    select whoever from of ours
    """
''')


def test_docstrings_and_messages_of_a_program_stand_at_their_lines():
    assert prose.markdown(PROGRAM).splitlines()[:6] == [
        "An image of ours.",
        "",
        "- whoever reads this.",
        "",
        "",
        "- `value` is what whoever reads this sees",
    ]
    assert not any(prose.markdown(PROGRAM).splitlines()[6:])


def test_every_fault_is_found(tmp_path, monkeypatch):
    if missing := cdk8s_cli.missing():
        pytest.skip(missing)
    monkeypatch.setattr(prose, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(f"# Page\n\nwhoever\n\n```\nwhoever\n```\n\n| a |\n|---|\n| {'word ' * 41} |\n")
    (tmp_path / "docs" / "good.md").write_text(f"# Page\n\nA sentence with `{'code ' * 41}`. And another one.\n")
    (tmp_path / "docs" / "long.md").write_text(f"# Page\n\n{('Word ' + 'word ' * 25 + '. ') * 3} Short. {'A short one. ' * 10}\n")
    (tmp_path / "program.py").write_text(PROGRAM)
    faults = prose.check(["docs/page.md", "docs/good.md", "docs/long.md", "program.py"])
    assert [fault.split(": ")[0].rsplit(":", 1)[0] for fault in faults] == [
        "docs/long.md:1",
        "docs/page.md:11",
        "docs/page.md:3",
        "program.py:1",
        "program.py:3",
        "program.py:6",
    ]
    assert "3 of 14 sentences have more than 25 words" in faults[0]


def test_files_to_rewrite_are_files_with_faults():
    assert set(prose.later()) <= set(prose.files())
    assert prose.later() == sorted(set(prose.later()))
