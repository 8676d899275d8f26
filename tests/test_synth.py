"""`make synth`: a clean dist/, the same bytes every time and by the cdk8s command line, and nothing lost when it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import cdk8s_cli

ROOT = Path(__file__).resolve().parent.parent
APP = """
import os, pathlib
out = pathlib.Path(os.environ["CDK8S_OUTDIR"])
out.mkdir()
(out / "a.k8s.yaml").write_text("apiVersion: v1\\nkind: ConfigMap\\n---\\napiVersion: v1\\nkind: Service\\n---\\napiVersion: v1\\nkind: ConfigMap\\n")
"""


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("JSII_", "CDK8S_"))}
    return subprocess.run([sys.executable, script, *arguments], cwd=script.parent.parent, env=environment, capture_output=True, text=True, timeout=120)


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with an app that needs no cdk8s, and a dist/ from before."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "synth.py", tmp_path / "tools")
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "old.k8s.yaml").write_text("kind: Renamed\n")
    (tmp_path / "main.py").write_text(APP)
    return tmp_path


def test_stale_files_go_and_the_table_counts(project: Path):
    result = run(project / "tools" / "synth.py")
    assert (result.returncode, result.stderr) == (0, "")
    assert list(files(project / "dist")) == ["a.k8s.yaml"]
    assert [line.split(None, 3) for line in result.stdout.splitlines()] == [
        ["file", "bytes", "objects", "by kind"],
        ["dist/a.k8s.yaml", "99", "3", "2 ConfigMap, 1 Service"],
    ]


def test_a_failing_app_leaves_dist_as_it_was(project: Path):
    (project / "main.py").write_text(APP + "raise SystemExit('no')\n")
    result = run(project / "tools" / "synth.py")
    assert (result.returncode, result.stderr) == (1, "no\n")
    assert files(project / "dist") == {"old.k8s.yaml": "kind: Renamed\n"}
    assert sorted(path.name for path in project.iterdir()) == ["dist", "main.py", "tools"]


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    output = tmp_path_factory.mktemp("synth") / "dist"
    result = run(ROOT / "tools" / "synth.py", "--output", str(output))
    assert (result.returncode, result.stderr) == (0, "")  # stderr: no banner of jsii, no warning
    return files(output)


def test_dist_is_what_the_app_writes_now(synthesized: dict[str, str]):
    assert synthesized == files(ROOT / "dist")


def test_the_cdk8s_command_line_writes_the_same_bytes(synthesized: dict[str, str], tmp_path: Path):
    if reason := cdk8s_cli.missing():
        pytest.skip(reason)
    cdk8s_cli.run("synth", "--output", str(tmp_path / "dist"))
    assert files(tmp_path / "dist") == synthesized


@pytest.mark.parametrize("works", [True, False])
def test_the_cdk8s_command_line_replaces_dist_only_after_a_good_synth(tmp_path: Path, works: bool):
    if reason := cdk8s_cli.missing():
        pytest.skip(reason)
    (tmp_path / "node_modules").symlink_to(cdk8s_cli.MODULES)
    (tmp_path / "cdk8s.yaml").write_text((ROOT / "cdk8s.yaml").read_text().partition("imports:")[0])
    for folder, name, text in (
        ("tools", "cdk8s_app.py", (ROOT / "tools" / "cdk8s_app.py").read_text()),
        ("dist", "old.k8s.yaml", "kind: Old\n"),
        (".", "main.py", "import os, pathlib\nout = pathlib.Path(os.environ['CDK8S_OUTDIR'])\nout.mkdir(parents=True, exist_ok=True)\n"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    with (tmp_path / "main.py").open("a") as app:
        app.write("(out / 'new.k8s.yaml').write_text('kind: New\\n')\n" if works else "raise SystemExit(3)\n")
    if works:
        cdk8s_cli.run("synth", cwd=tmp_path)
    else:
        with pytest.raises(subprocess.CalledProcessError):
            cdk8s_cli.run("synth", cwd=tmp_path)
    assert {path.name for path in (tmp_path / "dist").iterdir()} == {"new.k8s.yaml" if works else "old.k8s.yaml"}


def test_the_cdk8s_command_line_names_the_command_that_installs(tmp_path: Path):
    (tmp_path / "tools").mkdir()
    launcher = tmp_path / "tools" / "cdk8s_app.py"
    launcher.write_text((ROOT / "tools" / "cdk8s_app.py").read_text())
    result = subprocess.run([sys.executable, "-I", "-S", str(launcher)], capture_output=True, text=True, timeout=60)  # -S: no installed package
    assert result.returncode == 1
    assert "make synth" in result.stderr
