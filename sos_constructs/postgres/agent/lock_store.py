"""Patroni's lock and its list of voters in the store, read afresh and changed by compare-and-set only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import urlsplit

from .kube_api import Kube, NotFound
from .serving import OUT, is_ending

FLAG = "sos-constructs/cut-"
SEAL = "sos-constructs/sealed"
TOUCHED = "sos-constructs/touched"
LEAVING = "sos-constructs/leaving"
"""Holds the renewal after which the holder is about to give the lock away."""
RELEASED = "-1"
"""A ttl that has always passed. Patroni takes 0 for its own ttl; with 1 every member would wait a second more."""


@dataclass(frozen=True)
class Lock:
    """The leader object at one moment."""

    holder: str
    renewed: str
    """Patroni's renewTime: another text after every renewal."""
    released: bool
    flags: dict[str, str]
    """By pod: the renewal after which its standby was cut off."""
    version: str
    leaving: bool = False
    """Its holder is about to give it away."""
    touches: int = 0
    """How often it was touched since its last renewal, to wake every Patroni."""

    @property
    def flagged(self) -> frozenset[str]:
        """Pods whose flag is about the present renewal."""
        return frozenset(pod for pod, renewed in self.flags.items() if renewed == self.renewed)


@dataclass(frozen=True)
class Voters:
    """The sync object at one moment: which standbys may confirm a commit of which leader."""

    leader: str
    names: frozenset[str]
    version: str


@dataclass(frozen=True)
class Store:
    """The two objects. Every change names the version it was decided on; the API server refuses it if the object has changed since."""

    kube: Kube
    scope: str
    role_label: str

    def lock(self) -> Lock:
        """The lock as it is now."""
        metadata = self.kube.metadata(f"configmaps/{self.scope}-leader")
        notes = metadata.get("annotations") or {}
        return Lock(
            holder=notes.get("leader") or "",
            renewed=notes.get("renewTime") or "",
            released=notes.get("ttl") == RELEASED,
            flags={key[len(FLAG) :]: value for key, value in notes.items() if key.startswith(FLAG)},
            version=metadata["resourceVersion"],
            leaving=notes.get(LEAVING, "") == notes.get("renewTime", "") != "",
            touches=_touches(notes),
        )

    def voters(self) -> Voters:
        """The voters as they are now."""
        metadata = self.kube.metadata(f"configmaps/{self.scope}-sync")
        notes = metadata.get("annotations") or {}
        names = frozenset(name for name in (notes.get("sync_standby") or "").split(",") if name)
        return Voters(notes.get("leader") or "", names, metadata["resourceVersion"])

    def flag(self, lock: Lock, pod: str) -> None:
        """Say on the lock that this pod's standby is cut off from its holder."""
        self._change_lock(lock, {FLAG + pod: lock.renewed})

    def withdraw(self, lock: Lock, pod: str) -> None:
        """Take the flag back. Once this has succeeded, nobody can release the lock by it."""
        self._change_lock(lock, {FLAG + pod: None})

    def seal(self, voters: Voters, renewed: str) -> None:
        """Change the sync object, so that a leader that has read it before can no longer write other voters into it."""
        self.kube.annotate(f"configmaps/{self.scope}-sync", voters.version, {SEAL: renewed})

    def release(self, lock: Lock) -> None:
        """End the lock now. A living holder takes it back with its next renewal, if nobody was faster."""
        self._change_lock(lock, {"ttl": RELEASED})

    def renew(self, lock: Lock) -> str:
        """As the holder, in Patroni's place: the lock is ours for another ttl. Returns the renewal."""
        now = datetime.now(timezone.utc).isoformat()
        self._change_lock(lock, {"renewTime": now})
        return now

    def touch(self, lock: Lock) -> None:
        """Change nothing that Patroni reads, so that every Patroni looks at the lock now."""
        self._change_lock(lock, {TOUCHED: f"{lock.touches + 1} {lock.renewed}"})

    def address(self, pod: str) -> str:
        """Where the member said that its server is; an empty string where it has said nothing, or is gone."""
        try:
            notes = self.kube.metadata(f"pods/{pod}").get("annotations") or {}
        except NotFound:
            return ""
        return urlsplit(json.loads(notes.get("status") or "{}").get("conn_url", "")).hostname or ""

    def announce(self) -> None:
        """As the holder: say that the lock is about to change hands, so that every agent leaves its Patroni alone meanwhile (expiry.py)."""
        lock = self.lock()
        self._change_lock(lock, {LEAVING: lock.renewed})

    def vacate(self, lock: Lock) -> None:
        """As the holder, whose server has ended: the lock is nobody's. So does Patroni when it stops."""
        self._change_lock(lock, {"leader": None})

    def pass_on(self, lock: Lock, pod: str) -> None:
        """As the holder, whose server has ended: the lock is another's, as if it had just acquired it."""
        now = datetime.now(timezone.utc).isoformat()
        self._change_lock(lock, {"acquireTime": now, "leader": pod, "renewTime": now})

    def forget_switchover(self) -> None:
        """Nobody has asked for a switchover: Patroni elects by who has what, and not by name."""
        path = f"configmaps/{self.scope}-failover"
        self.kube.annotate(path, self.kube.metadata(path)["resourceVersion"], {"leader": None, "member": None, "scheduled_at": None})

    def strike_off(self, pod: str, *, only_ending: bool = False) -> None:
        """Of a leader that is dead or about to end: take it out of its Services until its own agent brings it back, and forget its address.

        kube-proxy changes a Service at most once a second: if it takes the old primary out only when the new one has the lock, it brings the new
        one a second later. And the others would wait two seconds for an answer of its REST API that does not come; a living member writes
        its address anew in its next round.

        :param only_ending: not the pod of the same name that comes after one that was deleted by force meanwhile.
        """
        self._edit_entry(pod, {self.role_label: None, **OUT}, only_ending=only_ending)

    def resign(self, pod: str) -> None:
        """The same of oneself, for a move that was asked for: this Patroni hears of its successor, and labels its pod by what it hears."""
        self._edit_entry(pod, {self.role_label: None})

    def _edit_entry(self, pod: str, labels: dict[str, str | None], *, only_ending: bool = False) -> None:
        metadata = self.kube.metadata(f"pods/{pod}")
        if only_ending and not is_ending(metadata):
            return
        entry = json.loads((metadata.get("annotations") or {}).get("status") or "{}")
        known, before = entry.pop("api_url", None) is not None, metadata.get("labels") or {}
        if known or any(before.get(label) != value for label, value in labels.items()):
            self.kube.annotate(f"pods/{pod}", metadata["resourceVersion"], {"status": json.dumps(entry, separators=(",", ":"))}, labels)

    def _change_lock(self, lock: Lock, annotations: dict[str, str | None]) -> None:
        self.kube.annotate(f"configmaps/{self.scope}-leader", lock.version, annotations)


def _touches(notes: dict[str, str]) -> int:
    count, _, renewed = notes.get(TOUCHED, "").partition(" ")
    return int(count) if count.isdigit() and renewed == notes.get("renewTime") else 0
