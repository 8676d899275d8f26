"""A database, and a service that writes a row into it every second: the app of the quick start.

``python examples/quick_start/main.py`` writes it to ``dist/`` beside this file, or to ``$CDK8S_OUTDIR`` where that is set.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sos_constructs import SPILO, HaPostgres, SosNamespace, SosSecrets  # before cdk8s: it chooses the Node that cdk8s runs on
from sos_constructs.emit import emit

import cdk8s
from databases import CATALOGUE, DATABASES

NAME = "quick-start"
SCRIPT = """\
while true; do
  psql -qAt -c "INSERT INTO visits DEFAULT VALUES RETURNING 'row ' || id || ', written to ' || inet_server_addr()" && touch /tmp/wrote
  sleep 1
done
"""
SERVICE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "visits"},
    "spec": {
        "selector": {"matchLabels": {"app": "visits"}},
        "template": {
            "metadata": {"labels": {"app": "visits"}},
            "spec": {
                "securityContext": {"runAsUser": SPILO.uid},
                "containers": [
                    {
                        "name": "visits",
                        "image": SPILO.image,  # the database's own image: it has psql, and the nodes have it already
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", SCRIPT],
                        "readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/wrote"]}},
                    }
                ],
            },
        },
    },
}


def build(app: cdk8s.App, namespace: str = NAME, **options: Any) -> cdk8s.Chart:
    """The chart, in this namespace, with these options of HaPostgres."""
    chart = cdk8s.Chart(app, NAME, namespace=namespace, disable_resource_name_hashes=True)
    SosNamespace(chart, "foundation", name=namespace)
    secrets = SosSecrets(chart, "secrets", catalogue=CATALOGUE)
    db = HaPostgres(chart, "shop", name="shop", size="laptop", databases=DATABASES, credentials=secrets["shop-postgres"], **options)
    emit(chart, db.grant(SERVICE, database="shop"))
    return chart


if __name__ == "__main__":
    app = cdk8s.App(outdir=os.environ.get("CDK8S_OUTDIR") or str(Path(__file__).parent / "dist"))
    build(app)
    app.synth()
