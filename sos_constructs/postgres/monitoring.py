"""Metrics of HaPostgres: the exporter with our queries, and what the Prometheus operator needs to scrape and alert.

The exporter logs in over the Unix socket by peer authentication, so there is no password to leak or rotate: PostgreSQL sees the uid of
the exporter's process and an ident map says which role that may be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sos_constructs import names as rules
from sos_constructs.checked import checked_in_use
from sos_constructs.errors import InvalidOption
from sos_constructs.parts import copied
from sos_constructs.postgres import dashboard, tls
from sos_constructs.postgres import names as n
from sos_constructs.postgres.alerts import GROUPS, Alert, Need, advice
from sos_constructs.postgres.containers import POSTGRES_EXPORTER, ExporterImage

import attrs

if TYPE_CHECKING:
    from sos_constructs.postgres.spec import Spec

EXPORTER_IMAGE, EXPORTER_UID = POSTGRES_EXPORTER.image, POSTGRES_EXPORTER.uid
EXPORTER_CONFIG_DIR = "/etc/postgres-exporter"
QUERIES_FILE = "queries.yaml"

METRICS_PORT = "metrics"
PATRONI_PORT = "patroni"
AGENT_PORT = "agent"

CLUSTER_LABEL = "postgres_cluster"
"""Label that the PodMonitor puts on every series. Only Patroni's own series say which installation they belong to."""

_QUERY_TIMEOUT = timedelta(seconds=5)
_COLLECTION_TIMEOUT = timedelta(seconds=8)
_SCRAPE_TIMEOUT = timedelta(seconds=10)
"""Each above the one before, so that a slow query is ended by the server and the scrape still delivers the rest."""


@checked_in_use
@attrs.frozen(kw_only=True)
class PrometheusOperator:
    """Emit a PodMonitor and a PrometheusRule. The cluster must have the Prometheus operator's CRDs.

    :param interval: time between two scrapes, in whole seconds, at least 5 s. Default 30 s, the Prometheus operator's own.
    :param namespace: namespace of the Prometheus pods: the NetworkPolicy lets it in. Default ``monitoring``, as most charts suggest.
    :param labels: labels by which your Prometheus selects PodMonitors and rules, for instance ``{"release": "kube-prometheus-stack"}``.
        They are added to both objects. Default: none, as for a Prometheus that selects everything.
    :param runbooks: where the alerts' annotation ``runbook_url`` leads, before ``#`` and the alert's name. Default: the page of this
        project's repository. Give the address at which your people read it.
    :param backup_cronjob: name of the CronJob, in the database's namespace, that makes your backups: adds ``SosPostgresBackupTooOld``. HaPostgres
        makes none itself. Needs kube-state-metrics. Default: none.
    :param backup_max_age: time since the CronJob's last success after which the alert is due, at least one hour. Default 26 hours: a
        daily job, and two hours for it to run.
    :param dashboard: also emit a Grafana dashboard, as a ConfigMap with the label ``grafana_dashboard: "1"``. Grafana's sidecar must search this
        namespace. Default: off.
    """

    interval: timedelta = timedelta(seconds=30)
    namespace: str = "monitoring"
    labels: Mapping[str, str] = attrs.field(factory=dict[str, str], converter=copied)
    runbooks: str = "docs/how-to/runbook.md"
    backup_cronjob: str | None = None
    backup_max_age: timedelta = timedelta(hours=26)
    dashboard: bool = False

    def check(self) -> None:
        """Raise :class:`InvalidOption` for an interval, a namespace, a label, an address, a CronJob or an age that cannot work."""
        seconds = self.interval.total_seconds()
        if seconds != int(seconds) or seconds < 5:
            raise InvalidOption("monitoring.interval", str(self.interval), "must be a whole number of seconds, at least 5: a scrape reads every database")
        rules.dns_label("monitoring.namespace", self.namespace)
        for key, value in self.labels.items():
            rules.label_pair(key, value)
        if not re.fullmatch(r"[^\s#]+", self.runbooks):
            raise InvalidOption(
                "monitoring.runbooks", self.runbooks, "must be an address without spaces and '#', such as 'https://wiki.example/postgres-runbook'"
            )
        if self.backup_cronjob is not None:
            rules.dns_subdomain("monitoring.backup_cronjob", self.backup_cronjob)
        if self.backup_max_age < timedelta(hours=1):
            raise InvalidOption("monitoring.backup_max_age", str(self.backup_max_age), "must be at least one hour: a job needs time to run")


