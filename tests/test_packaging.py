"""The wheel: what is in it, and that it works in somebody else's project.

Built and installed offline, by what requirements/ already installed here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sos_constructs"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip(sys.executable, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


def pip(python: str, *arguments: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    command = [python, "-m", "pip", "--isolated", "--disable-pip-version-check", "-q", arguments[0], "--no-index", *arguments[1:]]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr


def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def test_it_holds_the_package_alone(wheel: Path):
    assert {name.split("/")[0] for name in names(wheel)} == {"sos_constructs", f"sos_constructs-{version()}.dist-info"}


def test_it_holds_every_file_of_the_package(wheel: Path):
    ours = {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {name for name in names(wheel) if not name.startswith("sos_constructs-")} == ours
    assert "sos_constructs/py.typed" in ours


def test_its_metadata(wheel: Path):
    metadata = zipfile.ZipFile(wheel).read(f"sos_constructs-{version()}.dist-info/METADATA").decode()
    headers = metadata.partition("\n\n")[0].splitlines()
    assert "Requires-Python: >=3.11" in headers
    assert "License-Expression: Apache-2.0" in headers
    urls = {line.removeprefix("Project-URL: ").partition(",")[0] for line in headers if line.startswith("Project-URL: ")}
    assert urls == {"Homepage", "Documentation", "Changelog", "Source", "Issues"}
    required = {line.removeprefix("Requires-Dist: ") for line in headers if line.startswith("Requires-Dist: ") and "extra ==" not in line}
    assert {re.split("[<>=]", line)[0] for line in required} == {"attrs", "cattrs", "cdk8s", "cdk8s-plus-27", "constructs"}
    assert {line for line in headers if line.startswith("Provides-Extra: ")} == {"Provides-Extra: cli", "Provides-Extra: node"}


def test_it_works_in_another_project_with_its_own_imports(wheel: Path, tmp_path: Path):
    """A fresh virtual environment that sees this one's libraries but not this checkout, and a project with a package called ``imports``."""
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False, symlinks=os.name != "nt")
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    target = Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))
    pip(sys.executable, "install", "--no-deps", "--target", str(target), str(wheel))
    # A path in a .pth file comes after the environment's own; this checkout's .pth files are not read, so only the libraries are shared.
    (target / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    project = tmp_path / "project"
    (project / "imports").mkdir(parents=True)
    (project / "imports" / "__init__.py").write_text("MINE = True\n")
    (project / "main.py").write_text((ROOT / "main.py").read_text())  # the reference app needs every data file of the package
    (project / "run.py").write_text("import imports, main, sos_constructs\nassert imports.MINE\nmain.main()\nprint(sos_constructs.__file__)\n")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "JSII_", "CDK8S_"))}
    result = subprocess.run([python, "run.py"], cwd=project, env=clean, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")
    assert Path(result.stdout.strip()) == target / "sos_constructs" / "__init__.py"
    written = {path.name: path.read_text() for path in (project / "dist").iterdir()}
    assert written == {path.name: path.read_text() for path in (ROOT / "dist").iterdir()}


def version() -> str:
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert found
    return found[1]
