"""The agent's own health, as Prometheus and the kubelet read it."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

from sos_constructs.postgres.agent.metrics import Metrics, serve

import pytest

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"\})? (-?[0-9.e+]+)')


def parsed(text: str) -> dict[str, float]:
    """Series of the text format; every family has its HELP and TYPE before its first sample."""
    assert text.endswith("\n")
    found: dict[str, float] = {}
    declared: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert kind == ("counter" if name.endswith("_total") else "gauge")
            declared.add(name)
        elif not line.startswith("# HELP "):
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] in declared, line
            assert match[1] + (match[2] or "") not in found, line
            found[match[1] + (match[2] or "")] = float(match[3])
    return found


def test_text():
    metrics = Metrics()
    assert parsed(metrics.text()) == {}
    metrics.record("databases", True)
    metrics.record("member", False)
    metrics.record("member", False)
    found = parsed(metrics.text())
    last = found.pop('sos_agent_last_success_timestamp_seconds{step="databases"}')
    assert last > 1.6e9, "seconds since 1970"
    assert found == {
        'sos_agent_reconcile_success{step="databases"}': 1,
        'sos_agent_reconcile_success{step="member"}': 0,
        'sos_agent_reconcile_failures_total{step="databases"}': 0,
        'sos_agent_reconcile_failures_total{step="member"}': 2,
    }


def test_the_fast_failover_shows_its_steps_before_the_first():
    """Else Prometheus would never see a counter grow that begins with 1."""
    metrics = Metrics()
    metrics.failover("cuts")
    metrics.failover_may(("cuts", "releases"))
    metrics.cut_off(True)
    assert parsed(metrics.text()) == {
        'sos_agent_failover_steps_total{step="cuts"}': 1,
        'sos_agent_failover_steps_total{step="releases"}': 0,
        "sos_agent_cut_off": 1,
    }
    metrics.cut_off(False)
    assert parsed(metrics.text())["sos_agent_cut_off"] == 0
    metrics.cut_off(None)
    assert "sos_agent_cut_off" not in metrics.text(), "without the option there is nothing to tell"


def test_the_certificate_s_life():
    metrics = Metrics()
    metrics.certificate(1_700_000_000, 1_800_000_000.4)
    assert parsed(metrics.text()) == {
        "sos_agent_certificate_start_timestamp_seconds": 1_700_000_000,
        "sos_agent_certificate_expiry_timestamp_seconds": 1_800_000_000,
    }


def test_success_after_failure():
    metrics = Metrics()
    metrics.record("member", False)
    metrics.record("member", True)
    found = parsed(metrics.text())
    assert found['sos_agent_reconcile_success{step="member"}'] == 1
    assert found['sos_agent_reconcile_failures_total{step="member"}'] == 1, "a counter never goes back"


@pytest.fixture(params=["127.0.0.1", "[::1]"])
def url(request: pytest.FixtureRequest) -> Iterator[tuple[Metrics, str]]:
    if request.param == "[::1]" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 on this machine")
    metrics = Metrics()
    server = serve(metrics, 0, stale_after=300)
    yield metrics, f"http://{request.param}:{server.server_port}"
    server.shutdown()
    server.server_close()


def get(url: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_over_http(url: tuple[Metrics, str], capsys: pytest.CaptureFixture[str]):
    metrics, address = url
    metrics.record("store", True)
    assert get(f"{address}/metrics") == (200, "text/plain; version=0.0.4; charset=utf-8", metrics.text())
    assert get(f"{address}/elsewhere")[0] == 404
    assert capsys.readouterr() == ("", ""), "a scrape is no event"


def test_health_is_lost_when_the_loop_stands_still(url: tuple[Metrics, str], monkeypatch: pytest.MonkeyPatch):
    metrics, address = url
    metrics.record("store", False)
    metrics.round()
    assert get(f"{address}/health")[0] == 200, "failing steps are no reason for a restart"
    monkeypatch.setattr(metrics, "_round", metrics._round - 301)
    assert get(f"{address}/health")[0] == 503
    metrics.round()
    assert get(f"{address}/health")[0] == 200


@pytest.mark.parametrize(("error", "said"), [(BrokenPipeError(), ""), (ConnectionResetError(), ""), (ValueError("s3cret"), "unexpected ValueError")])
def test_a_probe_that_gave_up_is_no_event(url: tuple[Metrics, str], capsys: pytest.CaptureFixture[str], error: Exception, said: str):
    """The standard library would print a traceback for each."""
    server = serve(url[0], 0, stale_after=300)
    try:
        raise error
    except (OSError, ValueError):
        with socket.socket() as gone:
            server.handle_error(gone, None)
    finally:
        server.shutdown()
        server.server_close()
    out, err = capsys.readouterr()
    assert said in out
    assert len(out.splitlines()) == (1 if said else 0)
    assert "s3cret" not in out
    assert err == ""
