"""Two databases in one namespace, and a nightly report that may only read.

``python examples/own_databases/main.py`` writes them to ``dist/`` beside this file, or to ``$CDK8S_OUTDIR`` where that is set.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sos_constructs import HaPostgres, SosNamespace, SosSecrets  # first: it chooses the Node that jsii runs on
from sos_constructs.emit import emit

import cdk8s
from databases import CATALOGUE, SHOP, SHOP_ROLES, STOCK

HERE = Path(__file__).parent

REPORT = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "report"},
    "spec": {
        "schedule": "0 3 * * *",
        "jobTemplate": {
            "spec": {
                "template": {
                    "metadata": {"labels": {"app.kubernetes.io/name": "report"}},
                    "spec": {
                        "restartPolicy": "Never",
                        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
                        "containers": [
                            {
                                "name": "report",
                                "image": "registry.example/report:1",
                                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                            }
                        ],
                    },
                }
            }
        },
    },
}


def build(app: cdk8s.App, **options: Any) -> cdk8s.Chart:
    """Both databases, with these options of HaPostgres, and the report."""
    chart = cdk8s.Chart(app, "own-databases", namespace="shop", disable_resource_name_hashes=True)
    SosNamespace(chart, "foundation", name="shop")
    secrets = SosSecrets(chart, "secrets", catalogue=CATALOGUE)
    shop = HaPostgres(chart, "shop", name="shop", databases=SHOP, roles=SHOP_ROLES, credentials=secrets["shop-postgres"], **options)
    HaPostgres(chart, "stock", name="stock", databases=STOCK, credentials=secrets["stock-postgres"], **options)
    emit(chart, shop.grant(REPORT, database="shop", role="report", readonly=True))
    return chart


if __name__ == "__main__":
    app = cdk8s.App(outdir=os.environ.get("CDK8S_OUTDIR") or str(HERE / "dist"))
    build(app)
    app.synth()
