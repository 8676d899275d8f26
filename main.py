"""The reference app: one chart, synthesized to ``dist/``."""

from __future__ import annotations

import sos_constructs  # noqa: F401  # first: it chooses the Node that jsii runs on

import cdk8s


def build(app: cdk8s.App) -> list[cdk8s.Chart]:
    """Add the charts of the reference app to ``app`` and return them."""
    chart = cdk8s.Chart(app, "sos-app", namespace="sos-app", disable_resource_name_hashes=True)
    cdk8s.ApiObject(chart, "namespace", api_version="v1", kind="Namespace", metadata=cdk8s.ApiObjectMetadata(name="sos-app"))
    return [chart]


def main() -> None:
    """Write one file per chart to ``dist/``, or to ``$CDK8S_OUTDIR`` where that is set."""
    app = cdk8s.App()
    build(app)
    app.synth()


if __name__ == "__main__":
    main()
