"""What ExternalSecrets emits for each store. That the operator makes good values of it is shown on a cluster: tests/cluster/test_external_secrets.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sos_constructs.secrets import AwsSecretsManager, AzureKeyVault, ExternalSecrets, GcpSecretManager, KubernetesStore, SosSecrets, Vault, holders
from sos_constructs.secrets.catalogue import BY_NAME, SECRETS
from sos_constructs.secrets.external.bootstrap import document
from sos_constructs.secrets.external.manifests import go_duration

import cdk8s
import pytest
import yaml

from tests import crds
from tests.conftest import Golden
from tests.secret_scan import assert_no_secret_material

GUID = "11111111-2222-3333-4444-555555555555"
ROLE = "arn:aws:iam::123456789012:role/sos-app-secrets"

STORES: dict[str, Any] = {
    "aws": AwsSecretsManager(region="eu-central-1", role_arn=ROLE),
    "aws-pod-identity": AwsSecretsManager(region="us-gov-west-1"),
    "aws-access-key": AwsSecretsManager(region="eu-central-1", access_key="aws-access"),
    "gcp": GcpSecretManager(project="sos-production"),
    "gcp-account": GcpSecretManager(project="sos-production", service_account="sos@sos-production.iam.gserviceaccount.com", cluster="europe-west3/main"),
    "azure": AzureKeyVault(vault_url="https://sos-app.vault.azure.net", client_id=GUID, tenant_id=GUID),
    "vault": Vault(server="https://vault.example.org:8200", role="sos-app", namespace="admin", ca_config_map="vault-ca"),
    "kubernetes": KubernetesStore(namespace="sos-store"),
}
CLOUDS = [name for name in STORES if name != "kubernetes"]
SERVERS, AUTHORITY = ("postgres-tls", "postgres-pooler-tls"), "postgres-ca"


def of_kind(kind: str, **options: Any) -> list[dict[str, Any]]:
    return [manifest for manifest in ExternalSecrets(**options).manifests(SECRETS) if manifest["kind"] == kind]


def nested(value: Any, key: str) -> Iterator[dict[str, Any]]:
    """Every mapping that stands under ``key``, wherever it is."""
    if isinstance(value, list):
        for item in value:
            yield from nested(item, key)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == key and isinstance(item, dict):
                yield item
            yield from nested(item, key)


@pytest.mark.parametrize("cluster_store", [False, True], ids=["namespaced", "cluster"])
@pytest.mark.parametrize("store", STORES)
def test_every_object_fits_its_schema_and_no_default_would_be_added(store: str, cluster_store: bool):
    options = {"store": STORES[store], "cluster_store": cluster_store, "bootstrap": True}
    seen = set()
    for manifest in ExternalSecrets(**options).manifests(SECRETS):
        if "." not in manifest["apiVersion"] or "k8s.io" in manifest["apiVersion"]:
            continue
        assert manifest["apiVersion"] != "external-secrets.io/v1beta1", "not served since 0.17"
        schema = next(iter(crds.schemas(manifest["apiVersion"], manifest["kind"]).values()))
        assert list(defaults(schema, manifest)) == [], "Argo CD would call it a difference"
        if manifest["kind"] not in seen or "Store" in manifest["kind"]:  # the other eleven differ in names only
            crds.validate_custom_resource(manifest)
            crds.typed_second_opinion(manifest)
        seen.add(manifest["kind"])
    assert "ExternalSecret" in seen


def defaults(schema: dict[str, Any], value: Any, where: str = "") -> Iterator[str]:
    """What the API server would add to ``value``."""
    if isinstance(value, list):
        for item in value:
            yield from defaults(schema.get("items", {}), item, f"{where}[]")
    elif isinstance(value, dict):
        for name, sub in schema.get("properties", {}).items():
            if name in value:
                yield from defaults(sub, value[name], f"{where}.{name}")
            elif "default" in sub:
                yield f"{where}.{name}"


def test_a_missing_default_would_be_found():
    manifest = of_kind("ExternalSecret", store=STORES["aws"])[0]
    schema = next(iter(crds.schemas(manifest["apiVersion"], "ExternalSecret").values()))
    del manifest["spec"]["target"]["template"]["engineVersion"]
    del manifest["spec"]["refreshInterval"]
    assert list(defaults(schema, manifest)) == [".spec.refreshInterval", ".spec.target.template.engineVersion"]


@pytest.mark.parametrize("store", STORES)
def test_every_secret_is_a_copy_of_one_document_under_its_own_name(store: str):
    external = [manifest for manifest in of_kind("ExternalSecret", store=STORES[store]) if manifest["metadata"]["namespace"] == "sos-app"]
    assert [manifest["metadata"]["name"] for manifest in external] == [secret.name for secret in SECRETS]
    for manifest, secret in zip(external, SECRETS, strict=True):
        (source,) = manifest["spec"]["dataFrom"]
        assert source["extract"] | {"key": ""} == {"conversionStrategy": "Default", "decodingStrategy": "None", "key": "", "metadataPolicy": "None"}
        target = manifest["spec"]["target"]
        assert (target["name"], target["template"]["type"]) == (secret.name, secret.type)
        assert (target["creationPolicy"], target["deletionPolicy"]) == ("Orphan", "Retain"), "deleting the copy's source must not delete the copy"
        assert target["template"]["mergePolicy"] == "Merge", "Replace would drop the document's keys"
        assert set(target["template"]) == {"engineVersion", "mergePolicy", "metadata", "type"}, "values, files among them, are copied as they are"


@pytest.mark.parametrize(
    ("store", "prefix", "key"),
    [
        ("aws", "sos-app", "sos-app/redis-credentials"),
        ("aws", "sos_app/prod", "sos_app/prod/redis-credentials"),
        ("aws", "", "redis-credentials"),
        ("gcp", "sos_app/prod.eu", "sos_app-prod-eu-redis-credentials"),
        ("azure", "sos_app/prod.eu", "sos-app-prod-eu-redis-credentials"),
        ("azure", "", "redis-credentials"),
        ("vault", "sos_app/prod", "sos_app/prod/redis-credentials"),
        ("kubernetes", "sos_app/prod.eu", "sos-app-prod-eu-redis-credentials"),
    ],
)
def test_documents_have_names_the_store_allows(store: str, prefix: str, key: str):
    keys = [extract["key"] for extract in nested(of_kind("ExternalSecret", store=STORES[store], prefix=prefix), "extract")]
    assert key in keys
    assert len(set(keys)) == len(SECRETS)
    allowed = {"aws": r"[\w/+=.@-]+", "gcp": r"[\w-]+", "azure": "[0-9A-Za-z-]+", "vault": r"[\w./-]+", "kubernetes": "[a-z0-9-]+"}[store]
    assert all(re.fullmatch(allowed, found, re.ASCII) for found in keys)
    assert not any(re.search("-[A-Za-z0-9]{6}$", found) for found in keys), "AWS would take it for the suffix it gives to ARNs"


@pytest.mark.parametrize(
    ("store", "annotations"),
    [
        ("aws", {"eks.amazonaws.com/role-arn": ROLE}),
        ("gcp", {}),
        ("gcp-account", {"iam.gke.io/gcp-service-account": "sos@sos-production.iam.gserviceaccount.com"}),
        ("azure", {"azure.workload.identity/client-id": GUID, "azure.workload.identity/tenant-id": GUID}),
        ("vault", {}),
        ("kubernetes", {}),
    ],
)
def test_the_operator_acts_as_a_service_account_of_ours(store: str, annotations: dict[str, str]):
    (account,) = of_kind("ServiceAccount", store=STORES[store])
    assert account["metadata"]["annotations"] == {"argocd.argoproj.io/sync-wave": "-4", **annotations}
    assert account["automountServiceAccountToken"] is False
    (found,) = of_kind("SecretStore", store=STORES[store])
    references = [*nested(found, "serviceAccountRef"), *nested(found, "serviceAccount")]
    assert [reference["name"] for reference in references] == [account["metadata"]["name"]]


def test_pod_identity_has_no_authentication_at_all():
    options = {"store": STORES["aws-pod-identity"]}
    assert of_kind("ServiceAccount", **options) == []
    assert of_kind("SecretStore", **options)[0]["spec"]["provider"] == {"aws": {"region": "us-gov-west-1", "service": "SecretsManager"}}


def test_vault_tokens_have_an_audience():
    (reference,) = nested(of_kind("SecretStore", store=STORES["vault"]), "serviceAccountRef")
    assert reference == {"name": "sos-app-secrets", "audiences": ["vault"]}
    (reference,) = nested(of_kind("SecretStore", store=Vault(server="https://v", role="r", audiences="other")), "serviceAccountRef")
    assert reference["audiences"] == ["other"]


@pytest.mark.parametrize(
    ("host", "cloud"), [("x.vault.azure.net", "PublicCloud"), ("x.vault.azure.cn", "ChinaCloud"), ("x.vault.usgovcloudapi.net", "USGovernmentCloud")]
)
def test_azure_clouds(host: str, cloud: str):
    store = AzureKeyVault(vault_url="https://so" + host, client_id=GUID, tenant_id=GUID)
    assert of_kind("SecretStore", store=store)[0]["spec"]["provider"]["azurekv"]["environmentType"] == cloud


@pytest.mark.parametrize("store", STORES)
def test_only_a_cluster_store_says_where_its_references_are(store: str):
    for cluster_store, expected in ((False, set()), (True, {"sos-app"})):
        options = {"store": STORES[store], "cluster_store": cluster_store, "bootstrap": True}
        for manifest in of_kind("ClusterSecretStore" if cluster_store else "SecretStore", **options):
            kinds = ("serviceAccountRef", "serviceAccount", "caProvider", "accessKeyIDSecretRef", "secretAccessKeySecretRef")
            references = [reference for kind in kinds for reference in nested(manifest["spec"], kind)]
            assert references or store == "aws-pod-identity"
            assert {reference["namespace"] for reference in references if "namespace" in reference} == (expected if references else set())
            assert all(("namespace" in reference) == cluster_store for reference in references)


@pytest.mark.parametrize(
    ("store", "bootstrap", "namespaces"),
    [("aws", True, ["sos-app"]), ("kubernetes", False, ["sos-app"]), ("kubernetes", True, ["sos-app", "sos-store"])],
)
def test_a_cluster_store_is_for_named_namespaces_only(store: str, bootstrap: bool, namespaces: list[str]):
    (found,) = of_kind("ClusterSecretStore", store=STORES[store], cluster_store=True, bootstrap=bootstrap)
    assert found["spec"]["conditions"] == [{"namespaces": namespaces}]
    assert "namespace" not in found["metadata"]


@pytest.mark.parametrize("store", STORES)
def test_each_wave_needs_only_what_is_in_earlier_ones(store: str):
    for manifest in ExternalSecrets(store=STORES[store], bootstrap=True).manifests(SECRETS):
        wave = int(manifest["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0"))
        name = manifest["metadata"]["name"]
        if name in BY_NAME:
            random = any(row.origin == "generated" for row in BY_NAME[name].keys)
            assert wave == (-2 if random else 0), "what only vendors can complete must not hold back the database"
        elif name in SERVERS:
            assert wave == -2, "the database waits for its certificate"
        else:
            assert wave == (-3 if name.endswith("-bootstrap") and manifest["kind"] in ("PushSecret", "ExternalSecret") else -4)


@pytest.mark.parametrize("store", CLOUDS)
def test_bootstrap_writes_whole_documents_that_are_not_there_yet(store: str):
    (generator,) = of_kind("Fake", store=STORES[store], bootstrap=True)
    pushes = of_kind("PushSecret", store=STORES[store], bootstrap=True)
    assert {push["apiVersion"] for push in pushes} == {"external-secrets.io/v1alpha1"}
    # one CA for the database and its pooler
    keys = list(dict.fromkeys(extract["key"] for extract in nested(of_kind("ExternalSecret", store=STORES[store], bootstrap=True), "extract")))
    assert len(keys) == len(SECRETS) + 1
    for push, key in zip(pushes, keys, strict=True):
        spec = push["spec"]
        assert (spec["updatePolicy"], spec["deletionPolicy"]) == ("IfNotExists", "None")
        assert spec["refreshInterval"] == "0s", "by the clock it would give a deleted document new values"
        (data,) = spec["data"]
        assert data["match"] == {"remoteRef": {"remoteKey": key}}, "with a property, IfNotExists would write the first key only"
        assert spec["selector"]["generatorRef"]["name"] == generator["metadata"]["name"]
        assert ("metadata" in data) == store.startswith("aws")


def test_adopting_only_writes_live_secrets_to_documents_that_are_not_there():
    manifests = ExternalSecrets(store=STORES["aws"], adopt=True).manifests(SECRETS)
    assert [manifest["kind"] for manifest in manifests] == ["ServiceAccount", "SecretStore", *["PushSecret"] * len(SECRETS)]
    for manifest, secret in zip(manifests[2:], SECRETS, strict=True):
        crds.validate_custom_resource(manifest)
        assert manifest["spec"]["selector"] == {"secret": {"name": secret.name}}
        assert (manifest["spec"]["updatePolicy"], manifest["spec"]["deletionPolicy"]) == ("IfNotExists", "None")
        assert "template" not in manifest["spec"], "no value is made"


def test_people_can_edit_documents_in_the_console_of_aws():
    data = of_kind("PushSecret", store=STORES["aws"], bootstrap=True)[0]["spec"]["data"][0]
    assert data["metadata"]["spec"] == {"secretPushFormat": "string"}


@pytest.mark.parametrize("cluster_store", [False, True])
def test_in_a_namespace_documents_complete_themselves(cluster_store: bool):
    options = {"store": STORES["kubernetes"], "bootstrap": True, "cluster_store": cluster_store}
    assert of_kind("PushSecret", **options) == of_kind("Fake", **options) == []
    inside = [manifest for manifest in of_kind("ExternalSecret", **options) if manifest["metadata"]["namespace"] == "sos-store"]
    assert len(inside) == len(SECRETS) + 1
    for manifest in inside:
        spec = manifest["spec"]
        assert spec["dataFrom"][0]["extract"]["key"] == spec["target"]["name"], "it reads what it writes"
        assert spec["refreshPolicy"] == "OnChange"
        assert (spec["target"]["creationPolicy"], spec["target"]["deletionPolicy"]) == ("Orphan", "Merge")
        assert spec["target"]["template"]["mergePolicy"] == "Merge", "Replace would drop what people added"
        assert spec["target"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == holders.DOCUMENT, "sosctl may rotate it"


@pytest.mark.parametrize(("bootstrap", "cluster_store", "readers"), [(False, False, 1), (True, True, 1), (True, False, 2)])
def test_rights_in_the_store_are_for_its_documents_only(bootstrap: bool, cluster_store: bool, readers: int):
    options = {"store": STORES["kubernetes"], "bootstrap": bootstrap, "cluster_store": cluster_store}
    (role,), (binding,) = of_kind("Role", **options), of_kind("RoleBinding", **options)
    (rule,) = role["rules"]
    assert (rule["verbs"], rule["resources"]) == (["get"], ["secrets"])
    assert rule["resourceNames"] == sorted(f"sos-app-{name}" for name in [*BY_NAME, *([AUTHORITY] if bootstrap else [])])
    accounts = [(account["metadata"]["namespace"], account["metadata"]["name"]) for account in of_kind("ServiceAccount", **options)]
    assert [(subject["namespace"], subject["name"]) for subject in binding["subjects"]] == accounts
    assert len(accounts) == readers
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "sos-store"


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
def test_bootstrap_makes_what_can_be_made_and_keeps_what_exists(secret: Any):
    text = document(secret)
    wanted = {row.key for row in secret.keys if row.origin in ("generated", "derived", "fixed")}
    assert set(re.findall(r"^([a-z0-9.-]+): ", text, re.MULTILINE)) == wanted
    for row in secret.keys:
        if row.key in wanted:
            assert f'index . "{row.key}"' in text, "what exists is kept"
    maker = {"password": "randAlphaNum 40", "hs256": "randAlphaNum 64", "aes256": "randBytes 32", "mongodb-keyfile": "randBytes 756"}
    for row in secret.keys:
        if row.origin == "generated" and row.form in maker:
            assert f'{row.key}: {{{{ index . "{row.key}" | default ({maker[row.form]}) | toJson }}}}' in text.splitlines()


def test_without_leaves_a_secret_to_somebody_else():
    manifests = ExternalSecrets(store=STORES["kubernetes"], bootstrap=True, without=["tls-certificates"]).manifests(SECRETS)
    assert "tls-certificates" not in repr(manifests)
    assert ExternalSecrets(store=STORES["aws"], without="tls-certificates").without == ("tls-certificates",)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(hours=1), "1h0m0s"), (timedelta(minutes=15), "15m0s"), (timedelta(seconds=30), "30s"),
        (timedelta(days=1, seconds=5), "24h0m5s"), (timedelta(minutes=90), "1h30m0s"),
    ],
)  # fmt: skip
def test_durations_are_written_as_go_writes_them(value: timedelta, text: str):
    assert go_duration(value) == text
    (interval,) = {manifest["spec"]["refreshInterval"] for manifest in of_kind("ExternalSecret", store=STORES["aws"], refresh=value)}
    assert interval == text


@pytest.mark.parametrize(
    ("name", "store"),
    [("aws", STORES["aws"]), ("azure-cluster-store", STORES["azure"]), ("kubernetes", STORES["kubernetes"])],
)
def test_reviewed_yaml(name: str, store: Any, golden: Golden):
    some = {"jwt-secrets", "redis-credentials", "tls-certificates"}  # generated and derived, generated, and neither; the others differ in names only
    source = ExternalSecrets(
        store=store,
        prefix="sos-app/production",
        bootstrap=name != "azure-cluster-store",
        cluster_store=name == "azure-cluster-store",
        without=set(BY_NAME) - some,
    )
    chart = cdk8s.Chart(cdk8s.Testing.app(), name, namespace="sos-app", disable_resource_name_hashes=True)
    SosSecrets(chart, "secrets", source=source)
    golden(f"secrets/external-{name}", cdk8s.Testing.synth(chart))


def test_nothing_secret_is_in_the_chart(tmp_path):
    app = cdk8s.App(outdir=str(tmp_path))
    for name, store in STORES.items():
        chart = cdk8s.Chart(app, name, namespace=name, disable_resource_name_hashes=True)
        SosSecrets(chart, "secrets", source=ExternalSecrets(store=store, bootstrap=True, namespace=name))
    app.synth()
    for name in STORES:
        file = tmp_path / f"{name}.k8s.yaml"
        assert_no_secret_material(file)
        assert not any(manifest["kind"] == "Secret" for manifest in yaml.load_all(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def test_the_template_of_the_key_pair_survives_yaml(tmp_path):
    """It is full of backslashes, and one of them lost would be another public key."""
    app = cdk8s.App(outdir=str(tmp_path))
    chart = cdk8s.Chart(app, "x", namespace="sos-app")
    SosSecrets(chart, "secrets", source=ExternalSecrets(store=STORES["aws"], bootstrap=True))
    app.synth()
    documents = yaml.safe_load_all((tmp_path / "x.k8s.yaml").read_text())
    (found,) = (d["spec"]["template"]["templateFrom"][0]["literal"] for d in documents if d["metadata"]["name"] == "jwt-secrets-bootstrap")
    assert found == document(BY_NAME["jwt-secrets"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AwsSecretsManager(region="Frankfurt"), "region='Frankfurt' must be an AWS region such as 'eu-central-1'"),
        (lambda: AwsSecretsManager(region="eu-central-1", role_arn="sos"), "role_arn='sos' must be the ARN of a role"),
        (lambda: AwsSecretsManager(region="eu-central-1", role_arn=ROLE, access_key="k"), "access_key='k' cannot be combined with role_arn"),
        (lambda: AwsSecretsManager(region="eu-central-1", access_key="K"), "access_key='K' must be a DNS-1123 subdomain"),
        (lambda: GcpSecretManager(project="SOS"), "project='SOS' must be the id of a project"),
        (lambda: GcpSecretManager(project="sos-app", service_account="me"), "service_account='me' must be the e-mail"),
        (lambda: GcpSecretManager(project="sos-app", cluster="main"), "cluster='main' must be 'location/name'"),
        (lambda: AzureKeyVault(vault_url="http://x", client_id=GUID, tenant_id=GUID), "vault_url='http://x' must be the vault's URI"),
        (lambda: AzureKeyVault(vault_url="https://sos.vault.azure.net", client_id="me", tenant_id=GUID), "client_id='me' must be a GUID"),
        (lambda: AzureKeyVault(vault_url="https://sos.vault.azure.net", client_id=GUID, tenant_id=""), "tenant_id='' must be text, not an empty text"),
        (lambda: Vault(server="http://vault", role="r"), "server='http://vault' must be https"),
        (lambda: Vault(server="https://vault", role=""), "role='' must be text, not an empty text"),
        (lambda: Vault(server="https://vault", role="r", audiences=()), r"audiences=\(\) must name at least one"),
        (lambda: Vault(server="https://vault", role="r", ca_config_map="A"), "ca_config_map='A' must be a DNS-1123"),
        (lambda: KubernetesStore(namespace="A"), "namespace='A' must be a DNS-1123 label"),
        (lambda: ExternalSecrets(store=STORES["aws"], namespace="A"), "namespace='A' must be a DNS-1123 label"),
        (lambda: ExternalSecrets(store=STORES["aws"], prefix="sos/"), "prefix='sos/' must be words"),
        (lambda: ExternalSecrets(store=STORES["aws"], refresh=timedelta(0)), "refresh=.* must be a timedelta of whole seconds"),
        (lambda: ExternalSecrets(store=STORES["aws"], refresh=timedelta(seconds=1.5)), "refresh=.* must be a timedelta of whole seconds"),
        (lambda: ExternalSecrets(store=STORES["aws"], refresh="1h"), "refresh='1h' must be a timedelta"),  # type: ignore[arg-type]  # what is tested
        (lambda: ExternalSecrets(store=STORES["aws"], adopt=True, bootstrap=True), "bootstrap=True cannot be combined with adopt"),
        (lambda: ExternalSecrets(store=STORES["kubernetes"], adopt=True), "adopt=True is not possible for a KubernetesStore"),
        (lambda: ExternalSecrets(store=STORES["kubernetes"], namespace="sos-store"), "store=.* must be in another namespace"),
        (lambda: ExternalSecrets(store=STORES["kubernetes"], prefix="SOS").manifests(SECRETS), "prefix='SOS' gives documents a name that the store refuses"),
        (lambda: ExternalSecrets(store=STORES["azure"], prefix="x" * 127).manifests(SECRETS), "at most 127 characters"),
        (lambda: ExternalSecrets(store=STORES["aws"], postgres=["Orders"]), "postgres='Orders' must be a DNS-1035 label"),
        (lambda: ExternalSecrets(store=STORES["aws"], postgres="orders", adopt=True), r"postgres=\('orders',\) cannot be combined with adopt"),
        (lambda: ExternalSecrets(store=STORES["aws"], without=["redis"]).manifests(SECRETS), r"without='redis' is no Secret of the catalogue"),
    ],
)  # fmt: skip
def test_bad_input_is_told_with_option_value_and_fix(make: Any, message: str):
    with pytest.raises(ValueError, match=message):
        make()


def test_another_namespace_than_the_charts_is_refused():
    chart = cdk8s.Chart(cdk8s.Testing.app(), "x", namespace="sos-app")
    with pytest.raises(ValueError, match="x/secrets: source='ExternalSecret postgres-credentials' is for namespace other, but the chart's is sos-app"):
        SosSecrets(chart, "secrets", source=ExternalSecrets(store=STORES["aws"], namespace="other"))
