"""What the kernel of a client's node remembers of connections to a Service whose server is gone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence

UNANSWERED = ("SYN_SENT", "FIN_WAIT", "LAST_ACK", "CLOSE_WAIT")
"""States of connections whose other side has vanished, in conntrack's words."""


def forget(service: str, states: Iterable[str] = ("",), *, inside: Sequence[str] = ()) -> None:
    """Have a node forget the connections to the Service that it tracks: all of them, when none is open, or those in some states. Without
    conntrack(8), nothing.

    kube-proxy decides once per connection; after that the kernel knows the connection by its addresses and ports, one whose server vanished for two
    minutes to five days. A new connection from the same port is taken for that one, and sent to where it went: to a former primary. Few clients
    connect so often from one address that its ports are used again within minutes, but those of the drills do, a few hundred times a round.

    :param service: the Service's address.
    :param inside: a command that runs another one on the client's node; by default that is this machine.
    """
    if shutil.which("conntrack"):
        for state in states:
            chosen = ["--state", state] if state else []
            subprocess.run(
                [*inside, "conntrack", "-D", "-p", "tcp", "--dst", service, "--dport", "5432", *chosen], capture_output=True, timeout=30, check=False
            )  # 1: there were none
