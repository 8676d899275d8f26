"""What tests of single builders share: a specification like the construct's defaults, with monitoring, and the exporter's queries."""

from __future__ import annotations

from functools import cache
from typing import Any

from sos_constructs.postgres import monitoring
from sos_constructs.postgres.containers import SPILO, Resources
from sos_constructs.postgres.monitoring import PrometheusOperator
from sos_constructs.postgres.spec import DATABASES, PatroniTiming, Spec
from sos_constructs.secrets.handles import SecretHandle

import yaml


def spec(**options: Any) -> Spec:
    keys = [f"{role}-{what}" for role in ("postgres", "replication", "rewind", "monitoring", "patroni") for what in ("username", "password")]
    keys += [key for database in DATABASES for key in (database.username_key, database.password_key)]
    defaults: dict[str, Any] = {
        "name": "postgres",
        "namespace": "sos-app",
        "credentials": SecretHandle("postgres-credentials", {key: key.upper().replace("-", "_") for key in keys}),
        "instances": 3,
        "databases": DATABASES,
        "storage": "50Gi",
        "storage_template": None,
        "storage_class": None,
        "image": SPILO,
        "resources": Resources(),
        "exporter_resources": Resources(cpu_request="50m", cpu_limit="200m", memory_request="64Mi", memory_limit="256Mi"),
        "shared_memory": "256Mi",
        "parameters": {},
        "timing": PatroniTiming(),
        "synchronous_mode": "quorum",
        "synchronous_mode_strict": False,
        "priority_class_name": None,
        "monitoring": PrometheusOperator(),
    }
    return Spec(**defaults | options)


@cache
def queries() -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(monitoring.queries())
    return loaded


@cache
def series() -> dict[str, str]:
    """Our series and what they mean."""
    return {
        f"{prefix}_{column}": options["description"]
        for prefix, query in queries().items()
        for metric in query["metrics"]
        for column, options in metric.items()
        if options["usage"] != "LABEL"
    }
