"""The reference app: the platform's foundation, configuration, secrets and database in one chart, synthesized to ``dist/``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from sos_constructs import HaPostgres, SosConfig, SosNamespace, SosSecrets, TemplateSecrets  # first: it chooses the Node that jsii runs on

import cdk8s

if TYPE_CHECKING:
    from sos_constructs.postgres.sizes import SizeName

SIZE = cast("SizeName", os.environ.get("SOS_SIZE", "standard"))
"""``SOS_SIZE=laptop`` makes the platform small enough for kind and minikube."""


def build(app: cdk8s.App) -> list[cdk8s.Chart]:
    """Add the charts of the reference app to ``app`` and return them."""
    chart = cdk8s.Chart(app, "sos-app", namespace="sos-app", disable_resource_name_hashes=True)
    SosNamespace(chart, "foundation")
    secrets = SosSecrets(chart, "secrets")
    postgres = HaPostgres(chart, "postgres", credentials=secrets.postgres, size=SIZE)  # an unknown size is refused
    SosConfig(chart, "config", postgres=postgres)

    # A file of its own: it is edited and applied by hand, if at all, and never together with the chart.
    template = cdk8s.Chart(app, "secrets-template", namespace="sos-app", disable_resource_name_hashes=True)
    SosSecrets(template, "secrets", source=TemplateSecrets())
    return [chart, template]


def main() -> None:
    """Write one file per chart to ``dist/``, or to ``$CDK8S_OUTDIR`` where that is set."""
    app = cdk8s.App()
    build(app)
    app.synth()


if __name__ == "__main__":
    main()