def exporter_config(spec: Spec) -> dict[str, Any]:
    """``postgres-exporter-config``: our queries. The exporter reads them when it connects, so a change needs a restart of its container."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"labels": spec.names.labels, "name": spec.names.exporter_config, "namespace": spec.namespace},
        "data": {QUERIES_FILE: queries()},
    }


def queries() -> str:
    """Text of the exporter's query file."""
    return files("sos_constructs.postgres").joinpath("files").joinpath("exporter-queries.yaml").read_text("utf-8")


def exporter_container(*, resources: Mapping[str, Any], image: ExporterImage = POSTGRES_EXPORTER) -> dict[str, Any]:
    """The sidecar. Without a readiness probe: a pod is as ready as its least container, and a standby that is not ready is out of its Service.

    It mounts the pod's volumes ``socket`` (PostgreSQL's Unix socket) and ``exporter-config`` (:func:`exporter_config`).
    """
    # lib/pq hands unknown keywords to the server as settings: a query that hangs ends, and none can write.
    source = {
        "user": n.MONITORING_USER,
        "host": n.SOCKET_DIR,
        "dbname": "postgres",
        "sslmode": "disable",
        "application_name": "postgres-exporter",
        "statement_timeout": str(_milliseconds(_QUERY_TIMEOUT)),
        "default_transaction_read_only": "on",
        # It queries every database, and an owner may have put functions and tables of PostgreSQL's names before PostgreSQL's own.
        "search_path": "pg_catalog",
    }
    return {
        "name": "postgres-exporter",
        "image": image.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            f"--web.listen-address=:{n.EXPORTER_PORT}",
            f"--extend.query-path={EXPORTER_CONFIG_DIR}/{QUERIES_FILE}",
            # The built-in table collectors see one database only; with this flag our queries run in every one.
            "--auto-discover-databases",
            f"--collection-timeout={_duration(_COLLECTION_TIMEOUT)}",
            "--log.format=json",
        ],
        "env": [{"name": "DATA_SOURCE_NAME", "value": " ".join(f"{key}={value}" for key, value in source.items())}],
        "ports": [{"name": METRICS_PORT, "containerPort": n.EXPORTER_PORT, "protocol": "TCP"}],
        # The landing page answers whatever the database does.
        "livenessProbe": {"httpGet": {"path": "/", "port": METRICS_PORT}, "periodSeconds": 30, "timeoutSeconds": 5, "failureThreshold": 3},
        "resources": resources,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsGroup": image.gid,
            "runAsNonRoot": True,
            "runAsUser": image.uid,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": "socket", "mountPath": n.SOCKET_DIR, "readOnly": True},
            {"name": "exporter-config", "mountPath": EXPORTER_CONFIG_DIR, "readOnly": True},
        ],
    }


def pod_monitor(spec: Spec, operator: PrometheusOperator) -> dict[str, Any]:
    """Scrape exporter, Patroni and agent of every member."""
    endpoint = {
        "interval": _duration(operator.interval),
        "path": "/metrics",
        "relabelings": [{"action": "replace", "replacement": spec.name, "targetLabel": CLUSTER_LABEL}],
        "scrapeTimeout": _duration(min(_SCRAPE_TIMEOUT, operator.interval)),
    }
    return _custom(
        "PodMonitor",
        spec,
        operator,
        {
            "podMetricsEndpoints": [
                {"port": port, **endpoint, **(tls.scrape(spec) if port == PATRONI_PORT else {})} for port in (METRICS_PORT, PATRONI_PORT, AGENT_PORT)
            ],
            "selector": {"matchLabels": spec.names.selector},
        },
    )


