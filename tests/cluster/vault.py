"""A Vault (or OpenBao, which speaks the same) for the tests, where ``VAULT_ADDR``, ``VAULT_TOKEN`` and ``VAULT_CACERT`` name one, as for its command line.

It must answer pods of the cluster at that address, by https, and have the KV engine, version 2, at ``secret/``, as in development mode.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.cluster import kube

REVIEWER = "vault-reviewer"


@attrs.frozen
class Server:
    """The server, as its administrator."""

    address: str
    token: str
    ca: Path

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request; nothing where there is nothing."""
        request = urllib.request.Request(f"{self.address}/v1/{path}", json.dumps(body or {}).encode() if body is not None else None, method=method)
        request.add_header("X-Vault-Token", self.token)
        try:
            with urllib.request.urlopen(request, timeout=20, context=ssl.create_default_context(cafile=str(self.ca))) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return {}
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        return dict(json.loads(text)) if text else {}

    def trust(self, namespace: str, mount: str, role: str, policy: str) -> None:
        """Let ServiceAccount ``<namespace>-secrets`` log in at ``mount`` as docs/how-to/external-secrets.md says, and give it ``policy``."""
        self.call("POST", f"sys/auth/{mount}", {"type": "kubernetes"})
        self.trust_again(namespace, mount)
        self.call("PUT", f"sys/policies/acl/{role}", {"policy": policy})
        bound = {"bound_service_account_names": f"{namespace}-secrets", "bound_service_account_namespaces": namespace}
        self.call("POST", f"auth/{mount}/role/{role}", {**bound, "audience": "vault", "policies": role})

    def trust_again(self, namespace: str, mount: str) -> None:
        """Log in at the API server as the namespace's reviewer, which is a new one where the namespace is."""
        config = json.loads(kube.kubectl("config", "view", "--raw", "--minify", "-o", "json"))["clusters"][0]["cluster"]
        ca = config.get("certificate-authority-data")
        pem = base64.b64decode(ca).decode() if ca else Path(config["certificate-authority"]).read_text()
        reviewer = kube.kubectl("create", "token", REVIEWER, "-n", namespace, "--duration=2h").strip()
        self.call("POST", f"auth/{mount}/config", {"kubernetes_host": config["server"], "kubernetes_ca_cert": pem, "token_reviewer_jwt": reviewer})


def server() -> Server:
    """The one that may be used, or a skip."""
    names = ("VAULT_ADDR", "VAULT_TOKEN", "VAULT_CACERT")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        pytest.skip(f"no Vault: {', '.join(missing)} not set")
    found = Server(os.environ["VAULT_ADDR"], os.environ["VAULT_TOKEN"], Path(os.environ["VAULT_CACERT"]))
    try:
        found.call("GET", "sys/health")
    except OSError as error:
        pytest.skip(f"no Vault answers at {found.address}: {error}")
    return found


def reviewer(namespace: str) -> list[dict[str, Any]]:
    """A ServiceAccount that may ask the API server whose tokens are: Vault's own, outside the cluster."""
    rbac = "rbac.authorization.k8s.io"
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": "system:auth-delegator"}
    subject = {"kind": "ServiceAccount", "name": REVIEWER, "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": REVIEWER, "namespace": namespace}},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": f"{namespace}-{REVIEWER}"}, "roleRef": role, "subjects": [subject]},
    ]


def policy(prefix: str) -> str:
    """What docs/how-to/external-secrets.md says that the bootstrap needs."""
    data, metadata = f'path "secret/data/{prefix}/*"', f'path "secret/metadata/{prefix}/*"'
    return f'{data} {{ capabilities = ["read", "create", "update"] }}\n{metadata} {{ capabilities = ["read", "create", "update"] }}'
