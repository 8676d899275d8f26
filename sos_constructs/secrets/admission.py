"""A ValidatingAdmissionPolicy for the namespace's Secrets: no placeholder becomes a credential, nobody but their writers changes them.

The API server shows a policy the values of a Secret as base64 text and has no function to decode it, so values are known by how their base64
begins: three bytes are four characters, whatever follows.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from typing import Any, Literal, get_args

from sos_constructs import names
from sos_constructs.checked import checked
from sos_constructs.emit import Objects
from sos_constructs.errors import InvalidOption, located
from sos_constructs.labels import labels
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.catalogues import SecretCatalogue

import cdk8s
from attrs import frozen
from constructs import Construct

Action = Literal["Deny", "Audit", "Warn"]

_WORDS = ("change", "replace", "placeholder")
"""What stands where a value should: CHANGE_ME, changeme, ReplaceMe …"""


def placeholder_prefixes() -> list[str]:
    """How the base64 of a placeholder begins: that of ``<``, with which our own begin, and of the words that others use."""
    opening = sorted({base64.b64encode(b"<" + bytes([second]))[:2].decode() for second in range(256)})
    words = [form for word in _WORDS for form in (word, word.upper(), word.capitalize())]
    return [*opening, *(base64.b64encode(word[: len(word) // 3 * 3].encode()).decode() for word in words)]


@frozen(kw_only=True)
class AdmissionSpec:
    """The validated options of :class:`SecretAdmission`."""

    name: str
    namespace: str
    writers: tuple[str, ...]
    action: Action
    secrets: tuple[str, ...]


def policy(spec: AdmissionSpec) -> dict[str, Any]:
    """What Secrets must be like."""
    bad = "object.data.filter(key, variables.prefixes.exists(prefix, object.data[key].startsWith(prefix)))"
    validations = [
        {
            "expression": f"!has(object.data) || size({bad}) == 0",
            "message": "a value is a placeholder",
            "messageExpression": f"'Secret ' + object.metadata.name + ' has placeholders instead of values: ' + {bad}.join(', ')",
            "reason": "Invalid",
        }
    ]
    if spec.writers:
        ours = _list(spec.secrets)
        validations.append(
            {
                "expression": f"!(object.metadata.name in {ours}) || request.userInfo.username in {_list(spec.writers)}",
                "message": "only its writers may change this Secret",
                "messageExpression": "'Secret ' + object.metadata.name + ' may not be changed by ' + request.userInfo.username",
                "reason": "Forbidden",
            }
        )
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}
    return _object(
        spec,
        "ValidatingAdmissionPolicy",
        {
            "failurePolicy": "Fail",
            "matchConstraints": {"matchPolicy": "Equivalent", "resourceRules": [rule]},
            "validations": validations,
            "variables": [{"expression": _list(placeholder_prefixes()), "name": "prefixes"}],
        },
    )


def binding(spec: AdmissionSpec) -> dict[str, Any]:
    """Where that holds: in one namespace."""
    selector = {"matchLabels": {"kubernetes.io/metadata.name": spec.namespace}}
    body = {"matchResources": {"namespaceSelector": selector}, "policyName": spec.name, "validationActions": [spec.action]}
    return _object(spec, "ValidatingAdmissionPolicyBinding", body)


def manifests(spec: AdmissionSpec) -> list[dict[str, Any]]:
    """The policy and its binding."""
    return [policy(spec), binding(spec)]


def _object(spec: AdmissionSpec, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    metadata = {"labels": labels("secrets-admission", spec.namespace, "secrets"), "name": spec.name}
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": body}


def _list(words: Collection[str] | Any) -> str:
    """A CEL list of strings; none of them holds a quote or a backslash."""
    return "[" + ", ".join(f"'{word}'" for word in words) + "]"


class SecretAdmission(Construct):
    """Refuses Secrets of the chart's namespace that hold placeholders, and changes to the platform's Secrets by anyone but their writers.

    Cluster-scoped, named after the namespace. Needs Kubernetes 1.30 or later. Values that begin with ``<`` (as every placeholder of
    ``TemplateSecrets``), with *change*, *replace* or *placeholder* count as placeholders; encoded ones, too, which the API server would take.

    :param scope: the chart; it must have a namespace.
    :param id: id of the construct in it.
    :param writers: user names that may create and change the catalogue's Secrets, for instance
        ``system:serviceaccount:external-secrets:external-secrets``; empty: everyone whom RBAC allows.
    :param action: what happens to others: ``Deny``, or only ``Warn`` or ``Audit`` for a first look.
    :param catalogue: whose Secrets only the writers may change. Default: the platform's 12.
    :raises ValueError: for a chart without a namespace, or a writer that is no user name.
    """

    @checked
    def __init__(self, scope: Construct, id: str, *, writers: Sequence[str] = (), action: Action = "Deny", catalogue: SecretCatalogue = SECRETS) -> None:
        with located(scope, id):
            namespace = cdk8s.Chart.of(scope).namespace
            if namespace is None:
                raise InvalidOption("namespace", None, "must be given to the chart: the policy holds for one namespace")
            for writer in writers if not isinstance(writers, str) else [writers]:
                if isinstance(writers, str) or not writer or any(c in writer for c in "'\\\n\r"):
                    raise InvalidOption("writers", writers, "must be a list of user names, for instance ['system:serviceaccount:argocd:controller']")
            if action not in get_args(Action):
                raise InvalidOption("action", action, f"must be one of {', '.join(get_args(Action))}")
            name = names.dns_subdomain("namespace", f"{namespace}-secrets")
            spec = AdmissionSpec(name=name, namespace=namespace, writers=tuple(writers), action=action, secrets=catalogue.names)
        super().__init__(scope, id)
        self.objects = Objects(self, manifests(spec))
        """The emitted objects by kind and name."""
