"""The local member's REST API."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .http_call import FAILURES, answered, whole
from .tls import rest_api

LEADS, FOLLOWS = ("primary", "promoted"), ("replica", "demoted")
"""Patroni's words. Whoever is neither, such as a member that is being copied, says nothing."""


@dataclass(frozen=True)
class Status:
    """What Patroni says of its own member."""

    role: str
    """``primary``, ``replica``, or what else Patroni reports while it starts."""
    running: bool
    """PostgreSQL answers."""
    streaming: bool
    """A standby that receives the primary's log."""
    pending: tuple[str, ...] = ()
    """Settings that wait for a restart of PostgreSQL."""
    lost: bool = False
    """Patroni believes that PostgreSQL runs, and PostgreSQL does not answer."""
    paused: bool = False
    """An operator has told Patroni to leave the cluster alone."""

    @property
    def leads(self) -> bool:
        """A running primary."""
        return self.role in LEADS and self.running


class PatroniError(Exception):
    """Patroni did not answer, or answered with an error."""


@dataclass(frozen=True)
class Patroni:
    """Where the API listens, and the login for its unsafe calls."""

    url: str
    username: str
    password: str
    context: ssl.SSLContext | None = None
    """For https."""

    def status(self) -> Status:
        """The member's role and state. While PostgreSQL starts, Patroni takes a while to say so."""
        return self._status("/patroni")

    def health(self, seconds: float = 10) -> Status:
        """The same, at once."""
        return self._status("/health", seconds)

    def _status(self, path: str, seconds: float = 10) -> Status:
        answer = self._call("GET", path, seconds=seconds)
        return Status(
            role=str(answer.get("role", "unknown")),
            running=answer.get("state") == "running",
            streaming=answer.get("replication_state") == "streaming",
            pending=tuple(sorted(answer.get("pending_restart_reason") or {})),
            lost=answer.get("state") == "unknown",
            paused=bool(answer.get("pause")),
        )

    def cluster(self) -> dict[str, Any]:
        """The members with role and state, and whether Patroni is paused, as this member last heard; costs no query.

        Not while the lock changes hands: see the module expiry.
        """
        return self._call("GET", "/cluster")

    def members(self) -> list[dict[str, Any]]:
        """All members as this one sees them."""
        found = self.cluster().get("members")
        return found if isinstance(found, list) else []

    def replayed(self) -> int:
        """How far a standby has replayed the log; 0 when nobody answers."""
        location = (self._call("GET", "/patroni").get("xlog") or {}).get("replayed_location")
        return location if isinstance(location, int) else 0

    def state(self) -> str:
        """What Patroni is about with its server, in its own words: ``stopping`` before a demotion, ``restarting`` before a restart."""
        return str(self._call("GET", "/health", seconds=1).get("state"))

    def received(self) -> tuple[int, int]:
        """Timeline and place up to which a standby that runs has the log; zeros for a member that does not run as a standby.

        :raises PatroniError: when nobody answers within a second.
        """
        answer = self._call("GET", "/patroni", seconds=1)
        if (answer.get("role"), answer.get("state")) != ("replica", "running"):
            return 0, 0
        timeline, location = answer.get("timeline"), (answer.get("xlog") or {}).get("received_location")
        return (timeline, location) if isinstance(timeline, int) and isinstance(location, int) else (0, 0)

    def reinitialize(self) -> None:
        """Throw this member's data away and copy them anew from the leader. Patroni refuses on the leader itself."""
        self._call("POST", "/reinitialize", {})

    def dynamic_config(self) -> dict[str, Any]:
        """The configuration in Patroni's store."""
        return self._call("GET", "/config")

    def patch_dynamic_config(self, change: dict[str, Any]) -> None:
        """Merge the change into the store; other keys stay."""
        self._call("PATCH", "/config", change)

    def wake(self) -> None:
        """Begin the next round now: what Patroni does after every patch of the store, also after this one, which removes what is not there."""
        self._call("PATCH", "/config", {"sos_constructs_nothing": None})

    def reload(self) -> None:
        """Read the local file again and reload PostgreSQL."""
        self._call("POST", "/reload")

    def restart_pending(self) -> None:
        """Restart PostgreSQL in place if a setting waits for it; a primary stays primary. Returns when it runs again."""
        self._call("POST", "/restart", {"restart_pending": True}, seconds=120)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None, seconds: float = 10) -> dict[str, Any]:
        login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        try:
            with answered(method, self.url + path, headers, data, seconds, self.context) as answer:
                if answer.status >= 300 and method != "GET":  # /patroni answers 503 with a body while PostgreSQL is not running
                    raise PatroniError(f"{method} {path}: HTTP {answer.status}") from None
                text = whole(answer).decode()
        except FAILURES as error:
            raise PatroniError(f"{method} {path}: {type(error).__name__}") from None
        try:
            value = json.loads(text)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def of_member(config: Mapping[str, Any], host: str, *, own: bool = False) -> Patroni:
    """The REST API of the member at this address, by Patroni's configuration file."""
    api, login = rest_api(config), config["restapi"]["authentication"]
    return Patroni(api.url(host), login["username"], login["password"], api.own_context() if own else api.context())


def difference(wanted: dict[str, Any], actual: dict[str, Any]) -> dict[str, Any]:
    """The part of ``wanted`` that ``actual`` does not have, as a merge patch. Keys that are not ours (pause, slots, …) never appear.

    Patroni stores parameters as it got them, so 200 and "200" count as equal.
    """
    patch: dict[str, Any] = {}
    for key, value in wanted.items():
        if isinstance(value, dict):
            below = actual.get(key)
            inner = difference(value, below if isinstance(below, dict) else {})
            if inner:
                patch[key] = inner
        elif str(actual.get(key)) != str(value):
            patch[key] = value
    return patch