def prometheus_rule(spec: Spec, operator: PrometheusOperator) -> dict[str, Any]:
    """The alerts that make sense for this installation."""
    have, tokens = installed(spec, operator), _tokens(spec, operator)
    names = {"name": spec.name, "namespace": spec.namespace, "certificate": tls.secret_name(spec.tls, spec.name) if spec.tls else ""}
    groups = [
        {"name": f"{spec.name}-{group}", "rules": [_rule(alert, tokens, names, operator) for alert in alerts if have.issuperset(alert.needs)]}
        for group, alerts in GROUPS.items()
    ]
    return _custom("PrometheusRule", spec, operator, {"groups": [group for group in groups if group["rules"]]})


def installed(spec: Spec, operator: PrometheusOperator) -> set[Need]:
    """What alerts and panels may count on."""
    several = spec.instances > 1
    found: dict[Need, bool] = {
        "standbys": several,
        "synchronous standbys": several and spec.synchronous_mode != "off",
        "a backup job": operator.backup_cronjob is not None,
        "a certificate": spec.tls is not None,
        "a pooler": spec.pooler is not None,
        "fast failover": spec.failover is not None,
    }
    return {need for need, there in found.items() if there}


def grafana_dashboard(spec: Spec, operator: PrometheusOperator) -> dict[str, Any]:
    """``postgres-dashboard``: a ConfigMap that the sidecar of Grafana's chart picks up by its label."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "labels": spec.names.labels | dashboard.LABEL | dict(sorted(operator.labels.items())),
            "name": f"{spec.name}-dashboard",
            "namespace": spec.namespace,
        },
        "data": {f"{spec.namespace}-{spec.name}.json": dashboard.text(f"PostgreSQL {spec.namespace}/{spec.name}", _matchers(spec), installed(spec, operator))},
    }


def _matchers(spec: Spec) -> dict[str, str]:
    """What narrows a query to the series of this installation and of its volumes."""
    return {
        "$cluster": f'namespace="{spec.namespace}",{CLUSTER_LABEL}="{spec.name}"',
        "$volumes": f'namespace="{spec.namespace}",persistentvolumeclaim=~"data-{spec.name}-[0-9]+"',
    }


def _tokens(spec: Spec, operator: PrometheusOperator) -> dict[str, str]:
    """What stands in an alert's expression for this installation's names and numbers."""
    found = _matchers(spec) | {
        "$backup_age": str(int(operator.backup_max_age.total_seconds())),
        "$cronjob": f'{{namespace="{spec.namespace}",cronjob="{operator.backup_cronjob}"}}',
        "$members": str(spec.instances),
    }
    if spec.tls is not None:
        found["$renewal"] = str(int(tls.renewal(spec.tls).total_seconds()))
    if spec.pooler is not None:
        found |= {"$poolers": str(spec.pooler.replicas), "$wait": str(spec.pooler.wait_seconds(spec))}
    return found


def _rule(alert: Alert, tokens: Mapping[str, str], names: Mapping[str, str], operator: PrometheusOperator) -> dict[str, Any]:
    expr = alert.expr
    for token, text in tokens.items():
        expr = expr.replace(token, text)
    return {
        "alert": alert.title,
        "expr": expr,
        "for": alert.lasting,
        "labels": {"severity": alert.severity},
        "annotations": {
            "description": alert.description,
            "runbook": advice(alert, names),
            "runbook_url": f"{operator.runbooks}#{alert.anchor}",
            "summary": alert.summary,
        },
    }


def _custom(kind: str, spec: Spec, operator: PrometheusOperator, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": kind,
        "metadata": {"labels": spec.names.labels | dict(sorted(operator.labels.items())), "name": spec.name, "namespace": spec.namespace},
        "spec": body,
    }


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _duration(span: timedelta) -> str:
    return f"{int(span.total_seconds())}s"
