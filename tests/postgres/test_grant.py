"""One call gives a workload environment, CA and network access, whichever way the workload was written."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from sos_constructs import Clients, Database, HaPostgres, Pooler, ServerCa, SosNamespace
from sos_constructs.emit import emit
from sos_constructs.foundation import EGRESS_LABEL, EGRESS_RESTRICTED
from sos_constructs.pod_security.standard import violations
from sos_constructs.postgres.grants.network import Client, policy_name, server
from sos_constructs.review.graph import build
from sos_constructs.workloads import POD

import cdk8s
import cdk8s_plus_27 as kplus
import jsii
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Golden
from tests.generated import examples
from tests.policy.test_schemas import Validate, validate
from tests.postgres.example import spec
from tests.postgres.scenarios import install
from tests.review.examples import manifests

__all__ = ["validate"]  # the fixture

KINDS = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"]
LABELS = {"app": "api", "app.kubernetes.io/version": "1.2"}

# --- workloads, in both forms -----------------------------------------------------------------------------------------


def plain(kind: str, *, name: str = "api", containers: list[dict[str, Any]] | None = None, labels: dict[str, str] = LABELS, **pod: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"image": "api:1", "name": "main"}] if containers is None else containers, **pod}}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": {"labels": labels, "name": name}, "spec": template["spec"]}
    spec: dict[str, Any] = {"template": template}
    if kind in ("Job", "CronJob"):
        template["spec"]["restartPolicy"] = "Never"
    else:
        spec["selector"] = {"matchLabels": {"app": labels.get("app", "api")}}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}, "schedule": "0 3 * * *"}
    return {"apiVersion": "batch/v1" if kind.endswith("Job") else "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def plus(chart: cdk8s.Chart, kind: str, id: str = "api", **options: Any) -> kplus.AbstractPod:
    options = {"containers": [kplus.ContainerProps(name="main", image="api:1")], "metadata": {"name": id}} | options
    if kind == "CronJob":
        options["schedule"] = cdk8s.Cron.daily()
    if kind == "StatefulSet":
        options["service"] = kplus.Service(chart, f"{id}-service", ports=[kplus.ServicePort(port=80)])
    made: kplus.AbstractPod = getattr(kplus, kind)(chart, id, **options)
    return made


def granted(form: str, kind: str, *calls: dict[str, Any], **options: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The workload as written to YAML after the calls, and the policies that it brought."""
    chart, db = install({"allow_from": ()} | options)
    workload: Any = plain(kind) if form == "plain" else plus(chart, kind)
    for call in calls:
        workload = db.grant(workload, **call)
    if form == "plain":
        emit(chart, workload)
    made = cdk8s.Testing.synth(chart)
    (written,) = [m for m in made if m["kind"] == kind and m["metadata"]["name"] == "api"]
    return written, [m for m in made if m["kind"] == "NetworkPolicy" and "." in m["metadata"]["name"]]


def pod(workload: dict[str, Any]) -> Any:
    found: Any = workload
    for field in POD[workload["kind"]]:
        found = found[field]
    return found


def labels(workload: dict[str, Any]) -> dict[str, str]:
    found: Any = workload
    for field in POD[workload["kind"]][:-1]:
        found = found[field]
    carried: dict[str, str] = found["metadata"]["labels"]
    return carried


FORMS = pytest.mark.parametrize("form", ["plain", "plus"])


# --- environment and CA -----------------------------------------------------------------------------------------------


@FORMS
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gets_what_the_handles_say(form: str, kind: str, validate: Validate):
    workload, policies = granted(form, kind, {"database": "auth"})
    _, db = install({})
    assert db.ca
    (container,) = pod(workload)["containers"]
    assert container["env"] == db.database("auth").libpq_env()
    assert container["volumeMounts"] == [db.ca.mount()]
    assert pod(workload)["volumes"] == [db.ca.volume()]
    for manifest in (workload, *policies):
        validate(manifest, "1.27")
        validate(manifest, "1.37")


@FORMS
def test_the_handles_options(form: str):
    options: dict[str, Any] = {"database": "auth", "readonly": True, "dsn": "AUTH_URL"}
    workload, _ = granted(form, "Deployment", options)
    assert pod(workload)["containers"][0]["env"] == install({})[1].database("auth").dsn_env("AUTH_URL", readonly=True)


