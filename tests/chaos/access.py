"""How this machine reaches the database: a workload's environment with its values filled in, and who had which address."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

from tests.cluster import chart, kube
from tests.cluster.installation import Installation

PSQL_PLACES = ("/usr/lib/postgresql/15/bin/psql", "/usr/pgsql-15/bin/psql")


def psql() -> str:
    """This machine's psql."""
    found = [os.environ.get("LEDGER_PSQL", ""), *PSQL_PLACES, shutil.which("psql") or ""]
    for place in found:
        if place and Path(place).exists():
            return place
    raise AssertionError(f"no psql on this machine (looked at $LEDGER_PSQL, {', '.join(PSQL_PLACES)} and PATH)")


def environment(installation: Installation) -> dict[str, str]:
    """What `libpq_env` gives a workload, with the Secret's values and, since this machine does not ask the cluster's DNS, the Service's address."""
    values = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LEDGER_PSQL": psql()}
    for variable in chart.ledger_env(installation.namespace, installation.image):
        values[variable["name"]] = _value(installation, variable)
    service, _, _ = values["PGHOST"].partition(".")
    values["PGHOSTADDR"] = str(kube.get("service", service, "-n", installation.namespace)["spec"]["clusterIP"])
    return values


def _value(installation: Installation, variable: dict[str, Any]) -> str:
    if "value" in variable:
        return str(variable["value"])
    reference = variable["valueFrom"]["secretKeyRef"]
    secret = kube.get("secret", reference["name"], "-n", installation.namespace)
    return base64.b64decode(secret["data"][reference["key"]]).decode()


class Addresses:
    """Which member had an address, by watching the pods for as long as we run."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._members: dict[str, str] = {}
        self._stop = threading.Event()
        self._watch: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def member(self, address: str) -> str:
        """Its name, or the address itself where no pod was ever seen with it."""
        return self._members.get(address, address)

    def close(self) -> None:
        self._stop.set()
        if self._watch:
            self._watch.kill()
        self._thread.join(10)

    def _follow(self) -> None:
        columns = "custom-columns=:metadata.name,:status.podIP"
        selector = f"app.kubernetes.io/instance={self._installation.name}"
        command = ["kubectl", "get", "pods", "-n", self._installation.namespace, "-l", selector, "--watch", "--no-headers", "-o", columns]
        while not self._stop.is_set():
            self._watch = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            assert self._watch.stdout
            for line in self._watch.stdout:
                name, address, *_ = [*line.split(), "", ""]
                if address and address != "<none>":
                    self._members[address] = name
            self._watch.wait()
            self._stop.wait(1)
