from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.chaos import report
from tests.chaos.checker import KINDS
from tests.chaos.faults import ALL, LOSING, chosen


def record(seed: int = 1, **values: Any) -> dict[str, Any]:
    plain = {"seed": seed, "code": "c", "fault": "primary deleted", "target": "postgres-0", "lasted": 1.0, "gap": 2.0, "streaming": 9.0, "recovery": 10.0}
    more = {"rows": 1000, "fresh_failed_while_writing": 0, "fresh_failed_after": 0, "seconds": 30.0, "failures": []}
    return plain | more | dict.fromkeys(KINDS, 0) | values


def test_a_percentile_is_a_value_that_was_measured():
    values = [float(number) for number in range(20, 0, -1)]
    assert [report.percentile(values, share) for share in (0.5, 0.95, 1)] == [10, 19, 20]
    assert report.percentile([7.0], 0.95) == 7


def test_the_table_tells_each_fault_and_all_of_them():
    text = report.table([record(1), record(2, gap=4.0, lost=2, stale=1, failures=["2 lost"]), record(3, fault="switchover", gap=0.5)])
    assert text.splitlines()[2:] == [
        "| primary deleted | 2 | 1 | 2.0 / 4.0 / 4.0 s | 10.0 / 10.0 / 10.0 s | 0 / 0 | 2,000 | 2 | 1 |",
        "| switchover | 1 | 1 | 0.5 / 0.5 / 0.5 s | 10.0 / 10.0 / 10.0 s | 0 / 0 | 1,000 | 0 | 0 |",
        "| **all** | 3 | 2 | 2.0 / 4.0 / 4.0 s | 10.0 / 10.0 / 10.0 s | 0 / 0 | 3,000 | 2 | 1 |",
    ]


def test_a_line_says_what_is_wrong():
    assert "promises kept" in report.line(record())
    assert report.line(record()).endswith("GREEN")
    assert "promises lost 2 stale 1" in report.line(record(lost=2, stale=1))
    assert "RED: 2 lost | slow" in report.line(record(failures=["2 lost", "slow"]))


def test_records_are_those_of_the_same_code_and_a_torn_line_is_none(tmp_path: Path):
    file = tmp_path / "new" / "results.jsonl"
    assert report.load(file, "c") == []
    for each in (record(1), record(2, code="other"), record(3)):
        report.append(file, each)
    with file.open("a") as out:
        out.write('{"seed": 4, "code"')
    assert [each["seed"] for each in report.load(file, "c")] == [1, 3]


def test_as_many_seeds_as_faults_bring_each_once():
    for block in (0, 5):
        seeds = range(block * len(ALL), (block + 1) * len(ALL))
        assert sorted(chosen(seed, ALL).name for seed in seeds) == sorted(fault.name for fault in ALL)
    assert [chosen(seed, ALL) for seed in range(40)] == [chosen(seed, ALL) for seed in range(40)]
    assert [chosen(seed, ALL) for seed in range(len(ALL))] != [chosen(seed, ALL) for seed in range(len(ALL), 2 * len(ALL))]


def test_every_fault_has_a_name_of_its_own():
    assert len({fault.name for fault in ALL}) == len(ALL)
    assert len(LOSING) == 3
