"""What `make bench` runs: start-up against an empty cdk8s app, cost per object; with --cluster the write gap of every fault, with --pgbench the settings.

Figures go into docs/explanation/benchmarks.md, between markers; what was not measured this time stays as it is. --cluster breaks members, and nodes
where a breakable cluster is known, of the reference app on the cluster of the current kubeconfig.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "explanation" / "benchmarks.md"
GOAL = 1.15
"""Start-up of the reference app over that of an empty one, at most."""
ENVIRONMENTS = (1, 10, 100)

EMPTY_APP = "import cdk8s; app = cdk8s.App(); cdk8s.Chart(app, 'empty'); app.synth()"
IMPORTING_APP = "from sos_constructs import HaPostgres, SosConfig, SosNamespace, SosSecrets, TemplateSecrets; " + EMPTY_APP

ENVIRONMENTS_APP = """
import json, pathlib, re, sys, time
sys.path.insert(0, {root!r})
import main
import cdk8s
from constructs import Construct
app = cdk8s.App()
began = time.perf_counter()
for number in range({count}):
    main.build(Construct(app, f"environment-{{number}}"))
built = time.perf_counter()
app.synth()
done = time.perf_counter()
objects = sum(len(re.findall(r"^kind: ", file.read_text(), re.M)) for file in pathlib.Path(app.outdir).rglob("*.yaml"))
print(json.dumps({{"objects": objects, "build": built - began, "synth": done - built}}))
"""

NEW_PAGE = """# Benchmarks

Made by `make bench`; figures of one machine, for comparison and not as a promise.
"""


def run_python(code_or_file: list[str], output: str) -> tuple[float, str]:
    """Seconds of the whole process, and what it printed."""
    environment = os.environ | {"CDK8S_OUTDIR": output, "JSII_NODE": node()}
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *code_or_file], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(done.stderr)
    return seconds, done.stdout


def node() -> str:
    """The Node that the library chooses, so that both sides of a pair run on the same."""
    ask = "import os, sos_constructs; print(os.environ.get('JSII_NODE', ''))"
    shown = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    return shown.stdout.strip() or "node"


def startup(rounds: int) -> str:
    """Rounds of an empty app, the same with our constructs imported, and main.py, one after the other, so that a busy machine slows all."""
    apps = {"empty cdk8s app": ["-c", EMPTY_APP], "the same, our constructs imported": ["-c", IMPORTING_APP], "main.py": ["main.py"]}
    seconds: dict[str, list[float]] = {name: [] for name in apps}
    with tempfile.TemporaryDirectory() as output:
        for _ in range(rounds + 1):
            for name, command in apps.items():
                seconds[name].append(run_python(command, output)[0])
    times = {name: measured[1:] for name, measured in seconds.items()}  # the first round fills caches
    (_, empty), *_ = times.items()
    rows = ["| whole process | min | median | ratio of min | ratio, median round by round |", "|---|---|---|---|---|"]
    for name, measured in times.items():
        ratios = [mine / theirs for mine, theirs in zip(measured, empty, strict=True)]
        rows.append(
            f"| {name} | {min(measured):.3f} s | {statistics.median(measured):.3f} s | {min(measured) / min(empty):.2f} "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |"
        )
    return "\n".join([*rows, "", f"{rounds} rounds; goal: at most {GOAL}."])


def objects() -> str:
    """Environments of the reference app in one process."""
    rows = ["| environments | objects | build | synth | per object |", "|---|---|---|---|---|"]
    for count in ENVIRONMENTS:
        with tempfile.TemporaryDirectory() as output:
            _, printed = run_python(["-c", ENVIRONMENTS_APP.format(root=str(ROOT), count=count)], output)
        figures = json.loads(printed.splitlines()[-1])
        total = figures["build"] + figures["synth"]
        rows.append(f"| {count} | {figures['objects']} | {figures['build']:.2f} s | {figures['synth']:.2f} s | {1000 * total / figures['objects']:.2f} ms |")
    return "\n".join(rows)


def cluster(rounds: int, only: str) -> str:
    """Every fault so many times, on the reference app; deployed for it unless it is there already."""
    from tests.cluster import breakable, chart, deploy, faults, kube

    os.environ["PATH"] += os.pathsep + str(breakable.HOME / "bin")
    found = breakable.find()
    tool = None if isinstance(found, str) else found
    ours = kube.run("get", "namespace", chart.NAMESPACE).returncode != 0
    installation = deploy.deploy() if ours else deploy.installed()
    installation.wait_healthy()
    chosen = [fault for fault in faults.ALL if re.search(only, fault.name) and (tool or not fault.breaks_node)]
    rows = [
        "| fault | rounds | write gap min | median | p95 | max | fresh connections fail until (worst) | all stream again (worst) | acknowledged | lost |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for fault in chosen:
        gaps, until, streaming, acknowledged, lost = [], [], [], 0, 0
        for number in range(rounds):
            outcome = faults.drill(installation, fault, tool)
            print(f"{number + 1}/{rounds} {outcome.line(fault.name)}", flush=True)
            gaps.append(outcome.summary["write_gap"])
            until.append(outcome.summary["fresh"]["last"])
            streaming.append(outcome.streaming_after or 0.0)
            acknowledged += outcome.summary["rows"]
            lost += outcome.lost
        shown = " | ".join(f"{value:.2f} s" for value in (min(gaps), statistics.median(gaps), percentile(gaps, 0.95), max(gaps)))
        failed = [value for value in until if value is not None]
        worst = f"{max(failed):+.1f} s" if failed else "none failed"
        rows.append(f"| {fault.name} | {rounds} | {shown} | {worst} | {max(streaming):.0f} s | {acknowledged:,} | {lost} |")
    version = json.loads(kube.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
    skipped = f" Nodes were not broken: {found}." if isinstance(found, str) else ""
    if ours:
        deploy.remove(chart.NAMESPACE, tool)
    note = (
        f"Kubernetes {version}, {installation.instances} members, 4 writers with a 3 s time-out through `postgres-service`, a fresh connection every 0.25 s. "
        "A gap is the longest time without an acknowledged row; fresh connections: the last failure, relative to the first row after the gap; "
        "all stream again: from the end of the fault (node booted, cable plugged in, pod thawed) on. Rows may be of several runs."
    )
    return "\n".join([*kept_rows(rows), "", note + skipped])


def percentile(values: list[float], part: float) -> float:
    """By nearest rank: a value that was measured."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def kept_rows(rows: list[str]) -> list[str]:
    """The new rows, and those of the page for other faults: a run of some faults does not throw away what another run measured."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    found = re.search(r"<!-- cluster -->.*<!-- /cluster -->", page, re.DOTALL)
    header, rule, *measured = rows
    if not found or header not in found[0]:
        return rows
    names = {row.split(" | ")[0] for row in measured}
    before = [line for line in found[0].splitlines() if line.startswith("| ") and line != header and line.split(" | ")[0] not in names]
    return [header, rule, *before, *measured]


def publish(section: str, command: str, text: str) -> None:
    """Replace one section of the page, or add it."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else NEW_PAGE
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    body = f"<!-- {section} -->\n`{command}` ({machine})\n\n{text}\n<!-- /{section} -->"
    pattern = re.compile(rf"<!-- {section} -->.*<!-- /{section} -->", re.DOTALL)
    page = pattern.sub(lambda _: body, page) if pattern.search(page) else f"{page.rstrip()}\n\n## {TITLES[section]}\n\n{body}\n"
    PAGE.write_text(page, encoding="utf-8")
    print(f"\n{TITLES[section]}\n\n{text}", flush=True)


