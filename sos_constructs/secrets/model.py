"""What the catalogue says about a secret and about each of its keys. Rows only: no behaviour beyond looking things up."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from attrs import Factory, field, frozen

Origin = Literal["generated", "derived", "ring", "certificate", "fixed", "issued", "federated"]
"""Where a value comes from.

generated: random, we make it. derived: computed from another key. ring: the next or the previous value of another key, there only while
that is being rotated. certificate: a CA signs it. fixed: a constant of the system, not secret. issued: a vendor's console hands it out.
federated: better not there at all, the workload's own cloud identity replaces it.
"""

Strategy = Literal["replace", "dual-password", "key-ring", "re-wrap", "re-issue", "renew", "none"]
"""How a value is rotated without an outage.

replace: change it at its server, open connections stay. dual-password: the server accepts old and new for a while. key-ring: verify
with old and new, use the new one. re-wrap: **never overwrite**; encrypt the data keys anew and keep the old key for reading.
re-issue: make a second one at the vendor, switch, revoke the first. renew: a new certificate before the old one ends.
"""

Form = Literal[
    "text", "token", "password", "hs256", "aes256", "mongodb-keyfile", "rsa-private-key", "rsa-public-key", "key-id",
    "ec-private-key", "service-account", "ca-certificate", "certificate", "private-key",
]  # fmt: skip


@frozen
class Rotation:
    """How often and how a value is changed.

    :param days: between rotations; ``None``: never by the calendar.
    :param strategy: how.
    :param keeps: which old values stay beside the new one: none, the last as ``KEY-previous``, or all as ``KEY-v1``, ``KEY-v2`` …
    :param overlap: how long the previous value must stay.
    :param staged: whether everyone must know the new value, as ``KEY-next``, before anyone uses it.
    """

    days: int | None
    strategy: Strategy
    keeps: Literal["nothing", "previous", "all"] = "nothing"
    overlap: timedelta = timedelta(0)
    staged: bool = False


NEVER = Rotation(None, "none")
PASSWORD = Rotation(90, "replace")  # the requirement: 90 days for passwords. The database's agent sets it without logging in: the old one is of no use
LOGIN = Rotation(90, "dual-password", "previous", timedelta(days=1), staged=True)  # a server knows one password per name: a new one comes with a new name
SERVER_PASSWORD = Rotation(90, "replace", "previous", timedelta(days=1))  # whoever changes it at the server logs in with the old one
DUAL_PASSWORD = Rotation(90, "dual-password", "previous", timedelta(days=1))  # a day: every consumer has restarted by then
JWT = Rotation(180, "key-ring", "previous", timedelta(days=8), staged=True)  # the requirement: 180 days for JWT, 7 days for the longest token's life
KEYFILE = Rotation(180, "key-ring", "previous", timedelta(days=1))  # members need one key in common while they restart one by one
RE_WRAP = Rotation(365, "re-wrap", "all", staged=True)  # a year: within the 1 to 2 years NIST SP 800-57 part 1 gives symmetric data and wrapping keys
VENDOR = Rotation(180, "re-issue")  # the requirement is silent; as for JWT
CLOUD = Rotation(90, "re-issue")  # as for passwords, and what the CIS cloud benchmarks ask of static access keys
CERTIFICATE = Rotation(90, "renew")


@frozen(kw_only=True)
class Key:
    """One key of one secret.

    :param key: its name in the Secret.
    :param env: the environment variable it belongs in, unique over all secrets and all configuration (default: the key in upper case).
    :param origin: where the value comes from.
    :param form: what a valid value looks like.
    :param rotation: how often and how it is changed.
    :param meaning: what it is.
    :param breaks: what does not work without it.
    :param obtain: how to get it, where ``form`` alone does not say that.
    :param optional: whether the system runs without it.
    :param value: the value of a fixed key, or its default where ``pattern`` allows others.
    :param source: for a derived key the key it is computed from; for a certificate or CA certificate the private key of its set.
    :param pattern: a regular expression that every issued (or differently fixed) value matches in full.
    :param follows: for a user name the password it is changed together with, where old and new shall both work for a while.
    :param added: why it is here although the requirement does not list it; empty when it does.
    """

    key: str
    env: str = field(default=Factory(lambda self: self.key.upper().replace("-", "_"), takes_self=True))
    origin: Origin
    form: Form
    rotation: Rotation
    meaning: str
    breaks: str
    obtain: str = ""
    optional: bool = False
    value: str = ""
    source: str = ""
    pattern: str = ""
    follows: str = ""
    added: str = ""


@frozen(kw_only=True)
class SecretSpec:
    """One Secret.

    :param name: its name in the cluster.
    :param attribute: its name on ``SosSecrets``.
    :param meaning: what it is for.
    :param keys: its keys.
    :param type: its Kubernetes type.
    :param one_of: sets of optional keys of which at least one must be complete.
    :param postgres: name of the ``HaPostgres`` whose passwords are in it; empty for any other Secret.
    """

    name: str
    attribute: str
    meaning: str
    keys: tuple[Key, ...]
    type: str = "Opaque"
    one_of: tuple[tuple[str, ...], ...] = ()
    postgres: str = ""

    __made_with__ = "postgres_secret"  # what users write instead of the class

    def __getitem__(self, key: str) -> Key:
        return next(row for row in self.keys if row.key == key)
