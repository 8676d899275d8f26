"""References to secrets: as dicts, as cdk8s-plus objects, and when the key is wrong."""

from __future__ import annotations

import subprocess
import sys

from sos_constructs.errors import InvalidOption
from sos_constructs.secrets import SecretHandle, SosSecrets, reload_on

import cdk8s
import cdk8s_plus_27 as kplus
import pytest

HANDLE = SecretHandle("db", {"db-password": "DB_PASSWORD", "db-extra": "DB_EXTRA"}, frozenset({"db-extra"}))


def test_a_reference_names_secret_and_key():
    assert HANDLE.key_ref("db-password") == {"name": "db", "key": "db-password"}


def test_a_reference_to_an_optional_key_is_optional():
    assert HANDLE.key_ref("db-extra") == {"name": "db", "key": "db-extra", "optional": True}


@pytest.mark.parametrize(("name", "variable"), [(None, "DB_PASSWORD"), ("PGPASSWORD", "PGPASSWORD")])
def test_env(name, variable):
    assert HANDLE.env("db-password", name) == {"name": variable, "valueFrom": {"secretKeyRef": {"name": "db", "key": "db-password"}}}


def test_a_volume_holds_everything():
    assert HANDLE.volume("credentials") == {"name": "credentials", "secret": {"secretName": "db", "defaultMode": 0o440}}


def test_a_volume_holds_some_keys_in_a_fixed_order():
    volume = HANDLE.volume("credentials", keys=["db-password", "db-extra"], mode=0o400)
    items = [{"key": "db-extra", "path": "db-extra"}, {"key": "db-password", "path": "db-password"}]
    assert volume == {"name": "credentials", "secret": {"secretName": "db", "defaultMode": 0o400, "items": items}}


def test_a_volume_of_optional_keys_does_not_stop_the_pod():
    assert HANDLE.volume("extra", keys=["db-extra"])["secret"]["optional"] is True


@pytest.mark.parametrize("mode", [-1, 0o1777, 440 * 2])
def test_a_mode_is_permission_bits(mode):
    with pytest.raises(InvalidOption, match="permission bits"):
        HANDLE.volume("credentials", mode=mode)


@pytest.mark.parametrize(
    "use", [lambda h, k: h.key_ref(k), lambda h, k: h.env(k), lambda h, k: h.volume("v", keys=[k]), lambda h, k: h.env_value(cdk8s.Testing.chart(), k)]
)
def test_a_key_that_does_not_exist_is_refused_with_the_nearest_one(use):
    with pytest.raises(InvalidOption, match=r"key='db-pasword' is not in db \(did you mean 'db-password'\?\)"):
        use(HANDLE, "db-pasword")


def test_cdk8s_plus_workloads_get_the_same_references():
    chart = cdk8s.Testing.chart()
    secrets = SosSecrets(chart, "secrets")
    variables = {"A": secrets.postgres.env_value(chart, "auth-db-password"), "B": secrets.postgres.env_value(chart, "users-db-password")}
    variables["C"] = secrets.oauth.env_value(chart, "facebook-app-id")
    kplus.Deployment(chart, "app", containers=[kplus.ContainerProps(image="app", env_variables=variables)])
    (deployment,) = cdk8s.Testing.synth(chart)
    assert deployment["spec"]["template"]["spec"]["containers"][0]["env"] == [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "postgres-credentials", "key": "auth-db-password"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "postgres-credentials", "key": "users-db-password"}}},
        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "oauth-credentials", "key": "facebook-app-id", "optional": True}}},
    ]


def test_a_cdk8s_plus_secret_can_be_mounted():
    chart = cdk8s.Testing.chart()
    secret = SosSecrets(chart, "secrets").tls.secret(chart)
    volume = kplus.Volume.from_secret(chart, "tls", secret)
    kplus.Deployment(chart, "app", containers=[kplus.ContainerProps(image="app", volume_mounts=[kplus.VolumeMount(path="/tls", volume=volume)])])
    assert cdk8s.Testing.synth(chart)[0]["spec"]["template"]["spec"]["volumes"][0]["secret"] == {"secretName": "tls-certificates"}


def test_the_command_line_tool_needs_no_node():
    code = "import sys, sos_constructs.cli.app; sys.exit(bool({'jsii', 'cdk8s', 'constructs'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reload_annotations_name_each_secret_once():
    a, b = SecretHandle("b", {}), SecretHandle("a", {})
    assert reload_on(a, b, a) == {"secret.reloader.stakater.com/reload": "a,b"}
