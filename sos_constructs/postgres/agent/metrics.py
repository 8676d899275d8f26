"""The agent's own health, for Prometheus and for its liveness probe."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from .log import log


class Metrics:
    """Outcome of every step, when the loop last went round, and what ``more`` adds in the same format."""

    def __init__(self, more: Callable[[], str] = lambda: "") -> None:
        self._more = more
        self._lock = threading.Lock()
        self._success: dict[str, int] = {}
        self._last: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._failover: dict[str, int] = {}
        self._round = time.monotonic()
        self._certificate: tuple[float | None, float | None] = None, None
        self._cut_off: bool | None = None

    def certificate(self, begins: float, ends: float) -> None:
        """Note for how long the certificate in use is valid."""
        self._certificate = begins, ends

    def record(self, step: str, success: bool) -> None:
        """Note the outcome of one step."""
        with self._lock:
            self._success[step] = int(success)
            self._failures.setdefault(step, 0)
            if success:
                self._last[step] = time.time()
            else:
                self._failures[step] += 1

    def failover_may(self, steps: Iterable[str]) -> None:
        """Show the fast failover's steps before the first of them: Prometheus sees a counter grow only from a value that it has seen."""
        with self._lock:
            self._failover = {**dict.fromkeys(steps, 0), **self._failover}

    def cut_off(self, is_so: bool | None) -> None:
        """Note whether the fast failover keeps this standby from its primary; ``None`` without that option."""
        self._cut_off = is_so

    def failover(self, step: str) -> None:
        """Count one step of the fast failover."""
        with self._lock:
            self._failover[step] = self._failover.get(step, 0) + 1

    def round(self) -> None:
        """Note that the loop went round."""
        self._round = time.monotonic()

    def alive(self, within: float) -> bool:
        """Whether the loop went round within so many seconds."""
        return time.monotonic() - self._round < within

    def text(self) -> str:
        """Prometheus text format."""
        with self._lock:
            families = (
                ("sos_agent_reconcile_success", "gauge", "Whether the step's last run succeeded.", self._success),
                ("sos_agent_last_success_timestamp_seconds", "gauge", "When the step last succeeded.", self._last),
                ("sos_agent_reconcile_failures_total", "counter", "Failed runs of the step.", self._failures),
                ("sos_agent_failover_steps_total", "counter", "Steps of the fast failover that this agent took.", self._failover),
            )
            lines: list[str] = []
            for name, kind, meaning, values in families:
                lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
                lines += [f'{name}{{step="{step}"}} {value}' for step, value in sorted(values.items())]
        begins, ends = self._certificate
        single = (
            ("sos_agent_certificate_start_timestamp_seconds", "When the certificate that this member serves began.", begins),
            ("sos_agent_certificate_expiry_timestamp_seconds", "When the certificate that this member serves ends.", ends),
            ("sos_agent_cut_off", "Whether the fast failover keeps this standby from its primary.", self._cut_off),
        )
        for name, meaning, value in single:
            if value is not None:
                lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", f"{name} {value:.0f}"]
        return "\n".join(lines) + "\n" + self._more()


class Server(ThreadingHTTPServer):
    """Listens on both versions of IP where there are both: kubelet and Prometheus use the pod's first address, which may be of version 6."""

    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def server_bind(self) -> None:
        """Bind, without HTTPServer's look-up of a host name, which nobody needs and which waits for DNS."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "agent", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when whoever asked is gone: a probe that has given up is the normal thing on a busy node, not a page of traceback per second."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            log("error", "agent", f"answering a request: unexpected {type(error).__name__}")


class Tells(Protocol):
    """What :func:`serve` serves."""

    def text(self) -> str:
        """Prometheus text format."""
        ...

    def alive(self, within: float) -> bool:
        """Whether the work went on within so many seconds."""
        ...


def serve(metrics: Tells, port: int, stale_after: float) -> ThreadingHTTPServer:
    """Answer /metrics, and /health with 503 once the loop stands still. Returns the server, running in a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, metrics.text())
            elif self.path == "/health":
                self._answer(200 if metrics.alive(stale_after) else 503, "")
            else:
                self._answer(404, "")

        def _answer(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a probe every few seconds is no event."""

    server = Server(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
