"""The members' pods: what must never change, what each part needs, and when a change restarts them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sos_constructs.postgres import monitoring, tuning
from sos_constructs.postgres import names as n
from sos_constructs.postgres.agent import entry
from sos_constructs.postgres.containers import OFFICIAL, ImageProfile, Resources
from sos_constructs.postgres.monitoring import PrometheusOperator
from sos_constructs.postgres.settings import LEAST, OWNED, SHARED, catalogue
from sos_constructs.postgres.spec import Database, PatroniTiming, Spec
from sos_constructs.postgres.statefulset import restart_checksum, stateful_set

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generated import examples
from tests.postgres.example import spec


def pod(**options: Any) -> dict[str, Any]:
    found: dict[str, Any] = stateful_set(spec(**options))["spec"]["template"]["spec"]
    return found


def containers(**options: Any) -> dict[str, dict[str, Any]]:
    return {c["name"]: c for c in pod(**options)["initContainers"] + pod(**options)["containers"]}


# --- identity: changing one of these needs a new installation ---------------------------------------------------------


def test_immutable_fields():
    made = stateful_set(spec(storage_class="fast"))["spec"]
    assert made["selector"] == {"matchLabels": {"app.kubernetes.io/instance": "postgres", "app.kubernetes.io/name": "postgres"}}
    assert made["serviceName"] == "postgres-headless"
    assert made["podManagementPolicy"] == "Parallel"
    assert made["volumeClaimTemplates"] == [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"labels": {"app.kubernetes.io/instance": "postgres", "app.kubernetes.io/name": "postgres"}, "name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "50Gi"}}, "storageClassName": "fast"},
        }
    ]
    assert "storageClassName" not in stateful_set(spec())["spec"]["volumeClaimTemplates"][0]["spec"], "the cluster's default class"


def test_options_that_may_change_leave_identity_alone():
    def identity(**options: Any) -> dict[str, Any]:
        made = stateful_set(spec(**options))["spec"]
        return {key: made[key] for key in ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")}

    assert identity(instances=5, image=OFFICIAL, resources=Resources(cpu_limit="4"), parameters={"work_mem": "8MB"}, monitoring=None) == identity()


def test_pods_carry_the_selector_and_patronis_scope_but_no_role():
    made = stateful_set(spec())["spec"]
    labels = made["template"]["metadata"]["labels"]
    assert labels.items() >= made["selector"]["matchLabels"].items()
    assert labels["patroni-scope"] == "postgres-patroni"
    assert "role" not in labels, "only Patroni says who is primary"


# --- the pod ----------------------------------------------------------------------------------------------------------


def test_pod():
    made = pod(priority_class_name="sos-app-high")
    assert [c["name"] for c in made["initContainers"]] == ["render"]
    assert [c["name"] for c in made["containers"]] == ["postgres", "postgres-exporter", "agent"], "the first is kubectl's default"
    assert made["priorityClassName"] == "sos-app-high"
    assert made["serviceAccountName"] == "postgres"
    assert made["enableServiceLinks"] is False, "a Service called postgres would set POSTGRES_PORT to an address"
    assert made["terminationGracePeriodSeconds"] >= 300
    assert made["securityContext"] == {
        "fsGroup": 103,
        "fsGroupChangePolicy": "OnRootMismatch",
        "runAsGroup": 103,
        "runAsNonRoot": True,
        "runAsUser": 101,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert "priorityClassName" not in pod()


def test_it_schedules_on_one_node():
    made = pod()
    assert made["affinity"]["podAntiAffinity"].keys() == {"preferredDuringSchedulingIgnoredDuringExecution"}
    (term,) = made["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    (spread,) = made["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("topology.kubernetes.io/zone", "ScheduleAnyway")


def test_the_token_is_mounted_for_patroni_and_the_agent_alone():
    assert pod()["automountServiceAccountToken"] is False
    assert [name for name, c in containers().items() if any(m["name"] == "token" for m in c["volumeMounts"])] == ["postgres", "agent"]


def test_passwords_are_mounted_for_the_agent_alone_and_never_in_the_environment():
    assert sorted(name for name, c in containers().items() if any(m["name"] == "credentials" for m in c["volumeMounts"])) == ["agent", "render"]
    for container in containers().values():
        assert not any("secretKeyRef" in env.get("valueFrom", {}) for env in container.get("env", []))
        assert "envFrom" not in container


def test_mounts_and_volumes_match():
    made = pod()
    volumes = {volume["name"] for volume in made["volumes"]} | {"data"}
    assert len(volumes) == len(made["volumes"]) + 1
    used = {mount["name"] for c in containers().values() for mount in c["volumeMounts"]}
    assert used == volumes
    for container in containers().values():
        paths = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert len(paths) == len(set(paths))


def test_only_what_must_be_written_is_writable():
    writable = {name: {m["name"] for m in c["volumeMounts"] if not m.get("readOnly")} for name, c in containers().items()}
    assert writable == {
        "postgres": {"data", "runtime", "shm", "socket", "tmp"},
        "postgres-exporter": set(),
        "agent": {"data", "runtime", "socket"},
        "render": {"data", "runtime", "socket"},
    }
    assert all(c["securityContext"]["readOnlyRootFilesystem"] for c in containers().values())
    for name in ("agent", "render"):
        assert [m["subPath"] for m in containers()[name]["volumeMounts"] if m["name"] == "data"] == ["agent"], "it must not reach PostgreSQL's own files"


def test_passwords_rest_in_memory_only():
    """Rendered configuration and /dev/shm; the kubelet keeps Secret volumes in memory by itself."""
    volumes = {volume["name"]: volume for volume in pod(shared_memory="512Mi")["volumes"]}
    assert volumes["runtime"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Mi"}
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "512Mi"}
    mounts = {mount["mountPath"]: mount["name"] for mount in containers()["postgres"]["volumeMounts"]}
    assert mounts["/dev/shm"] == "shm"


def test_data_is_a_folder_below_the_volume():
    """Patroni renames it, and a fresh file system has lost+found."""
    mounts = {mount["name"]: mount["mountPath"] for mount in containers()["postgres"]["volumeMounts"]}
    assert n.DATA_DIR.startswith(mounts["data"] + "/")


def test_patroni_runs_under_a_first_process_that_speaks_json():
    """It hands signals on, so that Patroni hands over cleanly; its code is the agent's, and PostgreSQL's log goes where it reads."""
    container = containers()["postgres"]
    assert container["command"] == ["python3", "-m", "agent.entry", "patroni", "/run/sos/patroni.yml"]
    assert {"name": "PYTHONPATH", "value": "/opt/sos"} in container["env"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert (mounts["/opt/sos/agent"]["name"], mounts["/opt/sos/agent"]["readOnly"]) == ("agent", True)
    values = {setting.name: setting.value for group in tuning.settings(spec()).values() for setting in group}
    assert values["log_directory"] == str(entry.PIPES)
    assert mounts[str(entry.PIPES.parent)]["name"] == "tmp"
    assert values["log_filename"] == entry.TEXT_PIPE
    assert (values["logging_collector"], values["log_destination"]) == ("on", "jsonlog")


def test_profiles_decide_image_and_user():
    profile = ImageProfile(image="registry.example/pg:15.8", uid=26, gid=27)
    made = pod(image=profile)
    assert (made["securityContext"]["runAsUser"], made["securityContext"]["runAsGroup"], made["securityContext"]["fsGroup"]) == (26, 27, 27)
    assert {c["image"] for name, c in containers(image=profile).items() if name != "postgres-exporter"} == {"registry.example/pg:15.8"}


def test_requests_and_limits_of_the_requirement():
    assert containers()["postgres"]["resources"] == {"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}
    assert containers()["postgres-exporter"]["resources"] == {"limits": {"cpu": "200m", "memory": "256Mi"}, "requests": {"cpu": "50m", "memory": "64Mi"}}


def test_the_agent_gets_what_it_asks_for():
    """Every variable that __main__ reads is set, for both verbs."""
    import ast
    from pathlib import Path

    from sos_constructs.postgres import agent

    tree = ast.parse((Path(agent.__file__).parent / "__main__.py").read_text())
    wanted = {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ" and isinstance(node.slice, ast.Constant)
    }
    assert wanted
    for name, verb in (("render", "render"), ("agent", "run")):
        container = containers()[name]
        assert container["command"] == ["python3", "-m", "agent", verb]
        variables = {env["name"]: env for env in container["env"]}
        assert wanted <= variables.keys()
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {variables[f"SOS_{what}_DIR"]["value"] for what in ("CONFIG", "CREDENTIALS", "RUNTIME", "SOCKET")} <= mounts
        assert variables["PYTHONPATH"]["value"] + "/agent" in mounts


# --- probes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ttl", "loop_wait", "retry"), [(20, 3, 5), (30, 10, 10), (60, 2, 3)])
def test_probes_follow_the_timing(ttl: int, loop_wait: int, retry: int):
    timing = PatroniTiming(ttl=timedelta(seconds=ttl), loop_wait=timedelta(seconds=loop_wait), retry_timeout=timedelta(seconds=retry))
    made = containers(timing=timing)["postgres"]
    paths = {kind: made[kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/liveness", "livenessProbe": "/liveness", "readinessProbe": "/readiness"}
    patience = {kind: made[kind]["failureThreshold"] * made[kind]["periodSeconds"] for kind in paths}
    assert ttl <= patience["readinessProbe"] < ttl + loop_wait, "out of the Services when the lock expires, not before"
    assert patience["livenessProbe"] >= 3 * ttl, "a member that only lost the API server is not killed"
    assert patience["startupProbe"] >= patience["livenessProbe"]
    assert all(made[kind]["timeoutSeconds"] <= max(2, made[kind]["periodSeconds"]) for kind in paths)


def test_sidecars_can_never_take_the_database_out_of_its_services():
    for name in ("agent", "postgres-exporter"):
        assert "readinessProbe" not in containers()[name]
        assert "livenessProbe" in containers()[name]


def test_the_agent_rolls_and_not_the_controller():
    """A rolling update goes by ordinal: it may move the primary twice."""
    assert stateful_set(spec())["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_before_it_stops_the_postgres_container_asks_the_agents_code_whether_it_may():
    made = containers()["postgres"]
    *_, script = made["lifecycle"]["preStop"]["exec"]["command"]
    assert script == "cd /opt/sos && exec python3 -B -m agent leave /run/sos/patroni.yml"
    mounts = {mount["mountPath"] for mount in made["volumeMounts"]}
    assert {"/opt/sos/agent", "/run/sos", "/var/run/secrets/kubernetes.io/serviceaccount"} <= mounts


# --- restarts ---------------------------------------------------------------------------------------------------------


def checksum(**options: Any) -> str:
    made: Spec = spec(**options)
    found: str = stateful_set(made)["spec"]["template"]["metadata"]["annotations"]["sos-constructs/restart-checksum"]
    assert found == restart_checksum(made)
    return found


def sample(name: str) -> str | None:
    """A value that differs from ours and that the setting takes."""
    row = catalogue()[name]
    if row["type"] == "bool":
        return "off" if spec_values().get(name) == "on" else "on"
    if row["type"] == "enum":
        usable = [word for word in row["enum"] if word not in (spec_values().get(name), "minimal")]
        return usable[0] if usable else None
    if row["type"] == "string":
        return "something"
    low = max(row["min"], LEAST.get(name, row["min"]))
    value = str(min(low + 11, row["max"]))
    assert value != spec_values().get(name), name
    return value


def spec_values() -> dict[str, str]:
    from sos_constructs.postgres import tuning

    return {s.name: s.value for rows in tuning.settings(spec()).values() for s in rows}


SETTABLE = {name: value for name in sorted(catalogue()) if name not in OWNED and not name.startswith("recovery_target") and (value := sample(name)) is not None}


def rolls(name: str) -> bool:
    """The agent restarts PostgreSQL in place for what all members share: rolled pods would stop each other."""
    return catalogue()[name]["context"] == "postmaster" and name not in SHARED


def test_a_changed_setting_restarts_if_and_only_if_postgresql_must():
    before = checksum()
    assert len(SETTABLE) > 280
    for name, value in SETTABLE.items():
        changed = checksum(parameters={name: value}) != before
        assert changed == rolls(name), name


@examples(40)
@given(st.dictionaries(st.sampled_from(sorted(SETTABLE)), st.just(0), max_size=4))
def test_several_changed_settings(picked: dict[str, int]):
    parameters = {name: SETTABLE[name] for name in picked}
    assert (checksum(parameters=parameters) != checksum()) == any(map(rolls, parameters))


@pytest.mark.parametrize(
    "options",
    [
        {"instances": 5},
        {"databases": (Database(name="auth", sql="SELECT 1"),)},
        {"timing": PatroniTiming(ttl=timedelta(seconds=30))},
        {"synchronous_mode": "on"},
        {"synchronous_mode_strict": True},
        {"monitoring": None},
        {"monitoring": PrometheusOperator(labels={"a": "b"})},
        {"parameters": {"pg_stat_statements.track": "all"}},
    ],
)
def test_what_a_running_member_takes_over(options: dict[str, Any]):
    assert checksum(**options) == checksum()


@pytest.mark.parametrize("options", [{"resources": Resources(memory_limit="8Gi")}, {"image": OFFICIAL}, {"name": "orders"}])
def test_what_needs_new_pods(options: dict[str, Any]):
    """Memory changes shared_buffers; another user is in the passwd file, which is mounted by subPath and never updated."""
    assert checksum(**options) != checksum()


def test_changed_exporter_queries_need_new_pods(monkeypatch: pytest.MonkeyPatch):
    """The exporter reads its file once."""
    before = checksum()
    monkeypatch.setattr(monitoring, "queries", lambda: "other")
    monkeypatch.setattr("sos_constructs.postgres.statefulset.queries", lambda: "other")
    assert checksum() != before


def test_a_changed_agent_needs_none(monkeypatch: pytest.MonkeyPatch):
    """It sees its new code and starts itself anew."""
    before = stateful_set(spec())
    monkeypatch.setattr("sos_constructs.postgres.configmaps.agent", lambda _spec: {})
    assert stateful_set(spec()) == before
