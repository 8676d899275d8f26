"""docs/reference/configuration.md, made from the catalogue: ``python -m sos_constructs.config.docs > docs/reference/configuration.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

from sos_constructs.config.catalogue import SOS
from sos_constructs.config.checks import Waiver
from sos_constructs.config.explain import larger_unit
from sos_constructs.config.layers import Setting, resolve
from sos_constructs.config.model import YOURS, Catalogue, Section

PREFIX = "sos-app"
"""Of the ConfigMaps' names, where no other is asked for."""

_INTRODUCTION = """\
# Configuration

{sections} ConfigMaps with {keys} keys. This page is made from the catalogue in `sos_constructs/config/catalogue/` by
`python -m sos_constructs.config.docs > docs/reference/configuration.md`; a test compares the two.

The defaults are production's. `staging` and `development` are layers over them, and your own layers come last:

```python
config = SosConfig(chart, "config", environment="staging", postgres=db, layers=[
    Layer("load-test", {{"RATE_LIMIT_MAX_REQUESTS": 5000, "JWT_ACCESS_TOKEN_TTL_MINUTES": timedelta(hours=1)}}, reason="one client plays a thousand"),
    Layer.from_file("overlays/eu.yaml", reason="the EU region's names"),
])
```

```yaml
# overlays/eu.yaml: flat keys; values may carry a unit, which is converted to the key's
APP_PUBLIC_URL: https://eu.sos-app.example
TZ: Europe/Berlin
LOG_RETENTION_DAYS: 14d
CORS_ALLOWED_ORIGINS: [https://eu.sos-app.example, https://admin.eu.sos-app.example]
```

Of YAML only what such a file needs is read: `KEY: value`, lists, quotes, comments. Every value is taken as the text that was written, so `no`,
`010` and `1:30` stay what they are, and the catalogue decides whether they are allowed.
Unknown keys, keys set twice and values that are not allowed are errors at synth, all of them at once.

Workloads take whole sections or single keys, and a checksum that restarts them when what they read has changed:

```python
{{
    "envFrom": config.env_from("app", "logging"),
    "env": [config.env("POSTGRES_HOST")],
}}
annotations = {{"checksum/config": config.checksum("app", "logging", "database")}}
```

For cdk8s-plus containers the same is `config.env_sources("app", "logging")` and `config.env_value("POSTGRES_HOST")`.

Other keys, other applications, ConfigMaps that are never changed but replaced, and what happens at a rollback:
[config-library.md](../how-to/config-library.md).

A key's last word is its unit. Ports end with `_PORT_NUMBER`, because Kubernetes itself sets `REDIS_PORT=tcp://…` where a Service is called redis.
"""


def markdown(catalogue: Catalogue = SOS, *, prefix: str = PREFIX, introduction: str | None = None, waivers: Sequence[Waiver] = ()) -> str:
    """The page of a catalogue.

    :param catalogue: default: the platform's.
    :param prefix: of the ConfigMaps' names.
    :param introduction: Markdown before the tables, with the page's title.
    :param waivers: ``config.waivers``, of an application that breaks rules on purpose.
    """
    if introduction is None:
        introduction = _INTRODUCTION.format(sections=len(catalogue.sections), keys=len(catalogue.keys)) if catalogue is SOS else "# Configuration\n"
    settings = {name: resolve(catalogue, (layer,)) for name, layer in catalogue.environments.items()}
    base = next((values for name, values in settings.items() if not catalogue.environments[name].values), None) or resolve(catalogue, ())
    yours = [(f"`{key.name}`", _shown(base[key.name]), key.doc) for key in catalogue.keys.values() if key.reason == YOURS]
    must = "## Values you must set\n\nNobody can know them in advance; the defaults are reserved names that reach nobody.\n"
    return "\n".join(
        [
            introduction,
            *((must, _table(("Key", "Default", "What it does"), yours)) if yours else ()),
            *(_section(section, base, prefix) for section in catalogue.sections),
            *((_environments(catalogue, settings),) if len(settings) > 1 else ()),
            *((_rules(catalogue),) if catalogue.rules else ()),
            *((_waived(waivers),) if waivers else ()),
        ]
    )


def _section(section: Section, settings: Mapping[str, Setting], prefix: str) -> str:
    rows = ((f"`{key.name}`", _shown(settings[key.name]), key.allowed, key.doc, key.reason) for key in section.keys)
    about = f"{section.doc}\n" if section.doc else ""
    head = f"## {section.title}\n\n{about}ConfigMap `{prefix}-{section.suffix}`, in code `{section.name}`.\n\n"
    return head + _table(("Key", "Default", "Allowed", "What it does", "Why this default"), rows)


def _environments(catalogue: Catalogue, settings: Mapping[str, Mapping[str, Setting]]) -> str:
    head = "## Environments\n\nWhere they differ.\n\n" + "".join(f"- `{name}`: {layer.reason}.\n" for name, layer in catalogue.environments.items())
    differing = [key for key in catalogue.keys if len({settings[name][key].text for name in settings}) > 1]
    rows = ((f"`{key}`", *(_shown(settings[name][key]) for name in settings)) for key in differing)
    return f"{head}\n" + _table(("Key", *settings), rows)


def _rules(catalogue: Catalogue) -> str:
    head = (
        "## Rules between keys\n\nA broken rule is an error at synth, unless it is waived: "
        '`SosConfig(..., waive={"shutdown": "our pods have a grace period of 90 seconds"})`.\n\n'
    )
    rows = (
        (f"`{rule.id}`", ", ".join(f"`{key}`" for key in rule.keys), rule.demand, f"{rule.reason}; {rule.fix}", rule.source)
        for rule in sorted(catalogue.rules, key=lambda rule: rule.id)
    )
    return head + _table(("Rule", "Keys", "Demand", "Why, and what to do", "Source"), rows)


def _waived(waivers: Sequence[Waiver]) -> str:
    rows = ((f"`{waiver.rule.id}`", waiver.reason, waiver.violation) for waiver in waivers)
    return "## Waived rules\n\nBroken on purpose.\n\n" + _table(("Rule", "Why it may be broken", "What is broken"), rows)


def _shown(setting: Setting) -> str:
    """The text, and a duration of a minute or more also in the largest unit that fits, where that is not the key's own."""
    if not setting.text:
        return "(empty)"
    larger = larger_unit(setting)
    return f"`{setting.text}`" + (f" ({larger})" if larger else "")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(markdown())