@FORMS
def test_through_the_pooler_it_verifies_the_pooler(form: str):
    workload, _ = granted(form, "Deployment", {"database": "auth", "pooled": True}, pooler=Pooler())
    handle = install({"pooler": Pooler()})[1].database("auth").pooled
    assert handle.ca is not None
    assert pod(workload)["containers"][0]["env"] == handle.libpq_env()
    assert [volume["secret"]["secretName"] for volume in pod(workload)["volumes"]] == ["postgres-pooler-tls"]
    assert [mount["mountPath"] for mount in pod(workload)["containers"][0]["volumeMounts"]] == [handle.ca.mount_dir]


@FORMS
def test_without_tls_there_is_no_ca(form: str):
    workload, _ = granted(form, "Deployment", {"database": "auth"}, tls=None)
    assert "volumes" not in pod(workload)


@FORMS
def test_one_database_needs_no_name(form: str):
    workload, _ = granted(form, "Deployment", {}, databases=[Database(name="auth")])
    assert {"name": "PGDATABASE", "value": "auth"} in pod(workload)["containers"][0]["env"]


@FORMS
@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_twice_is_once(form: str, kind: str):
    call = {"database": "auth"}
    assert granted(form, kind, call, call) == granted(form, kind, call)


@FORMS
def test_two_databases_and_a_reader_in_one_container(form: str):
    """Under names of their own; user and password, which two of them share, stand there once."""
    calls: list[dict[str, Any]] = [
        {"database": "auth", "dsn": "AUTH_URL"},
        {"database": "auth", "dsn": "AUTH_READS_URL", "readonly": True},
        {"database": "users", "dsn": "USERS_URL"},
    ]
    workload, policies = granted(form, "Deployment", *calls)
    names = [entry["name"] for entry in pod(workload)["containers"][0]["env"]]
    assert names == ["AUTH_DB_USERNAME", "AUTH_DB_PASSWORD", "AUTH_URL", "AUTH_READS_URL", "USERS_DB_USERNAME", "USERS_DB_PASSWORD", "USERS_URL"]
    assert len(pod(workload)["volumes"]) == len(pod(workload)["containers"][0]["volumeMounts"]) == len(policies) == 1


@FORMS
@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_under_pod_security_restricted(form: str, kind: str):
    workload, _ = granted(form, kind, {"database": "auth"})
    assert violations({}, pod(workload), "restricted") == []
    workload, _ = granted(form, kind, {"database": "auth", "restricted": False})
    assert violations({}, pod(workload), "restricted")


def test_a_manifest_is_not_changed():
    _, db = install({})
    before = plain("Deployment", containers=[{"name": "main", "env": [{"name": "A", "value": "1"}]}])
    kept = copy.deepcopy(before)
    made = db.grant(before, database="auth")
    assert before == kept
    assert made != before
    pod(made)["containers"][0]["env"][0]["value"] = "2"
    assert before == kept


def test_a_workload_of_cdk8s_plus_is_changed():
    chart, db = install({})
    workload = plus(chart, "Deployment")
    assert db.grant(workload, database="auth") is workload


@pytest.mark.parametrize(("named", "with_access"), [(None, {"main", "side"}), (["side"], {"side"}), (["main", "migrate"], {"main", "migrate"})])
def test_which_containers(named: list[str] | None, with_access: set[str]):
    workload = plain("Deployment", containers=[{"name": "main"}, {"name": "side"}], initContainers=[{"name": "migrate"}])
    chart, db = install({})
    made = pod(db.grant(workload, database="auth", containers=named))
    assert {c["name"] for c in (*made["containers"], *made["initContainers"]) if "env" in c and "volumeMounts" in c} == with_access
    other = plus(chart, "Deployment", containers=[kplus.ContainerProps(name=n, image="x", port_number=p) for n, p in (("main", 1), ("side", 2))])
    other.add_init_container(name="migrate", image="x")
    db.grant(other, database="auth", containers=named)
    made = next(pod(m) for m in cdk8s.Testing.synth(chart) if m["kind"] == "Deployment")
    assert {c["name"] for c in (*made["containers"], *made["initContainers"]) if "env" in c and "volumeMounts" in c} == with_access


def test_what_was_written_by_hand_with_the_handles_stays():
    _, db = install({})
    assert db.ca
    by_hand = plain(
        "Deployment", containers=[{"name": "main", "env": db.database("auth").libpq_env(), "volumeMounts": [db.ca.mount()]}], volumes=[db.ca.volume()]
    )
    assert db.grant(by_hand, database="auth", restricted=False) == by_hand


def test_workloads_of_cdk8s_plus_share_the_volume():
    chart, db = install({})
    for id in ("one", "two"):
        db.grant(plus(chart, "Deployment", id), database="auth")
    found = [pod(m)["volumes"] for m in cdk8s.Testing.synth(chart) if m["kind"] == "Deployment"]
    assert found == [[db.ca.volume()]] * 2  # type: ignore[union-attr]


