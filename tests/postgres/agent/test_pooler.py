"""The agent beside PgBouncer: files, reloads, and when clients are held. PgBouncer itself is asked in tests/cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sos_constructs.postgres.agent import pooler
from sos_constructs.postgres.agent.files import DeclaredError
from sos_constructs.postgres.agent.pooler_console import Console, ConsoleError
from sos_constructs.postgres.agent.pooler_metrics import PoolerMetrics
from sos_constructs.postgres.agent.pooler_probe import Probe, refused
from sos_constructs.postgres.agent.pooler_watch import Session, Watch
from sos_constructs.postgres.pooler import Pooler, ini

import pytest

from tests.postgres.mounted import AGENT
from tests.postgres.pooler.example import pooled

PASSWORD = 'canary-"quoted"-0123456789'

PSQL = """#!/bin/sh
printf '%s\\n' "$*" >> {folder}/arguments
[ -e {folder}/refusal ] && {{ cat {folder}/refusal >&2; exit 2; }}
case "$*" in *user=*-c*) exit 0;; esac
while read -r line; do
  printf '%s\\n' "$line" >> {folder}/asked
  case "$line" in
    '\\echo '*) echo "${{line#* }}";;
    'SELECT pg_catalog.pg_is_in_recovery();') cat {folder}/recovery || exit 2;;
    *) name=$(printf '%s' "$line" | tr -d ';' | tr ' ' '_'); [ -e "{folder}/$name" ] && cat "{folder}/$name";;
  esac
