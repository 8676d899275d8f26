"""kubectl with the current kubeconfig, and waiting."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
Manifest = Mapping[str, Any]


class KubectlError(AssertionError):
    """kubectl failed where it should not have."""


def run(*arguments: str, stdin: str | None = None, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """kubectl, whatever comes of it."""
    try:
        return subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(arguments, 124, "", f"no answer within {seconds:.0f} s")


@contextmanager
def begin(*arguments: str, stdin: str) -> Iterator[None]:
    """kubectl beside us, for as long as the block lasts or longer."""
    with subprocess.Popen(["kubectl", *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdin
        process.stdin.write(stdin)
        process.stdin.close()
        yield
        process.wait(timeout=120)


def kubectl(*arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
    """The output of a kubectl that must succeed."""
    done = run(*arguments, stdin=stdin, seconds=seconds)
    if done.returncode:
        raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def get(*arguments: str) -> dict[str, Any]:
    """`kubectl get … -o json`."""
    value: dict[str, Any] = json.loads(kubectl("get", *arguments, "-o", "json"))
    return value


def items(*arguments: str) -> list[dict[str, Any]]:
    """The items of `kubectl get … -o json`."""
    return list(get(*arguments)["items"])


def documents(manifests: Iterable[Manifest]) -> str:
    """Manifests as one stream for `kubectl … -f -`."""
    return "".join(f"---\n{json.dumps(manifest)}\n" for manifest in manifests)


def apply(manifests: Iterable[Manifest], *options: str) -> str:
    """`kubectl apply` as a user would."""
    return kubectl("apply", *options, "-f", "-", stdin=documents(manifests))


def poll(what: str, question: Callable[[], T], seconds: float = 180, pause: float = 1.0) -> T:
    """Ask until the answer is truthy and return it. Kubectl failing, or an assertion, counts as no; the last one is told in the end."""
    until, last = time.monotonic() + seconds, ""
    while True:
        try:
            answer = question()
            if answer:
                return answer
            last = f"last answer: {answer!r}"
        except (AssertionError, LookupError, ValueError) as error:
            last = str(error)
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds:.0f} s in vain: {what}; {last}")
        time.sleep(pause)
