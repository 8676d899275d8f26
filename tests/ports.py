"""TCP ports for servers of tests."""

from __future__ import annotations

import random
import socket

_LOW, _HIGH = 20_000, 32_000
"""Below what systems hand out by themselves (Linux from 32768 on): no connection takes a port between the choice and its use."""


def free_port() -> int:
    """One of 127.0.0.1 that nobody listens on."""
    while True:
        port = random.SystemRandom().randrange(_LOW, _HIGH)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
