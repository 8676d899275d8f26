"""What the agent did, counted over restarts of its pod."""

from __future__ import annotations

from pathlib import Path

from sos_constructs.postgres.agent.actions import Actions
from sos_constructs.postgres.agent.metrics import Metrics

import pytest

from tests.postgres.agent.test_metrics import parsed


def test_counts_outlive_the_process(tmp_path: Path):
    actions = Actions(tmp_path / "actions.json")
    assert actions.last("restart") == 0
    actions.note("restart", 100.0)
    actions.note("restart", 200.5)
    actions.note("reinitialize", 300.0)
    again = Actions(tmp_path / "actions.json")
    assert (again.last("restart"), again.last("reinitialize"), again.last("hand_over")) == (200.5, 300.0, 0)
    assert parsed(Metrics(again.text).text()) == {
        'sos_agent_actions_total{action="hand_over"}': 0,
        'sos_agent_actions_total{action="reinitialize"}': 1,
        'sos_agent_actions_total{action="restart"}': 2,
        'sos_agent_last_action_timestamp_seconds{action="hand_over"}': 0,
        'sos_agent_last_action_timestamp_seconds{action="reinitialize"}': 300,
        'sos_agent_last_action_timestamp_seconds{action="restart"}': 200.5,
    }


@pytest.mark.parametrize("text", ["", "{", "[]", '{"restart": 1}', '{"restart": []}', '{"restart": ["x", 1]}'])
def test_a_broken_file_means_that_nothing_was_done(tmp_path: Path, text: str):
    (tmp_path / "actions.json").write_text(text)
    assert Actions(tmp_path / "actions.json").last("restart") == 0


def test_what_cannot_be_noted_raises(tmp_path: Path):
    with pytest.raises(OSError, match="nowhere"):
        Actions(tmp_path / "nowhere" / "actions.json").note("restart", 1.0)
