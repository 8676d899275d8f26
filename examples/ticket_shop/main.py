"""A ticket shop: another application on SosConfig, with keys, rules, environments and layers of its own.

``python examples/ticket_shop/main.py`` writes one file per environment to ``dist/`` beside this file, or to ``$CDK8S_OUTDIR`` where that is set.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sos_constructs import SOS, Catalogue, Key, Layer, Rule, Section, SosConfig, restricted  # first: it chooses the Node that jsii runs on
from sos_constructs.config.values import BOOL, PORT, URL, Choice, Duration, Int, Items, days, minutes, seconds
from sos_constructs.emit import emit

import cdk8s
import cdk8s_plus_27 as kplus

HERE = Path(__file__).parent

SALES = Section(
    "sales",
    [
        Key("TICKETS_HOLD_MINUTES", Duration(minutes(1), minutes(60)), minutes(10), "How long seats are kept for a payment.", "most payments take three"),
        Key("TICKETS_MAX_PER_ORDER", Int(1, 100), 8, "Most tickets in one order.", "larger groups call the box office"),
        Key("TICKETS_LANGUAGES", Items(Choice("de", "en", "fr", "it")), ("de", "en"), "Languages of the shop.", "what the staff speaks"),
        Key("TICKETS_REFUND_DAYS", Duration(days(0), days(60)), days(14), "How long before the event tickets can be given back.", "the promoters' contract"),
        Key("TICKETS_PORT_NUMBER", PORT, 8080, "Port on which the shop answers.", "above 1024, so that no capability is needed"),
    ],
    doc="What is sold, and how.",
)

PAYMENTS = Section(
    "payments",
    [
        Key("PAYMENT_URL", URL, "https://pay.example/v2", "The payment provider.", "its address for live payments"),
        Key("PAYMENT_TIMEOUT_SECONDS", Duration(seconds(1), minutes(30)), minutes(5), "How long paying may take.", "the provider's own limit"),
        Key("PAYMENT_RETURNS_ENABLED", BOOL, True, "Lets people come back and pay again after a failure.", "every second failure is a mistyped code"),
    ],
    doc="How it is paid.",
)

HOLD_COVERS_PAYMENT = Rule(
    id="hold-covers-payment",
    keys=["TICKETS_HOLD_MINUTES", "PAYMENT_TIMEOUT_SECONDS", "PAYMENT_RETURNS_ENABLED"],
    holds=lambda hold, payment, again: hold >= payment * (2 if again else 1),
    demand="seats must be kept for as long as paying may take, twice if people may come back",
    reason="otherwise somebody pays for seats that were sold to another",
    fix="raise TICKETS_HOLD_MINUTES or lower PAYMENT_TIMEOUT_SECONDS",
    source="the incident of the first night",
)

TRIAL = Layer(
    "trial",
    {"PAYMENT_URL": "https://sandbox.pay.example/v2", "TICKETS_HOLD_MINUTES": 1, "LOG_LEVEL": "debug"},
    reason="no money moves, and testers do not wait",
)

CATALOGUE = Catalogue([SALES, PAYMENTS, SOS.section("logging")], rules=[HOLD_COVERS_PAYMENT], environments={"live": Layer("live", {}), "trial": TRIAL})

WAIVED = {"live": {}, "trial": {"hold-covers-payment": "a seat sold twice is what the trial is for"}}


def build(app: cdk8s.App, environment: str) -> SosConfig:
    """The shop in one environment: its configuration, the shop itself, and the mailer that needs less of it."""
    chart = cdk8s.Chart(app, f"tickets-{environment}", namespace=f"tickets-{environment}", disable_resource_name_hashes=True)
    config = SosConfig(
        chart,
        "config",
        catalogue=CATALOGUE,
        environment=environment,
        layers=[Layer.from_file(HERE / "basel.yaml")],
        waive=WAIVED[environment],
        prefix="tickets",
        part_of="tickets",
        content_hash_names=True,
    )
    shop = kplus.ContainerProps(
        image="registry.example/tickets/shop:1",
        port_number=8080,
        env_from=config.env_sources(),
        resources=kplus.ContainerResources(
            cpu=kplus.CpuResources(request=kplus.Cpu.millis(100)),
            memory=kplus.MemoryResources(request=cdk8s.Size.mebibytes(128), limit=cdk8s.Size.mebibytes(256)),
        ),
    )
    restricted(kplus.Deployment(chart, "shop", metadata=cdk8s.ApiObjectMetadata(name="shop"), containers=[shop]))
    emit(chart, restricted(mailer(config)))
    return config


def mailer(config: SosConfig) -> dict[str, Any]:
    """A plain manifest: the handles give plain references as well."""
    labels = {"app.kubernetes.io/name": "mailer"}
    container = {
        "name": "mailer",
        "image": "registry.example/tickets/mailer:1",
        "envFrom": config.env_from("logging"),
        "env": [config.env("TICKETS_LANGUAGES", "LANGUAGES")],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "mailer", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}},
    }


def main() -> None:
    """Write one file per environment."""
    app = cdk8s.App(outdir=os.environ.get("CDK8S_OUTDIR") or str(HERE / "dist"))
    for environment in CATALOGUE.environments:
        build(app, environment)
    app.synth()


if __name__ == "__main__":
    main()
