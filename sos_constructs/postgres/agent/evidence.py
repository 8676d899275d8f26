"""What speaks for a dead leader: nobody sees it renew, and nobody gets an answer from it."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .lock_store import Lock

ANSWER = 1.0
"""Seconds that a living leader has for an answer."""
GAP = 2.0
"""Longest pause, in seconds, between two readings of the lock over which it still counts as watched: an API server that was away, or an
agent that had no processor, has seen nothing, which is not the same as having seen that nothing came."""

SSL_REQUEST = bytes((0, 0, 0, 8, 4, 210, 22, 47))
"""PostgreSQL's protocol: any server answers S or N, before it knows who asks."""


@dataclass
class Renewals:
    """For how long the lock has been watched without a renewal; by this machine's own clock, so that clocks need not agree."""

    clock: Callable[[], float] = time.monotonic
    _seen: tuple[str, str] = ("", "")
    _since: float = 0.0
    _last: float = float("-inf")

    def age(self, lock: Lock) -> float:
        """Take note of a reading of the lock: seconds since its present renewal was first seen, without a gap."""
        now, seen = self.clock(), (lock.holder, lock.renewed)
        if seen != self._seen or now - self._last > GAP:
            self._seen, self._since = seen, now
        self._last = now
        return now - self._since


def silent(host: str, rest_port: int, postgres_port: int, *, tls: bool, within: float = ANSWER) -> bool:
    """Whether neither Patroni nor PostgreSQL answers there within so many seconds."""
    asks = (lambda: patroni_answers(host, rest_port, tls=tls, within=within), lambda: postgres_answers(host, postgres_port, within))
    with ThreadPoolExecutor(len(asks)) as pool:
        return not any([*pool.map(lambda ask: ask(), asks)])


def patroni_answers(host: str, port: int, *, tls: bool, within: float = ANSWER) -> bool:
    """Any answer at all, be it an error: a frozen process still accepts connections."""
    kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    connection = kind(host, port, timeout=within)
    try:
        connection.request("GET", "/liveness")
        connection.getresponse()
    except ssl.SSLError:
        return True  # somebody is there who speaks TLS; who, does not matter here
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def postgres_answers(host: str, port: int, within: float = ANSWER) -> bool:
    """Whether a server answers the first message of the protocol."""
    try:
        with socket.create_connection((host, port), timeout=within) as connection:
            connection.sendall(SSL_REQUEST)
            return connection.recv(1) != b""
    except OSError:
        return False