done
exit 0
"""


class Mounted:
    """A pooler's pod, with a psql that answers from files."""

    def __init__(self, folder: Path, options: Pooler) -> None:
        self.folder = folder
        self.pod = pooler.Pod(folder / "config", folder / "credentials", folder / "runtime")
        for each in (self.pod.config_dir, self.pod.credentials_dir, self.pod.runtime_dir, folder / "bin"):
            each.mkdir()
        program = folder / "bin" / "psql"
        program.write_text(PSQL.format(folder=folder))
        program.chmod(0o755)
        self.mount(options)
        self.secret("pooler-username", "pgbouncer")
        self.secret("pooler-password", PASSWORD)

    def mount(self, options: Pooler) -> None:
        for name, text in ini.config_map(pooled(options), options)["data"].items():
            (self.pod.config_dir / name).write_text(text)
        told = json.loads((self.pod.config_dir / "pooler.json").read_text())
        told["bin_dir"] = str(self.folder / "bin")
        for side in told["sides"]:
            told["sides"][side]["socket_dir"] = str(self.pod.runtime_dir / side)
        (self.pod.config_dir / "pooler.json").write_text(json.dumps(told))

    def secret(self, key: str, value: str) -> None:
        (self.pod.credentials_dir / key).write_text(value)

    def answer(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def asked(self, word: str = "RELOAD") -> int:
        path = self.folder / "asked"
        return path.read_text().count(f"{word};") if path.exists() else 0


@pytest.fixture
def mounted(tmp_path: Path) -> Mounted:
    return Mounted(tmp_path, Pooler())


def metrics(mounted: Mounted) -> PoolerMetrics:
    return PoolerMetrics(mounted.pod.consoles(mounted.pod.declared()))


# --- before PgBouncer starts ------------------------------------------------------------------------------------------


def test_the_user_list_holds_one_role_and_is_for_its_owner(mounted: Mounted):
    pooler.render(mounted.pod)
    assert mounted.pod.userlist.read_text() == '"pgbouncer" "canary-""quoted""-0123456789"\n'
    assert mounted.pod.userlist.stat().st_mode & 0o777 == 0o600
    assert [(mounted.pod.runtime_dir / side).stat().st_mode & 0o777 for side in ("primary", "readonly")] == [0o700, 0o700]
    pooler.render(mounted.pod)  # the container may start again


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda folder: (folder / "pooler-password").unlink(), "Secret key pooler-password: is missing"),
        (
            lambda folder: (folder / "pooler-username").write_text("me"),
            "Secret key pooler-username: differs from the declared role 'pgbouncer'; change one of the two",
        ),
        (lambda folder: (folder / "pooler-password").write_text("a\n"), "Secret key pooler-password: must be printable ASCII"),
    ],
)
def test_one_line_says_what_is_missing(mounted: Mounted, change: Any, complaint: str):
    change(mounted.pod.credentials_dir)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(AGENT.parent),
        "SOS_CONFIG_DIR": str(mounted.pod.config_dir),
        "SOS_CREDENTIALS_DIR": str(mounted.pod.credentials_dir),
        "SOS_RUNTIME_DIR": str(mounted.pod.runtime_dir),
    }
    done = subprocess.run([sys.executable, "-m", "agent.pooler", "render"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["message"].startswith(complaint)
    assert not mounted.pod.userlist.exists()


def test_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    for name in ("CONFIG", "CREDENTIALS", "RUNTIME"):
        monkeypatch.setenv(f"SOS_{name}_DIR", "/nowhere")
    assert pooler.main([]) == pooler.main(["reload"]) == 2
    assert "usage: python3 -m agent.pooler render|run|drain" in capsys.readouterr().err


# --- while it runs ----------------------------------------------------------------------------------------------------


def test_nothing_changed_nothing_reloaded(mounted: Mounted):
    pooler.render(mounted.pod)
    pooler.follow(mounted.pod, metrics(mounted))
    assert mounted.asked() == 0


def test_a_changed_configuration_is_reloaded_once_on_both_sides(mounted: Mounted):
    pooler.render(mounted.pod)
    mounted.mount(Pooler(pool_size=2))
    for _ in range(2):
        pooler.follow(mounted.pod, metrics(mounted))
    assert mounted.asked() == 2


def test_another_ca_of_the_database_is_reloaded_once_on_both_sides(mounted: Mounted):
    folder = mounted.folder / "server-ca"
    folder.mkdir()
    (folder / "ca.crt").write_text("one")
    pod = replace(mounted.pod, server_ca_dir=folder)
    pooler.render(pod)
    (folder / "ca.crt").write_text("another")
    for _ in range(2):
        pooler.follow(pod, metrics(mounted))
    assert mounted.asked() == 2


def test_a_reload_that_failed_is_tried_again(mounted: Mounted):
    pooler.render(mounted.pod)
    mounted.mount(Pooler(pool_size=2))
    mounted.answer("refusal", "psql: error: connection refused\n")
    with pytest.raises(ConsoleError, match="console on port 6432: psql: error: connection refused"):
        pooler.follow(mounted.pod, metrics(mounted))
    (mounted.folder / "refusal").unlink()
    pooler.follow(mounted.pod, metrics(mounted))
    assert mounted.asked() == 2


def test_a_new_password_is_taken_when_the_server_takes_it(mounted: Mounted):
    pooler.render(mounted.pod)
    mounted.secret("pooler-password", "another-canary")
    mounted.answer("refusal", 'psql: error: FATAL:  password authentication failed for user "pgbouncer"\n')
    ours = metrics(mounted)
    pooler.follow(mounted.pod, ours)
    assert "another" not in mounted.pod.userlist.read_text()
    assert "sos_pooler_password_current 0" in ours.text()
    (mounted.folder / "refusal").unlink()
    pooler.follow(mounted.pod, ours)
    assert mounted.pod.userlist.read_text() == '"pgbouncer" "another-canary"\n'
    assert mounted.asked() == 2
    assert "sos_pooler_password_current 1" in ours.text()
    assert "canary" not in (mounted.folder / "arguments").read_text(), "never an argument: other users of the node could read it"


# --- clients wait while there is no primary ---------------------------------------------------------------------------


class Fake:
    """A primary that answers or not, a console that remembers, a clock that obeys."""

    def __init__(self) -> None:
        self.answers, self.now, self.told, self.opened = True, 0.0, list[str](), 0

    def session(self, _declared: dict[str, Any], _password: str) -> Fake:
        self.opened += 1
        return self

    def primary_answers(self, seconds: float) -> bool:
        self.now += 0.1 if self.answers else seconds
        return self.answers

    def close(self) -> None:
        pass

    def ask(self, command: str) -> list[Any]:
        self.told.append(command)
        return []

    def try_to(self, command: str) -> None:
        self.told.append(command)

    def begin(self, command: str) -> Fake:
        self.told.append(command)
        return self

    def kill(self) -> None:
        pass

    def wait(self) -> None:
        pass

    def watch(self, pause_seconds: float = 30) -> Watch:
        return Watch(self.session, self, pause_seconds, clock=lambda: self.now)  # type: ignore[arg-type]


def test_clients_are_held_and_let_go():
    fake = Fake()
    watch = fake.watch()
    for _ in range(3):
        watch.look({}, "x")
    assert (fake.told, fake.opened) == ([], 1), "one connection for all questions"
    fake.answers = False
    watch.look({}, "x")
    assert fake.told == [], "a broken connection alone is no reason"
    watch.look({}, "x")
    assert (fake.told, watch.paused, watch.pauses) == (["PAUSE"], True, 1)
    watch.look({}, "x")
    fake.answers = True
    watch.look({}, "x")
    assert (fake.told, watch.paused, watch.pauses) == (["PAUSE", "RESUME"], False, 1)
    fake.answers = False
    for _ in range(2):
        watch.look({}, "x")
    assert watch.pauses == 2


def test_nobody_waits_for_ever():
    fake = Fake()
    watch = fake.watch(pause_seconds=30)
    fake.answers = False
    while fake.now < 120:
        watch.look({}, "x")
    assert (fake.told, watch.paused) == (["PAUSE", "RESUME"], False), "whoever comes now is refused at once"
    fake.answers = True
    watch.look({}, "x")
    assert fake.told == ["PAUSE", "RESUME"]


def test_what_a_predecessor_left_is_undone():
    fake = Fake()
    fake.watch().resume_what_another_left()
    assert fake.told == ["RESUME"]


@pytest.mark.parametrize(
    ("recovery", "refusal", "is_there"),
    [
        ("f\n", None, True),
        ("t\n", None, False),
        (None, None, False),
        (None, "psql: error: connection refused\n", False),
        (None, "FATAL:  the database system is starting up\n", False),
        (None, 'FATAL:  password authentication failed for user "pgbouncer"\n', True),
        (None, "FATAL:  sorry, too many clients already\n", True),
    ],
)
def test_who_counts_as_a_primary(mounted: Mounted, recovery: str | None, refusal: str | None, is_there: bool):
    """A server that refuses us is there: clients' connections may be open, and are not cut for that."""
    if recovery:
        mounted.answer("recovery", recovery)
    if refusal:
        mounted.answer("refusal", refusal)
    session = Session(mounted.pod.declared(), PASSWORD)
    try:
        assert session.primary_answers(20) is is_there
        if recovery == "f\n":
            assert session.primary_answers(20), "the same connection again"
    finally:
        session.close()


def test_an_answer_that_is_late_is_none(mounted: Mounted):
    mounted.answer("recovery", "f")  # the line does not end
    session = Session(mounted.pod.declared(), PASSWORD)
    try:
        assert not session.primary_answers(0.2)
    finally:
        session.close()


# --- is a client served -----------------------------------------------------------------------------------------------


def test_it_asks_as_a_client_on_both_sides_and_says_what_changed(mounted: Mounted, capsys: pytest.CaptureFixture[str]):
    ours = metrics(mounted)
    assert "sos_pooler_serves" not in ours.text(), "nothing is known yet"
    probe = Probe(ours.serves)
    assert probe.look(mounted.pod.declared(), PASSWORD) == {"primary", "readonly"}
    assert 'sos_pooler_serves{side="primary"} 1\nsos_pooler_serves{side="readonly"} 1\n' in ours.text()
    asked = [line for line in (mounted.folder / "arguments").read_text().splitlines() if "SELECT 1" in line]
    for side, port in (("primary", 6432), ("readonly", 6433)):
        (line,) = [line for line in asked if f"port={port}" in line]
        assert f"dbname=auth host={mounted.pod.runtime_dir / side} port={port} user=pgbouncer" in line
        assert PASSWORD not in line
    mounted.answer("refusal", "FATAL:  server login has been failing\nserver closed the connection unexpectedly\n")
    for _ in range(2):
        assert probe.look(mounted.pod.declared(), PASSWORD) == set()
    assert 'sos_pooler_serves{side="primary"} 0\n' in ours.text()
    (mounted.folder / "refusal").unlink()
    probe.look(mounted.pod.declared(), PASSWORD)
    said = [(each["side"], each["message"]) for each in map(json.loads, capsys.readouterr().out.splitlines())]
    refusal = "FATAL:  server login has been failing"
    assert said == [(side, text) for text in (refusal, "clients are served again") for side in ("primary", "readonly")]


def test_it_says_once_and_for_all_that_a_client_of_the_primary_was_served(mounted: Mounted, monkeypatch: pytest.MonkeyPatch):
    """What the startup probe of PgBouncer's containers waits for, often until then and seldom afterwards."""
    mounted.answer("refusal", "FATAL:  no pg_hba.conf entry\n")
    pooler.write_password(mounted.pod, mounted.pod.declared(), PASSWORD)
    ours, pauses = metrics(mounted), []

    def sleep(seconds: float) -> None:
        pauses.append((seconds, (mounted.folder / "runtime" / "served").exists()))
        refusal = mounted.folder / "refusal"
        if len(pauses) == 2:
            refusal.unlink()
        elif len(pauses) == 3:
            refusal.write_text("FATAL:  server login has been failing\n")
        elif len(pauses) == 4:
            raise SystemExit

    monkeypatch.setattr("sos_constructs.postgres.agent.pooler.time", SimpleNamespace(sleep=sleep))
    with pytest.raises(SystemExit):
        pooler.probe(mounted.pod, ours)
    assert pauses == [(1, False), (1, False), (15, True), (15, True)]


def test_a_readonly_side_alone_is_not_enough(mounted: Mounted, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sos_constructs.postgres.agent.pooler_probe.refused", lambda declared, side, password: "no" if side == "primary" else "")
    monkeypatch.setattr("sos_constructs.postgres.agent.pooler.time", SimpleNamespace(sleep=lambda seconds: sys.exit()))
    pooler.write_password(mounted.pod, mounted.pod.declared(), PASSWORD)
    with pytest.raises(SystemExit):
        pooler.probe(mounted.pod, metrics(mounted))
    assert not mounted.pod.served_file.exists()


def test_an_answer_to_a_client_that_does_not_come(mounted: Mounted, monkeypatch: pytest.MonkeyPatch):
    (mounted.folder / "bin" / "psql").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr("sos_constructs.postgres.agent.pooler_probe.SECONDS", 0.2)
    assert refused(mounted.pod.declared(), "primary", PASSWORD) == "no answer within 0 s"


# --- metrics ----------------------------------------------------------------------------------------------------------

TABLES = {
    "SHOW_POOLS": (
        "database,user,cl_active,cl_waiting,sv_active,sv_idle,sv_used,sv_tested,sv_login,maxwait,maxwait_us,pool_mode\n"
        "auth,auth,7,2,3,1,0,0,0,1,500000,transaction\npgbouncer,pgbouncer,1,0,0,0,0,0,0,0,0,statement\n"
    ),
    "SHOW_DATABASES": "name,host,pool_size\nauth,postgres-service,4\npgbouncer,,2\n",
    "SHOW_STATS": "database,total_xact_count,total_query_count,total_received,total_sent,total_xact_time,total_query_time,total_wait_time\n"
    "auth,10,20,300,400,5000000,4000000,1500000\n",
    "SHOW_LISTS": "list,items\nusers,2\nused_clients,9\n",
    "SHOW_CONFIG": "key,value,default,changeable\nlogfile,,,yes\nmax_client_conn,1000,100,yes\n",
}


def test_metrics(mounted: Mounted):
    for name, text in TABLES.items():
        mounted.answer(name, text)
    text = metrics(mounted).text()
    for sample in (
        'sos_pooler_up{side="primary"} 1',
        'sos_pooler_clients{side="primary",database="auth",user="auth",state="waiting"} 2',
        'sos_pooler_servers{side="readonly",database="auth",user="auth",state="active"} 3',
        'sos_pooler_longest_wait_seconds{side="primary",database="auth",user="auth"} 1.5',
        'sos_pooler_pool_size{side="primary",database="auth"} 4',
        'sos_pooler_client_connections{side="primary"} 9',
        'sos_pooler_client_connections_limit{side="primary"} 1000',
        'sos_pooler_client_wait_seconds_total{side="primary",database="auth"} 1.5',
        'sos_pooler_transactions_total{side="primary",database="auth"} 10',
        'sos_pooler_paused{side="primary"} 0',
    ):
        assert f"{sample}\n" in text
    assert 'database="pgbouncer"' not in text
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families)), "each family once"


def test_a_pgbouncer_that_does_not_answer_is_down(mounted: Mounted):
    mounted.answer("refusal", "psql: error: no\n")
    text = metrics(mounted).text()
    assert 'sos_pooler_up{side="primary"} 0\nsos_pooler_up{side="readonly"} 0\n' in text
    assert "sos_pooler_clients" not in text


def test_alive_while_both_threads_go_round(mounted: Mounted):
    ours = metrics(mounted)
    assert ours.alive(60)
    assert not ours.alive(0)


def test_a_console_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "psql"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr("sos_constructs.postgres.agent.pooler_console.SECONDS", 0.2)
    with pytest.raises(ConsoleError, match="console on port 1: TimeoutExpired"):
        Console(str(program), "/nowhere", "1").ask("SHOW STATS")


def test_a_broken_file_is_told_by_its_name(mounted: Mounted):
    (mounted.pod.config_dir / "pooler.json").write_text("{")
    with pytest.raises(DeclaredError, match=r"ConfigMap file pooler\.json"):
        mounted.pod.declared()