GIVEN = ("env", "volumeMounts", "securityContext")
names = st.sampled_from(["main", "side", "migrate"])
entries = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from(["A", "B", "TZ"]), "value": st.sampled_from(["", "1"])}), max_size=2, unique_by=lambda e: e["name"]
)
containers = st.lists(
    st.fixed_dictionaries(
        {"name": names},
        optional={"env": entries, "volumeMounts": st.just([{"mountPath": "/tmp", "name": "tmp"}]), "image": st.just("x")},
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda each: str(each["name"]),
)


@examples(60)
@given(st.sampled_from(KINDS), containers, st.none() | st.just([{"name": "tmp", "emptyDir": {}}]), st.none() | st.sampled_from(["URL", "DB"]), st.booleans())
def test_any_manifest(kind: str, containers: list[dict[str, Any]], volumes: list[Any] | None, dsn: str | None, readonly: bool):
    """Adds and takes nothing away; once more changes nothing; nothing stands twice."""
    more: dict[str, Any] = {} if volumes is None else {"volumes": volumes}
    before = plain(kind, containers=containers, **more)
    kept = copy.deepcopy(before)
    made = PLAIN.grant(before, database="auth", dsn=dsn, readonly=readonly)
    assert before == kept
    assert PLAIN.grant(made, database="auth", dsn=dsn, readonly=readonly) == made
    assert {k: v for k, v in made.items() if k != "spec"} == {k: v for k, v in before.items() if k != "spec"}
    for old, new in zip(pod(before)["containers"], pod(made)["containers"], strict=True):
        assert {k: v for k, v in new.items() if k not in GIVEN} == {k: v for k, v in old.items() if k not in GIVEN}
        assert new["env"][: len(old.get("env", []))] == old.get("env", [])
        assert new["volumeMounts"][:-1] == old.get("volumeMounts", [])
        assert len({entry["name"] for entry in new["env"]}) == len(new["env"])
    assert pod(made)["volumes"][:-1] == (volumes or [])


PLAIN = install({})[1]


# --- network ----------------------------------------------------------------------------------------------------------

MEMBERS = {"app.kubernetes.io/instance": "postgres", "app.kubernetes.io/name": "postgres"}
POOLER = {"app.kubernetes.io/instance": "postgres", "app.kubernetes.io/name": "pgbouncer"}


@FORMS
@pytest.mark.parametrize("kind", KINDS)
def test_its_pods_and_no_others_are_let_in(form: str, kind: str):
    workload, (policy,) = granted(form, kind, {"database": "auth"})
    assert policy["metadata"]["name"] == f"postgres.ingress.{kind.lower()}.api"
    assert policy["spec"]["podSelector"] == {"matchLabels": MEMBERS}
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    (rule,) = policy["spec"]["ingress"]
    assert rule["ports"] == [{"port": 5432, "protocol": "TCP"}]
    (peer,) = rule["from"]
    assert peer.keys() == {"podSelector"}, "in the namespace of the database"
    selector = peer["podSelector"]["matchLabels"]
    assert selector == ({"app": "api"} if form == "plain" else {"cdk8s.io/metadata.addr": labels(workload)["cdk8s.io/metadata.addr"]})
    assert selector.items() <= labels(workload).items()


def test_a_release_does_not_shut_out_the_pods_that_it_has_yet_to_replace():
    """Labels that say the version are in no policy, also where the workload has no selector."""
    _, db = install({"allow_from": ()})
    job = plain("CronJob", labels={"app": "x", "app.kubernetes.io/version": "1", "helm.sh/chart": "x-1"})
    db.grant(job, database="auth")
    policy = db.objects["NetworkPolicy", "postgres.ingress.cronjob.api"].to_json()
    assert policy["spec"]["ingress"][0]["from"] == [{"podSelector": {"matchLabels": {"app": "x"}}}]


def test_expressions_of_a_selector_are_kept():
    _, db = install({"allow_from": ()})
    workload = plain("Deployment")
    workload["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["api"]}]}
    db.grant(workload, database="auth")
    (rule,) = db.objects["NetworkPolicy", "postgres.ingress.deployment.api"].to_json()["spec"]["ingress"]
    assert rule["from"] == [{"podSelector": workload["spec"]["selector"]}]


@FORMS
@pytest.mark.parametrize("allow_from", [(Clients(),), (Clients(), Clients(pods={"app": "x"}))])
def test_where_every_pod_may_connect_no_policy_is_needed(form: str, allow_from: tuple[Clients, ...]):
    assert granted(form, "Deployment", {"database": "auth"}, allow_from=allow_from)[1] == []


@FORMS
def test_beside_others_who_are_named(form: str):
    _, policies = granted(form, "Deployment", {"database": "auth"}, allow_from=(Clients(pods={"app": "other"}),))
    assert [m["metadata"]["name"] for m in policies] == ["postgres.ingress.deployment.api"]


@FORMS
def test_through_the_pooler_only_the_pooler_lets_it_in(form: str):
    """Both of its sides by one policy, however many of them are used."""
    call: dict[str, Any] = {"database": "auth", "pooled": True}
    _, (policy,) = granted(form, "Deployment", call | {"dsn": "URL"}, call | {"dsn": "READS_URL", "readonly": True}, pooler=Pooler())
    assert policy["metadata"]["name"] == "postgres-pooler.ingress.deployment.api"
    assert policy["spec"]["podSelector"] == {"matchLabels": POOLER}
    assert [port["port"] for port in policy["spec"]["ingress"][0]["ports"]] == [6432, 6433]


@FORMS
def test_a_pooler_without_a_readonly_side_leaves_readers_to_the_members(form: str):
    call = {"database": "auth", "pooled": True, "readonly": True}
    workload, (policy,) = granted(form, "Deployment", call, pooler=Pooler(readonly=False))
    assert policy["spec"]["podSelector"] == {"matchLabels": MEMBERS}
    assert {"name": "PGHOST", "value": "postgres-readonly-service"} in pod(workload)["containers"][0]["env"]
    _, (other,) = granted(form, "Deployment", call | {"readonly": False}, pooler=Pooler(readonly=False))
    assert [port["port"] for port in other["spec"]["ingress"][0]["ports"]] == [6432]


def test_the_policies_are_among_the_objects():
    chart, db = install({"allow_from": ()})
    db.grant(plus(chart, "Job"), database="auth")
    db.objects["NetworkPolicy", "postgres.ingress.job.api"].add_json_patch(cdk8s.JsonPatch.add("/metadata/annotations", {"a": "b"}))
    assert {"a": "b"} in [m["metadata"].get("annotations") for m in cdk8s.Testing.synth(chart)]


def test_names_of_policies_are_names_and_never_meet():
    to = server(spec(), pooled=False, readonly=False)

    def name(kind: str, workload: str) -> str:
        return policy_name(to, "ingress", Client(kind=kind, name=workload, namespace=None, selector={}, labels={}))

    assert name("Pod", "a.b") == "postgres.ingress.pod.a.b"
    long = [name("Pod", "x" * 230 + tail) for tail in ("", ".-y", "z" * 23)]
    assert len(set(long)) == 3
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", each) and len(each) <= 253 and "..-" not in each for each in long)


def test_the_picture_shows_who_was_granted():
    """The lines of ``sosctl graph`` lead from the granted workload to the members, and from a restricted one to them as a target."""
    chart, db = install({"allow_from": ()})
    emit(chart, db.grant(plain("Deployment"), database="auth", egress=True))
    db.grant(plus(chart, "CronJob", "report"), database="auth", readonly=True)
    graph = build(manifests(*cdk8s.Testing.synth(chart)))
    titles = {node.id: node.title for node in graph.nodes}
    found = {(titles[edge.source], titles[edge.target], edge.label) for edge in graph.edges if edge.traffic}
    assert ("pods of Deployment api", "postgres", "5432") in found
    assert ("pods of CronJob report", "postgres", "5432") in found
    assert ("api", "pods of StatefulSet postgres", "5432") in found


# --- egress -----------------------------------------------------------------------------------------------------------

RESTRICTED = LABELS | {EGRESS_LABEL: EGRESS_RESTRICTED}


def restricted_by_label(chart: cdk8s.Chart, form: str) -> Any:
    if form == "plain":
        return plain("Deployment", labels=RESTRICTED)
    return plus(chart, "Deployment", pod_metadata=cdk8s.ApiObjectMetadata(labels={EGRESS_LABEL: EGRESS_RESTRICTED}))


@FORMS
@pytest.mark.parametrize("how", ["label", "namespace", "option"])
def test_restricted_pods_are_let_out(form: str, how: str):
    chart, db = install({})
    if how == "namespace":
        SosNamespace(chart, "foundation", deny_egress=True)
    workload: Any = restricted_by_label(chart, form) if how == "label" else plain("Deployment") if form == "plain" else plus(chart, "Deployment")
    made = db.grant(workload, database="auth", egress=how == "option")
    if form == "plain":
        emit(chart, made)
    (policy,) = [m for m in cdk8s.Testing.synth(chart) if "." in m["metadata"]["name"] and m["kind"] == "NetworkPolicy"]
    assert policy["metadata"]["name"] == "postgres.egress.deployment.api"
    assert policy["spec"]["policyTypes"] == ["Egress"]
    assert policy["spec"]["egress"] == [{"ports": [{"port": 5432, "protocol": "TCP"}], "to": [{"podSelector": {"matchLabels": MEMBERS}}]}]


@FORMS
@pytest.mark.parametrize("foundation", [{}, {"deny_egress": False}])
def test_pods_that_nothing_restricts_stay_so(form: str, foundation: dict[str, Any]):
    """An egress policy would be the first restriction of theirs."""
    chart, db = install({})
    SosNamespace(chart, "foundation", **foundation)
    db.grant(plain("Deployment") if form == "plain" else plus(chart, "Deployment"), database="auth")
    assert [m for m in cdk8s.Testing.synth(chart) if "." in m["metadata"]["name"]] == []


def test_the_namespaces_of_others_do_not_matter():
    chart, db = install({})
    SosNamespace(cdk8s.Chart(chart.node.root, "other", namespace="other"), "foundation", name="other", deny_egress=True)  # type: ignore[arg-type]
    db.grant(plain("Deployment"), database="auth")
    assert not [name for _, name in db.objects if "." in name]


CUT = (
    "sos-app/postgres: workload='Deployment/api' is kept from postgres by the NetworkPolicies {}, which restrict what its pods call; grant it with egress=True"
)


def test_a_label_that_comes_later_is_noticed_at_synth():
    chart, db = install({})
    SosNamespace(chart, "foundation")
    workload = plus(chart, "Deployment")
    db.grant(workload, database="auth")
    assert cdk8s.Testing.synth(chart)
    workload.pod_metadata.add_label(EGRESS_LABEL, EGRESS_RESTRICTED)
    with pytest.raises(Exception, match=re.escape(CUT.format("allow-dns-egress"))):
        cdk8s.Testing.synth(chart)
    db.grant(workload, database="auth")
    assert cdk8s.Testing.synth(chart)


def test_a_namespace_that_comes_later_is_noticed_at_synth():
    chart, db = install({})
    emit(chart, db.grant(plain("Deployment"), database="auth"))
    SosNamespace(chart, "foundation", deny_egress=True)
    with pytest.raises(Exception, match=re.escape(CUT.format("allow-dns-egress"))):
        cdk8s.Testing.synth(chart)


def test_isolated_pods_are_noticed_at_synth():
    chart, db = install({})
    workload = plus(chart, "Deployment", isolate=True)
    db.grant(workload, database="auth")
    with pytest.raises(Exception, match="restrict what its pods call"):
        cdk8s.Testing.synth(chart)
    db.grant(workload, database="auth", egress=True)
    assert cdk8s.Testing.synth(chart)


@pytest.mark.parametrize(
    ("rule", "reaches"),
    [
        ({}, True),
        ({"to": [{"podSelector": {}}]}, True),
        ({"to": [{"podSelector": {"matchLabels": MEMBERS}}], "ports": [{"port": 5432}]}, True),
        ({"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 5000, "endPort": 6000}]}, True),
        ({"ports": [{"port": "postgres"}]}, True),
        ({"to": [{"podSelector": {"matchLabels": POOLER}}]}, False),
        ({"ports": [{"port": 443}, {"port": 5432, "protocol": "UDP"}]}, False),
        ({"to": [{"podSelector": {"matchLabels": MEMBERS}}], "ports": [{"port": 5000, "endPort": 5431}]}, False),
    ],
)
def test_policies_of_ones_own(rule: dict[str, Any], reaches: bool):
    chart, db = install({})
    own = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "own"}}
    emit(chart, own | {"spec": {"egress": [rule], "podSelector": {"matchLabels": {"app": "api"}}}})
    db.grant(plain("Deployment"), database="auth")
    if reaches:
        assert cdk8s.Testing.synth(chart)
    else:
        with pytest.raises(Exception, match=re.escape(CUT.format("own"))):
            cdk8s.Testing.synth(chart)


# --- bad input --------------------------------------------------------------------------------------------------------

MAIN = {"name": "main", "image": "x"}


@pytest.mark.parametrize(
    ("workload", "call", "message"),
    [
        (plain("Deployment"), {}, "database=None must name one of auth, users, emergency, medical, devices"),
        (plain("Deployment"), {"database": "aut"}, "database='aut' is not declared (did you mean 'auth'?)"),
        (plain("Deployment"), {"pooled": True}, "pooled='auth' has no pooler; make HaPostgres with pooler=Pooler()"),
        (plain("Deployment"), {"dsn": "DATABASE-URL"}, "dsn='DATABASE-URL' must be the name of an environment variable, such as 'DATABASE_URL'"),
        (plain("Deployment"), {"dsn": "AUTH_DB_PASSWORD"}, "dsn='AUTH_DB_PASSWORD' is the variable that the URI takes a part from; choose another name"),
        (plain("Deployment"), {"containers": "main"}, "containers='main' must be a list of text or None; put it into a list: ['main']"),
        (plain("Deployment"), {"containers": []}, "containers=() must name at least one; there are main"),
        (plain("Deployment"), {"containers": ["mein"]}, "containers='mein' is no container of Deployment/api (did you mean 'main'?); there are main"),
        ("api", {}, "workload='api' must be a manifest (a dict, not yet emitted), or a Deployment"),
        (
            {"kind": "Service", "metadata": {"name": "a"}},
            {},
            "workload='Service' is no workload; there are CronJob, DaemonSet, Deployment, Job, Pod, StatefulSet",
        ),
        (plain("Deployment") | {"metadata": {}}, {}, "workload='Deployment' must have metadata.name"),
        (plain("CronJob", containers=[]), {}, "workload='CronJob/api' must have containers at spec.jobTemplate.spec.template.spec.containers"),
        ({"kind": "Pod", "metadata": {"name": "api"}}, {}, "workload='Pod/api' must have containers at spec.containers"),
        (plain("Job", labels={"helm.sh/chart": "x"}), {}, "workload='Job/api' must have a label on its pods"),
        (
            plain("Pod") | {"metadata": {"name": "api", "namespace": "reporting", "labels": LABELS}},
            {},
            "workload='Pod/api' is in namespace 'reporting', where pods cannot have the database's Secrets; put it into 'sos-app'",
        ),
        (
            plain("Deployment", containers=[MAIN | {"env": [{"name": "PGHOST", "value": "other"}]}]),
            {},
            "workload='Deployment/api' has PGHOST with another value in container 'main'; take it out there, or ask for a URI under a name of its own",
        ),
        (
            plain("Deployment", containers=[MAIN | {"volumeMounts": [{"mountPath": "/etc/sos/postgres-ca", "name": "x"}]}]),
            {},
            "workload='Deployment/api' has something else at volumeMounts /etc/sos/postgres-ca, where the CA of Secret 'postgres-tls' goes",
        ),
        (
            plain("Deployment", volumes=[{"name": "postgres-ca", "emptyDir": {}}]),
            {},
            "workload='Deployment/api' has something else at volumes postgres-ca, where the CA of Secret 'postgres-tls' goes",
        ),
        (
            plain("Deployment", containers=[MAIN | {"env": [{"name": "OTHER_URL", "value": "postgresql://a@b/c?sslmode=require"}]}]),
            {},
            "workload='Deployment/api' has PGSSLROOTCERT in container 'main', which libpq would also apply to OTHER_URL; give each database",
        ),
    ],
)
def test_bad_input(workload: Any, call: dict[str, Any], message: str):
    chart, db = install({"allow_from": ()})
    before = len(db.objects)
    arguments: dict[str, Any] = ({} if message.startswith("database=None") else {"database": "auth"}) | call
    with pytest.raises(ValueError, match=re.escape(f"sos-app/postgres: {message}")):
        db.grant(workload, **arguments)
    assert len(db.objects) == before, "an error leaves nothing behind"
    assert cdk8s.Testing.synth(chart)


def test_a_single_instance_has_no_replica_to_read_from():
    _, db = install({"instances": 1})
    with pytest.raises(ValueError, match=re.escape("sos-app/postgres: readonly=True needs instances=2 or more")):
        db.grant(plain("Deployment"), database="auth", readonly=True)


def test_no_database_at_all():
    _, db = install({"databases": ()})
    with pytest.raises(ValueError, match=re.escape("sos-app/postgres: database=None has nothing to name: give HaPostgres databases=[Database(…)]")):
        db.grant(plain("Deployment"))


@pytest.mark.parametrize(
    ("change", "call", "message"),
    [
        (lambda w, chart: w.containers[0].env.add_variable("PGHOST", kplus.EnvValue.from_value("x")), {}, "has PGHOST with another value in container 'main'"),
        (lambda w, chart: w.containers[0].env.add_variable("PGUSER", kplus.EnvValue.from_value("x")), {}, "has PGUSER with another value in container 'main'"),
        (
            lambda w, chart: w.containers[0].mount("/etc/sos/postgres-ca", kplus.Volume.from_empty_dir(chart, "v", "x")),
            {},
            "has something else at volumeMounts /etc/sos/postgres-ca",
        ),
        (lambda w, chart: w.add_volume(kplus.Volume.from_empty_dir(chart, "v", "postgres-ca")), {}, "has something else at volumes postgres-ca"),
        (
            lambda w, chart: w.containers[0].env.add_variable("OTHER_URL", kplus.EnvValue.from_value("postgres://a@b/c")),
            {},
            "has PGSSLMODE in container 'main', which libpq would also apply to OTHER_URL",
        ),
        (lambda w, chart: None, {"containers": ["mein"]}, "is no container of Deployment/api (did you mean 'main'?); there are main"),
    ],
)
def test_bad_input_with_cdk8s_plus(change: Callable[[Any, Any], None], call: dict[str, Any], message: str):
    chart, db = install({"allow_from": ()})
    workload = plus(chart, "Deployment")
    change(workload, chart)
    before = cdk8s.Testing.synth(chart)
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        db.grant(workload, database="auth", **call)
    assert str(raised.value).startswith("sos-app/postgres: ")
    assert cdk8s.Testing.synth(chart) == before, "an error leaves the workload as it was"


def test_a_workload_of_cdk8s_plus_without_containers():
    chart, db = install({})
    with pytest.raises(ValueError, match=r"workload='Deployment/api' has no container yet; grant it when it has them all"):
        db.grant(plus(chart, "Deployment", containers=None), database="auth")


def test_a_workload_of_cdk8s_plus_in_another_namespace():
    chart, db = install({})
    other = cdk8s.Chart(chart.node.root, "other", namespace="reporting")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is in namespace 'reporting', where pods cannot have the database's Secrets; put it into 'sos-app'"):
        db.grant(plus(other, "Deployment"), database="auth")


@FORMS
def test_what_one_database_says_must_not_change_the_connection_to_another(form: str):
    """libpq goes by PGSSLMODE and PGTARGETSESSIONATTRS where a URI does not say: a reader would be refused, and the pooler asked for what it once heard."""
    calls: list[dict[str, Any]] = [{"database": "auth"}, {"database": "auth", "readonly": True, "dsn": "READS_URL"}]
    for order in (calls, calls[::-1]):
        with pytest.raises(ValueError, match="has PGTARGETSESSIONATTRS in container 'main', which libpq would also apply to READS_URL"):
            granted(form, "Deployment", *order)
    with pytest.raises(ValueError, match="has PGTARGETSESSIONATTRS in container 'main', which libpq would also apply to POOLED_URL"):
        granted(form, "Deployment", calls[0], {"database": "auth", "pooled": True, "dsn": "POOLED_URL"}, pooler=Pooler())


def test_two_workloads_of_one_name():
    _, db = install({"allow_from": ()})
    db.grant(plain("Deployment"), database="auth")
    with pytest.raises(ValueError, match="workload='Deployment/api' was given access before, with other labels on its pods"):
        db.grant(plain("Deployment", labels={"app": "other"}), database="auth")


@FORMS
def test_two_installations_in_one_pod(form: str):
    """The second one's CA stands at a path of its own; the first one's stays where it is with one database."""
    chart, db = install({})
    other = HaPostgres(chart, "orders", name="orders", credentials=db.spec.credentials)
    workload: Any = plain("Deployment") if form == "plain" else plus(chart, "Deployment")
    for _ in range(2):
        workload = db.grant(workload, database="auth", dsn="AUTH_URL")
        workload = other.grant(workload, database="users", dsn="USERS_URL")
    alone: Any = plain("Deployment", name="alone") if form == "plain" else plus(chart, "Deployment", "alone")
    alone = other.grant(alone, database="users")
    if form == "plain":
        emit(chart, workload)
        emit(chart, alone)
    made = {m["metadata"]["name"]: pod(m) for m in cdk8s.Testing.synth(chart) if m["kind"] == "Deployment"}
    assert [(volume["name"], volume["secret"]["secretName"]) for volume in made["api"]["volumes"]] == [
        ("postgres-ca", "postgres-tls"),
        ("ca-orders-tls", "orders-tls"),
    ]
    (container,) = made["api"]["containers"]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/etc/sos/postgres-ca", "/etc/sos/ca-orders-tls"]
    values = {entry["name"]: entry.get("value", "") for entry in container["env"]}
    assert "sslrootcert=/etc/sos/postgres-ca/ca.crt" in values["AUTH_URL"]
    assert "sslrootcert=/etc/sos/ca-orders-tls/ca.crt" in values["USERS_URL"]
    assert [mount["mountPath"] for mount in made["alone"]["containers"][0]["volumeMounts"]] == ["/etc/sos/postgres-ca"]


def test_a_ca_in_a_long_secret_has_a_volume_with_a_name():
    assert ServerCa(secret="x." * 40 + "y").beside().volume_name == ServerCa(secret="x." * 40 + "y").beside().mount_dir.rpartition("/")[2]
    assert len(ServerCa(secret="x" * 70).beside().volume_name) <= 63


def test_a_uri_that_stands_first_is_not_left_dead():
    """Kubernetes expands only variables that stand before."""
    _, db = install({})
    uri = db.database("auth").dsn_env()[-1]
    user, password = db.database("auth").dsn_env()[:-1]
    for env in ([uri], [{"name": "A", "value": "1"}, uri, password], [uri, password, user, {"name": "B", "value": "$(DATABASE_URL)"}]):
        made = pod(db.grant(plain("Deployment", containers=[{"name": "main", "env": env}]), database="auth", dsn="DATABASE_URL"))["containers"][0]["env"]
        names = [entry["name"] for entry in made]
        assert names.index("DATABASE_URL") > max(names.index(user["name"]), names.index(password["name"]))
        assert len(set(names)) == len(names)
        assert [entry for entry in made if entry["name"] in ("A", "B", "DATABASE_URL")] == [entry for entry in env if entry not in (user, password)]


def test_a_uri_that_stands_first_with_cdk8s_plus():
    chart, db = install({})
    workload = plus(chart, "Deployment")
    uri = db.database("auth").dsn_env()[-1]
    workload.containers[0].env.add_variable("DATABASE_URL", kplus.EnvValue.from_value(uri["value"]))
    with pytest.raises(ValueError, match="has DATABASE_URL before AUTH_DB_USERNAME and AUTH_DB_PASSWORD, which it refers to, in container 'main'"):
        db.grant(workload, database="auth", dsn="DATABASE_URL")


def test_a_grant_asks_jsii_no_more_in_a_larger_app(monkeypatch: pytest.MonkeyPatch):
    chart, db = install({})
    process = jsii.kernel.provider._process  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    send = process.send
    sent: list[object] = []

    def count(*arguments: Any, **keywords: Any) -> Any:
        sent.append(arguments)
        return send(*arguments, **keywords)

    monkeypatch.setattr(process, "send", count)
    counts: list[int] = []
    for number in range(3):
        before = len(sent)
        db.grant(plain("Deployment", name=f"api-{number}"), database="auth")
        counts.append(len(sent) - before)
        for other in range(20):
            cdk8s.ApiObject(chart, f"more-{number}-{other}", api_version="v1", kind="ConfigMap")
    assert counts[2] <= counts[1] <= counts[0]


# --- reviewed YAML ----------------------------------------------------------------------------------------------------


def service(name: str) -> dict[str, Any]:
    """A Deployment under Pod Security ``restricted``, as a project would write it."""
    selector = {"app.kubernetes.io/name": name}
    labels = selector | {"app.kubernetes.io/part-of": "sos-app", "app.kubernetes.io/version": "1.2"}
    probe = {"httpGet": {"path": "/health", "port": 8080}}
    container = {
        "image": f"registry.example/{name}@sha256:{64 * '0'}",
        "imagePullPolicy": "IfNotPresent",
        "livenessProbe": probe,
        "name": name,
        "readinessProbe": probe,
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True, "runAsUser": 10001},
    }
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"automountServiceAccountToken": False, "containers": [container], "enableServiceLinks": False, "securityContext": security}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"labels": labels, "name": name, "namespace": "sos-app"},
        "spec": {"replicas": 2, "selector": {"matchLabels": selector}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }


def test_reviewed_yaml(golden: Golden):
    """Two services in a namespace without egress: one calls the database itself, for writes and reads, the other goes through the pooler."""
    chart, db = install({"allow_from": (), "pooler": Pooler()})
    SosNamespace(chart, "foundation", deny_egress=True)
    before = {str(key) for key in db.objects}
    auth = db.grant(db.grant(service("auth-service"), database="auth", dsn="DATABASE_URL"), database="auth", dsn="READS_URL", readonly=True)
    users = db.grant(service("user-service"), database="users", pooled=True)
    policies = [made.to_json() for key, made in db.objects.items() if str(key) not in before]
    golden("postgres/granted", [*policies, auth, users])
