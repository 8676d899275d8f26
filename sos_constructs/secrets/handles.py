"""References to secrets: what other constructs and workloads hold instead of names, keys and values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from sos_constructs.checked import checked
from sos_constructs.errors import InvalidOption, did_you_mean

from attrs import frozen

if TYPE_CHECKING:
    import cdk8s_plus_27 as kplus
    from constructs import Construct


@checked
def reload_on(*secrets: SecretHandle) -> dict[str, str]:
    """Annotations of a Deployment or StatefulSet whose pods shall restart when one of these Secrets changes, for Stakater Reloader to act upon.

    Needed where values are read from environment variables; mounted files follow by themselves. Let Reloader run with
    ``--reload-strategy=annotations`` under Argo CD or Flux: its default changes the pod template's environment, which they would change back.
    """
    return {"secret.reloader.stakater.com/reload": ",".join(sorted({secret.name for secret in secrets}))}


@checked
def version_annotations(*secrets: SecretHandle) -> dict[str, str]:
    """Annotations of a pod template that change with the versions these Secrets are pinned to, so that the commit which rotates them also restarts the pods.

    Empty where nothing is pinned. Pods that start before the operator has copied the new version use the old one, which is still accepted. To avoid
    that, apply the Secrets first and wait for them, as Argo CD's sync waves do. Or let Reloader restart the pods (:func:`reload_on`).
    """
    pins = {secret.name: secret.version for secret in secrets if secret.version}
    return {"sos-app/secret-versions": ",".join(f"{name}={version}" for name, version in sorted(pins.items()))} if pins else {}


@checked
@frozen
class SecretHandle:
    """One Secret of the cluster, by name, and the environment variable each of its keys belongs in.

    It says the same whatever puts the Secret there: ``sosctl secrets generate``, an edited template, an external store.
    It never holds a value.

    :param name: ``metadata.name`` of the Secret.
    :param keys: key in the Secret (``auth-db-password``) → environment variable (``AUTH_DB_PASSWORD``).
    :param optional: keys a pod starts without; references to them carry ``optional: true``.
    :param version: the version it is pinned to, empty where it is not.
    """

    name: str
    keys: Mapping[str, str]
    optional: frozenset[str] = frozenset()
    version: str = ""

    @checked
    def key_ref(self, key: str) -> dict[str, Any]:
        """A ``secretKeyRef``: ``{"name": …, "key": …}``, with ``"optional": True`` for an optional key.

        :raises InvalidOption: when the Secret has no such key, with the nearest one that exists.
        """
        self._check(key)
        reference: dict[str, Any] = {"name": self.name, "key": key}
        return reference | {"optional": True} if key in self.optional else reference

    @checked
    def env(self, key: str, name: str | None = None) -> dict[str, Any]:
        """An entry of a container's ``env``: the key's value in the variable ``name`` (default: the catalogue's).

        :raises InvalidOption: when the Secret has no such key.
        """
        reference = self.key_ref(key)
        return {"name": self.keys[key] if name is None else name, "valueFrom": {"secretKeyRef": reference}}

    @checked
    def volume(self, volume_name: str, *, keys: Collection[str] | None = None, mode: int = 0o440) -> dict[str, Any]:
        """A pod volume with one file per key, named as the key.

        Kubernetes updates the files of a running pod (not those mounted by ``subPath``); environment variables it never updates.

        :param volume_name: name of the volume in the pod.
        :param keys: only these keys (default: all the Secret has, whether in the catalogue or not).
        :param mode: permission bits of the files. 0o440 lets the pod's ``fsGroup`` read them and nobody write.
        :raises InvalidOption: when the Secret has no such key, or the mode is not between 0 and 0o777.
        """
        if not 0 <= mode <= 0o777:
            raise InvalidOption("mode", mode, "must be permission bits between 0 and 0o777, for instance 0o440")
        source: dict[str, Any] = {"secretName": self.name, "defaultMode": mode}
        if keys is not None:
            for key in keys:
                self._check(key)
            source["items"] = [{"key": key, "path": key} for key in sorted(set(keys))]
            if self.optional.issuperset(keys):
                source["optional"] = True
        return {"name": volume_name, "secret": source}

    @checked
    def secret(self, scope: Construct) -> kplus.ISecret:
        """The Secret as a cdk8s-plus object. Repeated calls with one scope return the same object."""
        import cdk8s_plus_27 as kplus

        id = f"secret-{self.name}"
        existing: Any = scope.node.try_find_child(id)
        found: kplus.ISecret = existing or kplus.Secret.from_secret_name(scope, id, self.name)
        return found

    @checked
    def env_value(self, scope: Construct, key: str) -> kplus.EnvValue:
        """The key's value for ``env_variables`` of a cdk8s-plus container.

        :raises InvalidOption: when the Secret has no such key.
        """
        import cdk8s_plus_27 as kplus

        self._check(key)
        value = kplus.SecretValue(secret=self.secret(scope), key=key)
        return kplus.EnvValue.from_secret_value(value, optional=True if key in self.optional else None)

    def _check(self, key: str) -> None:
        if key not in self.keys:
            raise InvalidOption("key", key, f"is not in {self.name}{did_you_mean(str(key), self.keys)}; it has {', '.join(self.keys)}")
