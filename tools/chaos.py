"""What `make chaos` runs: rounds of random faults on a deployment of its own, under load, with a checker. Needs a cluster whose nodes may be broken.

Every round has a seed, which decides fault, target and duration: `--seed N --rounds 1` plays round N again. Records go into a file, a line each;
a seed that this code has already played is not played again, so an interrupted run goes on where it stopped. A round that breaks a promise leaves
logs in a folder. Exit code 1 when any round of the run was red (with --control: when no row was lost).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "chaos"
sys.path.insert(0, str(ROOT))

from sos_constructs import FastFailover  # noqa: E402  # first: it chooses the Node that jsii runs on

import attrs  # noqa: E402

from tests.chaos import evidence, faults, report, rounds  # noqa: E402  # the repository is no installed package
from tests.chaos.access import Addresses, environment  # noqa: E402
from tests.chaos.history import Write  # noqa: E402
from tests.chaos.onlooker import Onlooker  # noqa: E402
from tests.cluster import breakable, chart, deploy, kube  # noqa: E402
from tests.cluster import faults as drills  # noqa: E402
from tests.cluster.breakable import Breakable  # noqa: E402
from tools import bench  # noqa: E402

VARIANTS: dict[str, dict[str, Any]] = {
    "reference": {},
    "strict": {"synchronous_mode_strict": True},
    "fast": {"synchronous_mode_strict": True, "failover": FastFailover()},
    "control": {"synchronous_mode": "off"},
}
"""What HaPostgres is given besides the reference app's options."""
UNPLAYED_AT_MOST = 5
"""Rounds in a row that could not begin: each has waited for minutes already."""


def main() -> int:
    """Play, report, and say whether all was well."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: what a fault has broken is mended first
    os.environ["PATH"] += os.pathsep + str(breakable.HOME / "bin")
    tool = breakable.find()
    if isinstance(tool, str):
        sys.exit(f"chaos needs a cluster whose nodes may be broken: {tool}")
    variant = "control" if arguments.control else arguments.variant
    manifests = chart.reference(**VARIANTS[variant])
    code = hashlib.sha256(kube.documents(manifests).encode()).hexdigest()[:12]
    file = arguments.results / f"{variant}.jsonl"
    possible = {"control": faults.LOSING, "fast": (*faults.ALL, *faults.FAST)}.get(variant, faults.ALL)
    kinds = tuple(fault for fault in possible if re.search(arguments.only, fault.name))
    installation = attrs.evolve(deploy.installed(), sync_state="async" if arguments.control else "quorum")
    if arguments.reuse:
        kube.apply(manifests)  # the records are kept under the code of this chart
        drills.wait_rollout(installation)
    else:
        fresh(tool, manifests)
    installation.wait_healthy(rounds.PATIENCE)
    stage = rounds.Stage(
        installation=installation,
        tool=tool,
        addresses=Addresses(installation),
        environment=environment(installation),
        database=chart.LEDGER_DATABASE,
        budget=arguments.budget,
        tolerated=tuple(arguments.tolerate.split(",")) if arguments.tolerate else (),
    )
    onlooker = Onlooker(installation.namespace)
    try:
        later = run(stage, arguments, kinds, code, file, onlooker)
    finally:
        onlooker.close()
        stage.addresses.close()
    records = report.load(file, code)
    text = f"{report.table(records)}\n\n{note(records)}"
    print(f"\n{text}", flush=True)
    if arguments.publish:
        bench.publish("chaos" if variant == "reference" else f"chaos-{variant}", shlex.join(["python", "tools/chaos.py", *sys.argv[1:]]), text)
    mine = [record for record in records if arguments.seed <= record["seed"] < arguments.seed + arguments.rounds]
    if arguments.control:
        return int(not any(record["lost"] for record in mine))
    return int(bool(later) or len(mine) < arguments.rounds or any(record["failures"] for record in mine))


def fresh(tool: Breakable, manifests: list[dict[str, Any]]) -> None:
    """Our own deployment, in place of one that an earlier run left."""
    deploy.remove(chart.NAMESPACE, tool, by_force=True)  # on a cluster made to be broken
    tool.recycle_volumes()
    deploy.create_namespace(chart.NAMESPACE)
    deploy.generate_secrets()
    kube.apply(manifests)


def run(stage: rounds.Stage, arguments: argparse.Namespace, kinds: tuple[faults.Fault, ...], code: str, file: Path, onlooker: Onlooker) -> list[str]:
    """Every seed that has no record yet; then all of their rows once more, since a later round may lose what an earlier one found in place."""
    done = {record["seed"] for record in report.load(file, code)}
    print(f"code {code}, seeds {arguments.seed} to {arguments.seed + arguments.rounds - 1}, {len(done)} played before; records: {file}", flush=True)
    unplayed = 0
    promised: dict[str, list[Write]] = {}
    for seed in range(arguments.seed, arguments.seed + arguments.rounds):
        if seed in done:
            continue
        fault = faults.chosen(seed, kinds)
        try:
            record, history = rounds.play(stage, seed, fault)
        except (AssertionError, subprocess.SubprocessError, OSError) as error:  # nothing was learned about this seed: a later run plays it
            print(f"seed {seed}: {fault.name}: not played: {error}", flush=True)
            unplayed += 1
            if arguments.stop or unplayed == UNPLAYED_AT_MOST:
                sys.exit("the cluster does not come to rest")
            continue
        unplayed = 0
        promised[record["run"]] = history.writes
        record["code"] = code
        report.append(file, record)
        print(report.line(record), flush=True)
        if record["failures"]:
            evidence.collect(file.parent / f"{code}-{seed}", stage.installation, record, history, onlooker)
            if arguments.stop:
                break
    if arguments.control or not promised:
        return []
    later = rounds.audit(stage, promised)
    print(f"at the end: {sum(map(len, promised.values())):,} acknowledged rows of {len(promised)} rounds, {len(later)} missing {later[:3] or ''}", flush=True)
    return later


def note(records: list[dict[str, Any]]) -> str:
    """How to read the table."""
    seeds = [record["seed"] for record in records]
    return (
        f"{len(records)} rounds, seeds {min(seeds, default=0)} to {max(seeds, default=0)}, on one machine of {os.cpu_count()} cores that others used too "
        f"(load up to {max((record.get('load', 0) for record in records), default=0):.0f}). Three writers, a reader and "
        "fresh connections every 0.4 s through `postgres-service`, each with 2 s to connect and 3 s for an answer. A gap is the longest time without "
        "an acknowledged row; recovered means that all members stream, fresh connections write and every agent's steps succeed, counted from the fault's end."
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of the first round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=len(faults.ALL), help="one seed each (default: %(default)s, each fault once)")
    parser.add_argument("--only", default="", help="only faults whose name this regular expression finds")
    parser.add_argument("--reuse", action="store_true", help="apply the chart to what is deployed, instead of deploying anew")
    parser.add_argument("--stop", action="store_true", help="end at the first red round, and leave everything as it is")
    parser.add_argument("--budget", type=float, default=60, help="seconds within which all must have recovered (default: %(default)s)")
    parser.add_argument("--tolerate", default="", help="kinds of violations that do not make a round red, with commas: stale,phantom")
    parser.add_argument("--variant", default="reference", choices=[name for name in VARIANTS if name != "control"], help="options of HaPostgres")
    parser.add_argument("--control", action="store_true", help="asynchronous replication: rows must be lost, or the checker is blind")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of records and logs (default: build/chaos)")
    parser.add_argument("--publish", action="store_true", help="write the table into docs/explanation/benchmarks.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
