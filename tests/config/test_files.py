"""Layer files. The YAML reader is a strict subset: whatever it takes, PyYAML reads the same."""

from __future__ import annotations

from pathlib import Path

from sos_constructs.config.files import LayerFile, _scan_yaml, read_file, scan
from sos_constructs.errors import InvalidOption

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

EXAMPLE = """\
---
# the EU region
APP_PUBLIC_URL: https://eu.sos-app.example/#top   # not a comment in the address
LOG_LEVEL : debug
TZ: 'Europe/Berlin'
NOTE: "it's"
QUOTE: 'it''s'
DELAY: -5
SKEW: 1:30
OCTAL: 010
ANSWER: no
HOSTS: [a:1, "b:2" , 'c, d']
NONE: []
BROKERS:
  - kafka-0.kafka-headless:9092
  # one more
  - 'x'

EMPTY: ""
"""


def yaml_file(text: str) -> LayerFile:
    return _scan_yaml(Path("x.yaml"), text)


def test_scalars_stay_the_text_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "eu.yaml"
    path.write_text(EXAMPLE)
    file = read_file(path)
    read, origins = file.values, file.origins(path)
    assert read == {
        "APP_PUBLIC_URL": "https://eu.sos-app.example/#top",
        "LOG_LEVEL": "debug",
        "TZ": "Europe/Berlin",
        "NOTE": "it's",
        "QUOTE": "it's",
        "DELAY": "-5",
        "SKEW": "1:30",
        "OCTAL": "010",
        "ANSWER": "no",
        "HOSTS": ["a:1", "b:2", "c, d"],
        "NONE": [],
        "BROKERS": ["kafka-0.kafka-headless:9092", "x"],
        "EMPTY": "",
    }
    assert read == yaml.load(EXAMPLE, Loader=yaml.BaseLoader)
    assert origins["TZ"] == f"{path}:5"
    assert origins["BROKERS"] == f"{path}:14"


def test_windows_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    path.write_bytes(b"\xef\xbb\xbfLOG_LEVEL: debug\r\nTZ: UTC\r\n")
    assert read_file(path).values == {"LOG_LEVEL": "debug", "TZ": "UTC"}


def test_every_wrong_line_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("LOG_LEVEL: info\nLOG_LEVEL: debug\nTZ:\nNESTED:\n  A: 1\nANCHOR: &a 1\n- x\nNULL_VALUE: ~\nFOLDED: |\nTAB:\tx\nCLOSED: [a\n")
    with pytest.raises(InvalidOption) as raised:
        read_file(path)
    shape = "is not 'KEY: value', 'KEY: [a, b]' or a '- item' below a key; layer files are flat"
    assert str(raised.value).splitlines() == [
        f"path={str(path)!r} is not a layer file:",
        "  line 2: LOG_LEVEL is set on line 1 already; leave one out",
        "  line 3: TZ has no value; write one, or leave the key out",
        "  line 4: NESTED has no value; write one, or leave the key out",
        f"  line 5: 'A: 1' {shape}",
        f"  line 6: 'ANCHOR: &a 1' {shape}",
        f"  line 7: '- x' {shape}",
        "  line 8: NULL_VALUE has no value; write one, or leave the key out",
        f"  line 9: 'FOLDED: |' {shape}",
        "  line 10: 'TAB:\\tx' has a tab in column 5; write spaces",
        f"  line 11: 'CLOSED: [a' {shape}",
    ]


def test_a_scan_keeps_what_is_right(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("LOG_LEVEL: debug\nTZ:\nNESTED: {a: 1}\nLOG_FORMAT: json\n")
    file = scan(path)
    assert file.values == {"LOG_LEVEL": "debug", "LOG_FORMAT": "json"}
    assert sorted(file.errors) == [2, 3]


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        ("# the EU region:\n#   its names\n\n# not this\nTZ: UTC\n", "the EU region: its names"),
        ("# yaml-language-server: $schema=overlay.schema.json\n---\n# load test\nTZ: UTC\n", "load test"),
        ("# SPDX-License-Identifier: Apache-2.0\nTZ: UTC\n", ""),
        ("TZ: UTC\n# not this\n", ""),
        ("", ""),
    ],
)
def test_the_comment_at_the_head_says_why(text: str, comment: str) -> None:
    assert yaml_file(text).comment == comment


TEXT = st.text(alphabet="aA0 :#,-[]{}'\"\\&*!|>%@`?~.\t_/=<é\x85\u2028\n", max_size=12)
LINES = st.lists(
    st.one_of(
        st.builds("{}: {}".format, st.sampled_from("ABCD"), TEXT),
        st.builds("{}:".format, st.sampled_from("ABCD")),
        st.builds("{}: [{}]".format, st.sampled_from("ABCD"), TEXT),
        st.builds("{}- {}".format, st.sampled_from(["", "  "]), TEXT),
        TEXT,
    ),
    max_size=6,
).map("\n".join)


@given(LINES)
def test_what_the_reader_takes_is_yaml_and_means_the_same_to_pyyaml(text: str) -> None:
    file = yaml_file(text)
    assert file.errors or file.values == (yaml.load(text, Loader=yaml.BaseLoader) or {})


PRINTABLE = st.text(max_size=8).filter(str.isprintable)


def quoted(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))


@given(st.dictionaries(st.sampled_from("ABCDEF"), st.one_of(PRINTABLE, st.lists(PRINTABLE, min_size=1, max_size=3))))
def test_any_printable_text_can_be_written_in_quotes(values: dict[str, str | list[str]]) -> None:
    flow = "".join(f"{key}: {quoted(value) if isinstance(value, str) else '[' + ', '.join(map(quoted, value)) + ']'}\n" for key, value in values.items())
    block = "".join(
        f"{key}: {quoted(value)}\n" if isinstance(value, str) else f"{key}:\n" + "".join(f"- {quoted(item)}\n" for item in value)
        for key, value in values.items()
    )
    assert yaml_file(flow).values == yaml_file(block).values == values


def test_toml(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('LOG_LEVEL = "debug"\nRETRY_STATUS_CODES = [429, 503]\nLOG_FILE_ENABLED = true\n')
    assert read_file(path).values == {"LOG_LEVEL": "debug", "RETRY_STATUS_CODES": [429, 503], "LOG_FILE_ENABLED": True}
    assert read_file(path).origins(path) == {"LOG_LEVEL": f"{path}:1", "RETRY_STATUS_CODES": f"{path}:2", "LOG_FILE_ENABLED": f"{path}:3"}
    path.write_text("A = 1\nA = 2\n")
    with pytest.raises(InvalidOption, match=r"site\.toml' is not TOML: .*line 2"):
        read_file(path)
    path.write_text("[logging]\nLOG_LEVEL = 'info'\n")
    with pytest.raises(InvalidOption, match=r"has tables \(logging\); layer files are flat"):
        read_file(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"site\.yaml' cannot be read: No such file or directory"):
        read_file(tmp_path / "site.yaml")
    with pytest.raises(InvalidOption, match=r"site\.json' must end with one of \.yaml, \.yml, \.toml"):
        read_file(tmp_path / "site.json")
    (tmp_path / "site.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidOption, match="is not UTF-8 text"):
        read_file(tmp_path / "site.yaml")


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\ufffe"])
def test_what_readers_take_for_a_line_break_makes_no_key(character: str) -> None:
    file = yaml_file(f"LOG_LEVEL: a{character}TZ: UTC\n")
    assert file.values == {}
    assert f"contains U+{ord(character):04X} in column 13" in file.errors[1]
