"""One HTTP call that has ended by a given moment, whatever the other side does: hang, trickle, cut off, or answer something else."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

FAILURES = (OSError, http.client.HTTPException, ValueError)
"""What a call raises where there is no whole answer in time."""
LONGEST = 32 << 20
"""Bytes of an answer."""


class _Until(io.RawIOBase):
    """What comes through a socket. A socket's own time-out is for each part of an answer, so each part gets what is left."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self.sock, self.until = sock, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.sock.settimeout(left(self.until))
        return self.sock.recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        self.sock.settimeout(left(self.until))
        self.sock.sendall(data)

    def makefile(self, *_mode: object) -> io.BufferedReader:
        return io.BufferedReader(self)

    def close(self) -> None:
        """The connection's end closes the socket: http.client closes this where an answer goes on."""


def left(until: float) -> float:
    """Seconds; raises TimeoutError when none is."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


@contextmanager
def answered(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, seconds: float, context: ssl.SSLContext | None
) -> Iterator[http.client.HTTPResponse]:
    """The answer, of any status; reading it is part of the time.

    :raises OSError, http.client.HTTPException, ValueError: see :data:`FAILURES`.
    """
    until, parts = time.monotonic() + seconds, urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    sock = socket.create_connection((host, port), timeout=seconds)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "https":
            sock.settimeout(left(until))
            sock = (context or ssl.create_default_context()).wrap_socket(sock, server_hostname=host)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = _Until(sock, until)
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, {**headers, "Connection": "close"})
        yield connection.getresponse()
    finally:
        sock.close()


def whole(answer: http.client.HTTPResponse, longest: int = LONGEST) -> bytes:
    """All of an answer."""
    body = answer.read(longest + 1)
    if len(body) > longest:
        raise ValueError("too long")
    if answer.length:  # read() says nothing where an answer is cut off but its length was asked for
        raise http.client.IncompleteRead(body, answer.length)
    return body
