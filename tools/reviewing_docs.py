"""Write docs/how-to/reviewing.md and docs/pictures/chart.svg from dist/ and the table of consequences: ``python tools/reviewing_docs.py``.

The reports in the page are real: manifests are made with other options, and compared with dist/.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sos_constructs import HaPostgres, Layer, Resources, SosConfig  # noqa: E402  (after the path, so that main.py can be imported)
from sos_constructs.review import Consequence, load, render, review  # noqa: E402
from sos_constructs.review.catalogue import ROWS  # noqa: E402
from sos_constructs.review.graph import build, mermaid, svg  # noqa: E402
from sos_constructs.review.rows import Row  # noqa: E402

import cdk8s  # noqa: E402

import main  # noqa: E402

REFERENCE = "dist/sos-app.k8s.yaml"
PAGE = ROOT / "docs" / "how-to" / "reviewing.md"
PICTURE = ROOT / "docs" / "pictures" / "chart.svg"

INTRODUCTION = """\
# Reviewing a change

<!-- Written by tools/reviewing_docs.py (make graph). -->

A diff of YAML says which lines differ. What a reviewer needs to know is what happens when it is applied: nothing, a reload, restarts, an error, or
lost data. `sosctl diff` says that, and `sosctl graph` draws what will run.

```console
$ sosctl diff main              # dist/ of the branch main against dist/ here
$ sosctl diff HEAD~1:dist dist  # any revision, folder or file
$ sosctl graph --format svg -o chart.svg
```

It reads files, never a cluster. Values of Secrets are hidden in every output.

## What it looks like

`main.py` with `storage="100Gi"`, more memory, two settings of PostgreSQL and another log level:

```console
$ sosctl diff main dist
{text}
$ echo $?
{code}
```

With `--format markdown` the same is a comment for a pull request:

{markdown}

`--format json` has everything at full length: for each change the field, old and new value, consequence, the row of the table, and its source.

## Consequences

| consequence | exit code | means |
|---|---|---|
"""

CI = """
The exit code is that of the worst one, and 0 where nothing reaches `--fail-on` (default `reload`; `none` fails on any difference, `never` on
nothing). 2 means that the input could not be used. In CI:

```yaml
- run: sosctl diff origin/main --format markdown --fail-on never >> "$GITHUB_STEP_SUMMARY"
- run: sosctl diff origin/main --fail-on forbidden # restarts are the reviewer's call; refused updates and lost data are not
```

Objects are the same when group, kind, namespace and name are; a ConfigMap or Secret whose name ends with a hash of its content
(`content_hash_names=True`) is compared with the one that it replaces. Lists are matched as Kubernetes merges them (containers, env and volumes by name, ports
by number and protocol), others by position; `postgresql.conf` and JSON inside ConfigMaps are compared by setting and field, other texts by line.
A field that is left out is not the same as its default written out, although the API server will find no difference: such a change is reported as if
it had an effect.

## The picture

![What runs](../pictures/chart.svg)

`sosctl graph` without `--format svg` prints it as [Mermaid](https://mermaid.js.org), for Markdown that GitHub draws. `--rights` adds ServiceAccounts and
what their roles allow.

<details><summary>The same as Mermaid</summary>

```mermaid
{mermaid}```

</details>

## The table

Of all rows that match, the first counts. Whatever they call forbidden is refused by a real API server, and whatever they call a restart does change the
revision of the controller's pod template: `tests/cluster/test_consequences.py` tries each. Files of sources are those of Kubernetes 1.34.
"""


def changed() -> list[dict[str, Any]]:
    """The reference app with other options."""

    def database(*arguments: Any, **options: Any) -> HaPostgres:
        return HaPostgres(
            *arguments, **options, storage="100Gi", resources=Resources(memory_limit="8Gi"), parameters={"work_mem": "8MB", "autovacuum_max_workers": 5}
        )

    def config(*arguments: Any, **options: Any) -> SosConfig:
        return SosConfig(*arguments, **options, layers=[Layer("example", {"LOG_LEVEL": "warn"}, reason="an example")])

    with mock.patch.multiple(main, HaPostgres=database, SosConfig=config):
        chart, *_ = main.build(cdk8s.Testing.app())
    return list(cdk8s.Testing.synth(chart))


def page() -> str:
    """The whole page."""
    old = load(REFERENCE, ROOT)
    with TemporaryDirectory() as folder:
        (Path(folder) / "new.yaml").write_text(cdk8s.Yaml.stringify(*changed()), encoding="utf-8")
        result = review(old, load("new.yaml", Path(folder)))
    text = _steady("\n".join(line for line, _ in render.text(result)))
    parts = [INTRODUCTION.format(text=text, code=result.worst.exit_code, markdown=_steady("\n".join(f"> {line}".rstrip() for line in render.markdown(result))))]
    parts += [f"| {c.word} | {c.exit_code} | {c.meaning} |\n" for c in Consequence]
    parts.append(CI.format(mermaid=mermaid(build(load(REFERENCE, ROOT)))))
    parts += [f"{line}\n" for consequence in reversed(Consequence) for line in _rows(consequence)]
    return "".join(parts)


def _steady(report: str) -> str:
    """With made-up checksums, so that the page does not change with each of them."""
    made_up = iter(("5c1f09b2…", "e07a44d8…") * 10)
    return re.sub("\\b[0-9a-f]{8}…", lambda _: next(made_up), report)


def picture() -> str:
    """The picture of dist/."""
    return svg(build(load(REFERENCE, ROOT)))


def _rows(consequence: Consequence) -> Iterator[str]:
    yield from ("", f"### {consequence.word}", "", "| object | field | why | row, source |", "|---|---|---|---|")
    for row in ROWS:
        if row.consequence is consequence:
            condition = f"<br>when: {row.when}" if row.when else ""
            kinds = ", ".join(_kind(kind) for kind in row.kinds)
            yield f"| {kinds} | {'<br>'.join(map(_field, row.fields))}{condition} | {row.why.replace('{readers}', 'Pods')} | `{row.id}`: {_source(row)} |"


def _kind(kind: str) -> str:
    group, _, name = kind.rpartition("/")
    return "any" if kind == "*" else name if name != "*" else f"any of {group}"


def _field(pattern: str) -> str:
    named = {"+": "new", "-": "gone", "**": "any field"}
    path = pattern.removesuffix(" **").replace(" []", "[]").replace(" ", ".")
    return named.get(pattern) or f"`{path}`"


def _source(row: Row) -> str:
    return re.sub(r"\*", r"\*", row.source)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    PICTURE.write_text(picture(), encoding="utf-8", newline="\n")