TITLES = {
    "startup": "Start-up",
    "objects": "Cost per object",
    "cluster": "Faults",
    "chaos": "Chaos",
    "chaos-strict": "Chaos, strict",
    "chaos-fast": "Chaos, fast failover",
    "chaos-control": "Chaos, control without synchronous replication",
    "settings": "PostgreSQL settings",
}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start-ups", type=int, default=10, help="rounds of start-ups (default: %(default)s)")
    parser.add_argument("--cluster", action="store_true", help="break the reference app on the current cluster, and measure nothing else")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of every fault, or of pgbench, which takes at least 5 (default: %(default)s)")
    parser.add_argument("--only", default="", help="regular expression: only these faults")
    parser.add_argument("--pgbench", action="store_true", help="compare the settings with PostgreSQL's own and the requirement's, and measure nothing else")
    parser.add_argument("--seconds", type=int, default=60, help="of one server's turn under pgbench (default: %(default)s)")
    parser.add_argument("--scale", type=int, default=50, help="pgbench's: 50 is 750 MB for each server (default: %(default)s)")
    arguments = parser.parse_args()
    command = shlex.join(["python", "tools/bench.py", *sys.argv[1:]])
    sys.path.insert(0, str(ROOT))
    if arguments.cluster:
        publish("cluster", command, cluster(arguments.rounds, arguments.only))
        return
    if arguments.pgbench:
        from tools import settings_bench

        publish("settings", command, settings_bench.measure(max(arguments.rounds, 5), arguments.seconds, arguments.scale))
        return
    publish("startup", command, startup(arguments.start_ups))
    publish("objects", command, objects())


if __name__ == "__main__":
    main()
