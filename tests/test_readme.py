"""What the pages tell people to type works: programs run, commands and options exist, errors read as shown, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sos_constructs import HaPostgres, SosSecrets
from sos_constructs.cli.app import app as sosctl

import cdk8s
import pytest
import typer
import yaml

from tests import pages

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("sos_constructs/*/README.md"), *ROOT.glob("examples/*/*.md")))


def blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if language in languages]


def run(program: str, folder: Path) -> bytes:
    """What the program writes to dist/."""
    (folder / "main.py").write_text(program)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("JSII_", "CDK8S_"))} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-W", "error", "main.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return (folder / "dist" / "sos-app.k8s.yaml").read_bytes()


def test_the_readmes_chart_is_the_reference_chart(tmp_path: Path):
    assert run(blocks(README, "python")[0], tmp_path) == (ROOT / "dist" / "sos-app.k8s.yaml").read_bytes()


def test_the_readmes_service_goes_into_it(tmp_path: Path):
    """The namespace admits it: else synth would fail."""
    reference = len(list(yaml.safe_load_all((ROOT / "dist" / "sos-app.k8s.yaml").read_text())))
    made = list(yaml.safe_load_all(run(pages.readme_program(), tmp_path)))
    assert [(each["kind"], each["metadata"]["name"]) for each in made[reference:]] == [("Deployment", "visits")]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_fragments_are_python(page: Path):
    for block in blocks(page.read_text("utf-8"), "python"):
        compile(block, str(page), "exec")


# --- commands ---------------------------------------------------------------------------------------------------------


def commands(text: str) -> Iterator[list[str]]:
    """Of console blocks the lines after the prompt, of bash blocks all; each part of a pipeline by itself."""
    lines = [line.removeprefix("$ ") for body in blocks(text, "console", "") for line in body.splitlines() if line.startswith("$ ")]
    lines += [line for body in blocks(text, "bash", "sh") for line in body.splitlines()]
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&>")
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, "|"]:
            if set(word) <= set("|;&>"):
                if command and command[0] != ">":
                    yield command
                command = [">"] if ">" in word else []
            else:
                command.append(word)


def check_sosctl(arguments: list[str]) -> None:
    """Raise for an unknown command, option or number of arguments, without running anything."""
    command: Any = typer.main.get_command(sosctl)
    while hasattr(command, "commands"):
        assert arguments, "a command is missing"
        while arguments[0] in {option for each in command.params for option in each.opts}:
            arguments = arguments[2:]  # an option of a group, and its value
        assert arguments[0] in command.commands, f"no command {arguments[0]}"
        command, arguments = command.commands[arguments[0]], arguments[1:]
    context = command.make_context("sosctl", [], resilient_parsing=True)
    context.resilient_parsing = False  # it would also forgive unknown options
    _, left, _ = command.make_parser(context).parse_args(list(arguments))
    assert not left, f"extra: {left}"


ALL = [pytest.param(command, id=f"{page.name}: {' '.join(command)[:60]}") for page in PAGES for command in commands(page.read_text("utf-8"))]


@pytest.mark.parametrize("command", ALL)
def test_commands_exist(command: list[str]):
    program, *arguments = command
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert [word for word in arguments if not re.fullmatch(r"[A-Z_]+=.*", word) and word not in targets] == []
    elif program == "sosctl":
        check_sosctl(arguments)
    for word in arguments:
        if re.match(r"(dist|docs|examples|images|tools|tests|requirements)/", word):
            assert (ROOT / word).exists(), word


def test_wrong_commands_would_be_found():
    assert list(commands("```console\n$ a b | c -- 'd e'\nout\n```\n```bash\nf && g > h # i\n```\n")) == [["a", "b"], ["c", "--", "d e"], ["f"], ["g"]]
    check_sosctl(["secrets", "generate", "--existing", "none"])
    for wrong in (["secrets", "generat"], ["secrets", "generate", "--exist"], ["secrets", "generate", "extra"], ["secrets"]):
        with pytest.raises(Exception, match=r"no command|[Nn]o such option|extra|missing"):
            check_sosctl(wrong)


def values_in(command: list[str]) -> list[str]:
    """Words that hold a secret value, or would once somebody puts theirs there: the shell's history keeps them, and `ps` shows them."""
    return [
        word
        for word in command
        if re.search(r"--from-literal|--docker-password|(password|passwd|token|secret|dsn|_key)=(?!\$)|://[^/@]*:[^/@]*@", word, re.IGNORECASE)
    ]


@pytest.mark.parametrize("command", ALL)
def test_no_command_puts_a_value_into_the_shells_history(command: list[str]):
    assert values_in(command) == []
    assert command[0] not in ("echo", "printf") or command[1].startswith("$?"), "of what, if not of a value"


def test_values_on_a_command_line_would_be_found():
    wrong = ["PGPASSWORD=x psql", "kubectl create secret generic a --from-literal=b=c", "psql postgresql://auth:pw@host/auth", "vault kv put a api_key=x"]
    assert all(values_in(shlex.split(line)) for line in wrong)
    assert not values_in(shlex.split("kubectl annotate externalsecret redis-credentials --overwrite force-sync=now"))


# --- errors and links -------------------------------------------------------------------------------------------------


def test_errors_read_as_shown():
    shown = [line.removeprefix("ValueError: ") for line in README.splitlines() if line.startswith("ValueError: ")]
    made: list[str] = []
    options: list[dict[str, Any]] = [{"storage": "50 GB"}, {"parameters": {"shared_bufers": "1GB"}}]
    for each in options:
        chart = cdk8s.Chart(cdk8s.App(), "sos-app")
        with pytest.raises(ValueError, match="=") as raised:
            HaPostgres(chart, "postgres", credentials=SosSecrets(chart, "secrets").postgres, **each)
        made.append(str(raised.value))
    assert shown == made


def anchors(page: Path) -> set[str]:
    """GitHub's rule: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path):
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            assert file.exists(), target
            assert file.is_relative_to(ROOT), target
            assert not anchor or anchor in anchors(file), target
