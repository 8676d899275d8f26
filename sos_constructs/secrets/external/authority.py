"""A small CA for a database inside the cluster, kept in the store, and the server certificates that the operator signs with it.

The CA is a document of its own, made once and never changed; its private key never enters the database's namespace as a Secret. The certificate is no document:
the operator makes a new one whenever it refreshes the Secret, which is how it is renewed. Clients trust the CA, so nothing changes for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sos_constructs.labels import labels
from sos_constructs.secrets.external import manifests as m
from sos_constructs.secrets.servers import Server

LIFETIME = timedelta(days=90)
"""As cert-manager's."""

RENEWAL = timedelta(days=7)
"""A week: that is when a Secret comes back that somebody deletes by hand, and it leaves a store that is away twelve weeks to come back. HaPostgres takes a
new certificate without a restart and without closing a connection."""

CA_LIFETIME = timedelta(days=3650)
"""Ten years, as the certificate with which Sealed Secrets seals: replacing it takes people."""

CA_KEY, CA_CERTIFICATE = "ca.key", "ca.crt"


def document_name(server: Server) -> str:
    """Name of the CA's document, before the store's own rules: ``postgres-ca``."""
    return f"{server.name}-ca"


def authority(server: Server, namespace: str) -> str:
    """Template of the document: a CA where no part of one exists."""
    # the names of two CAs must differ, or whoever trusts both may try the wrong one
    name = json.dumps(f"{server.name} in {namespace}"[:64])  # 64: RFC 5280, ub-common-name
    days = CA_LIFETIME.days
    return f"""
{{{{- $certificate := index . "{CA_CERTIFICATE}" }}}}
{{{{- $key := index . "{CA_KEY}" }}}}
{{{{- if not (or $certificate $key) }}}}
  {{{{- $ca := genPrivateKey "ecdsa" | genCAWithKey {name} {days} }}}}
  {{{{- $certificate = $ca.Cert }}}}
  {{{{- $key = $ca.Key }}}}
{{{{- end }}}}
{{{{- with $certificate }}}}
{CA_CERTIFICATE}: {{{{ . | toJson }}}}
{{{{- end }}}}
{{{{- with $key }}}}
{CA_KEY}: {{{{ . | toJson }}}}
{{{{- end }}}}
""".strip()


def certificate(server: Server, namespace: str, *, store: Mapping[str, str], remote_key: str) -> dict[str, Any]:
    """The server's Secret, signed with the CA of ``remote_key``.

    ``Replace``: nothing of the document is copied but the CA's certificate. It may hold several, of which the first signs.
    """
    hosts = " ".join(json.dumps(host) for host in server.hosts)
    text = f"""
{{{{- $ca := buildCustomCert (index . "{CA_CERTIFICATE}" | b64enc) (index . "{CA_KEY}" | b64enc) }}}}
{{{{- $server := genSignedCertWithKey {json.dumps(server.name)} (list) (list {hosts}) {LIFETIME.days} $ca (genPrivateKey "ecdsa") }}}}
tls.crt: {{{{ $server.Cert | toJson }}}}
tls.key: {{{{ $server.Key | toJson }}}}
ca.crt: {{{{ index . "{CA_CERTIFICATE}" | toJson }}}}
""".strip()
    template = {
        "engineVersion": "v2",
        "mergePolicy": "Replace",
        "metadata": {"labels": labels("secrets", "sos-app", "secrets")},
        "templateFrom": [{"literal": text, "target": "Data"}],
        "type": server.secret.type,
    }
    return m.copy(server.secret.name, namespace, store=store, data_from=m.extract(remote_key), refresh=RENEWAL, template=template, wave=m.WAVE_SECRET)
