"""What must hold for the files under version control, whatever they are about."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))

#: Registries and their download hosts: a lock file that names one cannot be used behind a mirror.
REGISTRIES = r"(pypi|pythonhosted|registry\.npmjs|golang)\.org|registry\.yarnpkg\.com|crates\.io"
MACHINE_PATHS = r"(?<![\w.-])/(root|work|farm|Users|home/[a-z]+|opt/wheels)/"


def tracked() -> dict[str, str]:
    """Path and text of every tracked text file."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    texts = {}
    for name in filter(None, listed):
        path = ROOT / name
        if path.is_file() and b"\0" not in (data := path.read_bytes()):
            texts[name] = data.decode("utf-8")
    return texts


@pytest.mark.parametrize("pattern", [REGISTRIES, MACHINE_PATHS], ids=["registries", "paths of one machine"])
def test_no_address_of_a_place(pattern: str):
    assert [(name, match[0]) for name, text in tracked().items() if (match := re.search(pattern, text))] == []


def test_the_diff_that_reviewers_read_is_not_collapsed():
    tracked()  # skips where this is no checkout
    asked = ["git", "check-attr", "linguist-generated", "dist/sos-app.k8s.yaml", "imports/com/bitnami/__init__.py"]
    told = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    assert [line.rsplit(": ", 1)[1] for line in told] == ["unspecified", "set"]


def test_line_ends_and_last_lines():
    assert [name for name, text in tracked().items() if "\r" in text or (text and not text.endswith("\n"))] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_requirement_has_hashes_and_no_options(lock: Path):
    entries = [entry for entry in lock.read_text().replace("\\\n", " ").splitlines() if entry.strip()]
    assert entries
    for entry in entries:
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==\S+( ; [^#@]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", entry), entry


def test_synth_and_test_environments_agree():
    """`make test` after `make synth` only adds; it must not change a version."""

    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9].*==.*(?= \\$)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))

    assert "hatchling" in " ".join(pins("synth.txt"))
    assert pins("synth.txt") <= pins("test.txt")


def test_the_npm_lock_names_no_address():
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if name and not package.get("inBundle") and "integrity" not in package] == []


def test_modules_stay_small():
    """A reader keeps a module in mind; data files have no such limit."""
    sizes = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "sos_constructs").rglob("*.py")}
    assert {name: size for name, size in sizes.items() if size > 350} == {}
