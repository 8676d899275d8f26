"""Where this pod's certificate stands, and what Patroni and PostgreSQL have to know of it.

Whether a pod serves TLS is a matter of its template: the one that mounts the certificate also has its probes ask by HTTPS. New files of
this package and a new ConfigMap reach pods of an older template too, and must leave these as they are. So what depends on the
certificate is added here, on the pod, and not in the ConfigMap.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CERTIFICATE, KEY, CA = "tls.crt", "tls.key", "ca.crt"

VERIFY, PREFER = "verify-ca", "prefer"
"""libpq's modes. Members call each other by address, and no certificate can name addresses that do not exist yet: verify-full would need DNS
at the moment when nodes fail. With a CA at hand, prefer verifies as well, and differs in going on without TLS where the server has none."""


@dataclass(frozen=True)
class Places:
    """``mounted`` is the Secret's volume; ``used`` is the agent's examined copy, which PostgreSQL and Patroni read."""

    mounted: Path
    used: Path

    def file(self, name: str) -> str:
        """Path of a file in use."""
        return str(self.used / name)


def with_tls(patroni: dict[str, Any], places: Places | None) -> dict[str, Any]:
    """Patroni's declared configuration as this pod needs it."""
    declared = patroni.pop("tls", {})
    ctl = patroni.setdefault("ctl", {})
    # Beside a certificate it only means that addresses in it are not asked for: the CA is verified (patroni/request.py). Without one it
    # lets a member of an older template talk to those that already serve TLS.
    ctl["insecure"] = True
    if places is None:
        return patroni
    pair = {"certfile": places.file(CERTIFICATE), "keyfile": places.file(KEY)}
    ctl.update({"cacert": places.file(CA), **pair})
    patroni["restapi"].update(pair)
    postgresql = patroni["postgresql"]
    postgresql["parameters"].update({"ssl": "on", "ssl_cert_file": pair["certfile"], "ssl_key_file": pair["keyfile"], "ssl_min_protocol_version": "TLSv1.2"})
    login = {"sslmode": VERIFY, "sslrootcert": places.file(CA)}
    postgresql["authentication"] = {"replication": dict(login), "rewind": dict(login)}
    postgresql["pg_hba"] = declared.get("pg_hba", postgresql["pg_hba"])
    return patroni


def sslmode_between(members: Iterable[Mapping[str, Any]], before: str) -> str:
    """How this member connects to another's PostgreSQL: without insisting on TLS while there are members of a template without a certificate."""
    schemes = {str(member.get("api_url", "")).partition(":")[0] for member in members}
    if "http" in schemes:
        return PREFER
    return VERIFY if schemes == {"https"} else before


@dataclass(frozen=True)
class RestApi:
    """How the members' REST API is called, from Patroni's local configuration: the same on every member."""

    scheme: str
    port: int
    cafile: str

    def url(self, host: str) -> str:
        """Where the member at this address answers."""
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def context(self) -> ssl.SSLContext | None:
        """For calls to other members: signed by our CA. Not by name, because they are called by address."""
        if self.scheme == "http":
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.cafile)
        return context

    def own_context(self) -> ssl.SSLContext | None:
        """For calls to this pod's own Patroni over the loopback device, where nobody else is: also while it serves a certificate of another CA."""
        if self.scheme == "http":
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def rest_api(patroni: Mapping[str, Any]) -> RestApi:
    """The REST API as ``Declared.patroni`` has it."""
    scheme = "https" if patroni["restapi"].get("certfile") else "http"
    return RestApi(scheme, int(patroni["restapi"]["listen"].rpartition(":")[2]), str(patroni.get("ctl", {}).get("cacert", "")))
