"""What an alert consists of."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from typing import Literal

from attrs import frozen

Need = Literal["standbys", "synchronous standbys", "a backup job", "a certificate", "a pooler", "fast failover"]
"""What an installation must have for an alert, or a panel of the dashboard, to make sense."""

PREFIX = "SosPostgres"
"""Every alert's name begins with it."""

REFERENCE: Mapping[str, str] = {"name": "postgres", "namespace": "sos-app", "certificate": "postgres-tls"}
"""What the words with ``$`` in ``Alert.act`` are for the reference chart, as in the runbook."""


@frozen(kw_only=True)
class Alert:
    """One row.

    :param name: of the alert, without the common prefix ``SosPostgres``.
    :param expr: PromQL that is non-empty while the alert is due.
    :param lasting: how long it must be due before it fires, a Prometheus duration; longer than an ordinary failover or restart takes.
    :param severity: ``critical``: writes stop, or data is at risk, now. ``warning``: within days. ``info``: worth knowing when something
        else looks odd.
    :param summary: one sentence; Prometheus fills in ``{{ … }}``.
    :param description: what it means and what happens if nobody acts.
    :param look: what to look at: commands that change nothing, for the reference chart's names. ``kubectl …`` is run as it stands,
        ``patronictl …`` and SQL inside a member.
    :param act: what to do then; ``$name``, ``$namespace`` and ``$certificate`` are those of the installation.
    :param needs: all that the installation must have for the alert to make sense.
    """

    name: str
    expr: str
    lasting: str
    severity: Literal["critical", "warning", "info"]
    summary: str
    description: str
    look: tuple[str, ...]
    act: str
    needs: tuple[Need, ...] = ()

    @property
    def title(self) -> str:
        """Its full name."""
        return f"{PREFIX}{self.name}"

    @property
    def anchor(self) -> str:
        """Its heading in the runbook, as GitHub and most renderers make it."""
        return self.title.lower()


def advice(alert: Alert, names: Mapping[str, str] = REFERENCE) -> str:
    """What to do, with the names of one installation (default: the reference chart's)."""
    return Template(alert.act).substitute(names)


def command(look: str) -> str:
    """One entry of ``Alert.look`` as a command for a terminal."""
    inside = "kubectl -n sos-app exec postgres-0 -c postgres --"
    if look.startswith("kubectl "):
        return look
    if look.startswith("patronictl "):
        return f"{inside} {look}"
    return f'{inside} psql -c "{look}"'
