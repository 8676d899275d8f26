"""Patroni's configuration: what it must say, and Patroni's own validator on what the agent makes of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from sos_constructs.postgres import configmaps, patroni
from sos_constructs.postgres.agent.reconcile import Member
from sos_constructs.postgres.agent.reconcile import render as render_file
from sos_constructs.postgres.agent.render import Pod
from sos_constructs.postgres.spec import Spec

import pytest

from tests.postgres.example import spec
from tests.programs import BRING


def test_what_all_members_agree_on():
    dynamic = patroni.dynamic(spec())
    assert (
        dynamic.items()
        >= {
            "ttl": 20,
            "loop_wait": 3,
            "retry_timeout": 5,
            "failsafe_mode": True,
            "synchronous_mode": "quorum",
            "synchronous_mode_strict": False,
            "synchronous_node_count": 1,
            "maximum_lag_on_failover": 1048576,
        }.items()
    )
    assert dynamic["postgresql"].items() >= {"use_pg_rewind": True, "use_slots": True}.items()


def test_in_strict_mode_what_was_never_acknowledged_keeps_nobody_from_taking_over():
    assert patroni.dynamic(spec(synchronous_mode_strict=True))["maximum_lag_on_failover"] > 1024**3


def test_the_order_is_patronis_rule():
    """``loop_wait + 2 * retry_timeout <= ttl``, or Patroni changes the values by itself."""
    dynamic = patroni.dynamic(spec())
    assert dynamic["loop_wait"] + 2 * dynamic["retry_timeout"] <= dynamic["ttl"]


@pytest.mark.parametrize(("mode", "written"), [("quorum", "quorum"), ("on", True), ("off", False)])
def test_synchronous_mode_in_patronis_words(mode: str, written: Any):
    """Patroni knows "quorum", true and false; the words on and off would be strings to it."""
    assert patroni.dynamic(spec(synchronous_mode=mode))["synchronous_mode"] is written or written == "quorum"
    assert patroni.dynamic(spec(synchronous_mode=mode))["synchronous_mode"] == written


def test_labels_are_those_that_the_services_select():
    kubernetes = patroni.local(spec(name="orders"))["kubernetes"]
    assert kubernetes == {
        "follower_label_value": "replica",
        "labels": {"app.kubernetes.io/instance": "orders", "app.kubernetes.io/name": "postgres"},
        "leader_label_value": "primary",
        "role_label": "role",
        "scope_label": "patroni-scope",
        "standby_leader_label_value": "standby-leader",
        "use_endpoints": False,
    }


def test_its_configmaps_are_not_ours():
    made = spec()
    assert patroni.local(made)["scope"] == "postgres-patroni"
    assert f"{made.names.scope}-config" not in (made.names.config, made.names.exporter_config, made.names.agent)


def test_data_checksums_and_encoding():
    assert patroni.local(spec())["bootstrap"]["initdb"] == [{"encoding": "UTF8"}, {"locale": "en_US.UTF-8"}, "data-checksums"]


def test_no_secret_and_no_pod_in_it():
    text = json.dumps(patroni.local(spec()))
    assert not re.search(r"authentication|connect_address|pod_ip|\"name\"", text)


def test_only_what_patroni_reads_at_its_start_is_for_a_restart():
    parts = patroni.restart_parts(spec())
    assert parts.keys() == {"kubernetes", "postgresql", "restapi", "scope"}
    assert "pg_hba" not in parts["postgresql"], "reloaded"
    assert "bootstrap" not in parts, "read once in the life of a cluster"


@pytest.mark.parametrize(("mode", "waits"), [("quorum", True), ("on", True), ("off", False)])
def test_where_commits_wait_nobody_reads_from_a_server_that_ends(mode: str, waits: bool):
    postgresql = patroni.local(spec(synchronous_mode=mode))["postgresql"]
    assert ("before_stop" in postgresql) is waits
    if waits:
        shell, option, script = shlex.split(postgresql["before_stop"])
        assert (shell, option) == ("sh", "-c")
        module = re.search(r"python3 -B -m agent[.](\w+) /run/sos/patroni[.]yml; }$", script)
        assert module
        assert f"{module[1]}.py" in configmaps.agent(spec())["data"]


@pytest.mark.parametrize("hurry", [False, True])
def test_a_pod_without_time_stops_at_once(tmp_path: Path, hurry: bool):
    command = patroni.local(spec())["postgresql"]["before_stop"].replace("/run/sos/hurry", str(tmp_path / "hurry"))
    command = command.replace("/opt/sos", str(tmp_path)).replace("python3 -B -m agent.before_stop", "echo done")
    if hurry:
        (tmp_path / "hurry").touch()
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
    assert done.stdout == ("" if hurry else "done /run/sos/patroni.yml\n")


def test_a_primary_that_cannot_start_is_replaced_soon():
    """Patroni waits for this long before it fails over from a primary that starts anew; 0 would give up one that is back in a second."""
    seconds = patroni.dynamic(spec())["primary_start_timeout"]
    assert spec().timing.seconds()["ttl"] <= seconds <= 60


# --- Patroni's own validator ------------------------------------------------------------------------------------------


@pytest.fixture
def validate(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Render a specification as the init container does, and have Patroni validate the result. It refuses to run as root, like PostgreSQL."""
    import pwd
    import tempfile

    bin_dir = next((path.parent for path in Path("/usr/lib/postgresql").glob("15/bin/initdb")), None) or shutil.which("initdb")
    if bin_dir is None:
        pytest.skip(f"no PostgreSQL on this machine, for whose programs Patroni looks: {BRING}")
    user = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    uid = user.get("postgres", user["nobody"]) if os.getuid() == 0 else os.getuid()
    folder = Path(tempfile.mkdtemp(prefix="sos-patroni-"))
    folder.chmod(0o755)

    def run(made: Spec, **change: Any) -> subprocess.CompletedProcess[str]:
        config, credentials, runtime = (folder / name for name in ("config", "credentials", "runtime"))
        for path in (config, credentials, runtime):
            path.mkdir()
        for name, text in configmaps.config(made)["data"].items():
            (config / name).write_text(text)
        for role in configmaps.declared(made)["roles"]:
            (credentials / role["username_key"]).write_text(role["name"])
            (credentials / role["password_key"]).write_text("x" * 32)
        (credentials / "patroni-username").write_text("patroni")
        (credentials / "patroni-password").write_text("y" * 32)
        render_file(Member(Pod("postgres-0", "sos-app", "10.1.2.3"), config, credentials, runtime, "/var/run/postgresql", runtime))
        rendered = json.loads((runtime / "patroni.yml").read_text())
        # Where the pod's folders and programs are on this machine.
        rendered["postgresql"] |= {
            "bin_dir": str(bin_dir),
            "data_dir": str(folder / "data"),
            "pgpass": str(folder / "pgpass"),
            "custom_conf": str(config / "postgresql.conf"),
        }
        rendered |= change
        path = folder / "patroni.json"
        path.write_text(json.dumps(rendered))
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", VALIDATE, str(path)]
        return subprocess.run(command, env=environment | {"SOS_UID": str(uid)}, cwd=folder, capture_output=True, text=True, timeout=60)

    yield run
    shutil.rmtree(folder, ignore_errors=True)


#: Imports first, while it may read everything; then it becomes the user that Patroni accepts.
VALIDATE = """
import encodings.idna, os, sys
import patroni.__main__, patroni.config, patroni.config_generator, patroni.validator, patroni.dcs.kubernetes, patroni.postgresql.validator
if os.getuid() == 0:
    os.setgroups([]); os.setgid(int(os.environ["SOS_UID"])); os.setuid(int(os.environ["SOS_UID"]))
sys.argv = ["patroni", "--validate-config", "--ignore-listen-port", sys.argv[1]]
patroni.__main__.process_arguments()
"""


@pytest.mark.parametrize(
    "options", [{}, {"synchronous_mode": "off", "instances": 1, "databases": ()}, {"synchronous_mode": "on", "parameters": {"work_mem": "8MB"}}]
)
def test_patroni_accepts_the_rendered_configuration(options: dict[str, Any], validate: Any):
    done = validate(spec(**options))
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_the_validator_would_find_a_fault(validate: Any):
    done = validate(spec(), restapi={"listen": "*:8008", "connect_address": "localhost:8008"})
    assert done.returncode == 1
    assert "restapi.connect_address" in done.stdout + done.stderr
