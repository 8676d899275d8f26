"""Rules that read several keys at once, and waivers of them. Values arrive typed, so that keys in different units can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from sos_constructs.checked import checked
from sos_constructs.errors import InvalidOption, did_you_mean

from attrs import field, frozen

if TYPE_CHECKING:
    from sos_constructs.config.layers import Setting


def _tuple(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(keys)


@checked
@frozen(eq=False, kw_only=True)
class Rule:
    """What must hold between keys.

    :param id: short name, shown with a violation and given to ``waive``.
    :param keys: the keys it reads.
    :param holds: takes their values in that order.
    :param demand: what must be so.
    :param reason: why; follows on "because".
    :param fix: what to change, as an instruction.
    :param source: where that is written, or who said so.
    :param detail: takes the same values and says in words what came out of them, where the values alone do not show it.
    """

    id: str
    keys: tuple[str, ...] = field(converter=_tuple)
    holds: Callable[..., bool]
    demand: str
    reason: str
    fix: str
    source: str
    detail: Callable[..., str] | None = None

    def violation(self, settings: Mapping[str, Setting]) -> str:
        """What is wrong, in one sentence that names the keys, their values and layers, and the fix; empty if the rule holds.

        :param settings: all keys of the rule, and maybe others.
        """
        values = [settings[key].value for key in self.keys]
        given = ", ".join(f"{key}={settings[key].history[-1]}" for key in self.keys)
        try:
            if self.holds(*values):
                return ""
            detail = f" ({self.detail(*values)})" if self.detail else ""
        except Exception as error:  # noqa: BLE001 (the function is the user's)
            return f"{given}: the function of the rule failed with {type(error).__name__}: {error}; mend the function"
        return f"{given}: {self.demand}{detail}, because {self.reason}; {self.fix}"


@frozen(eq=False, kw_only=True)
class Waiver:
    """A rule that is broken on purpose.

    :param rule: the rule.
    :param reason: why it is broken.
    :param violation: what would have been the error.
    """

    rule: Rule
    reason: str
    violation: str


def check(rules: Iterable[Rule], settings: Mapping[str, Setting], waive: Mapping[str, str]) -> tuple[list[tuple[str, tuple[str, ...]]], list[Waiver]]:
    """What is wrong, in words and with the keys it is about, and the waivers that were needed.

    :param rules: those of the catalogue.
    :param settings: the keys whose values are allowed; a rule is not asked about the others.
    :param waive: id of a rule → why it may be broken.
    """
    known = {rule.id: rule for rule in rules}
    problems: list[tuple[str, tuple[str, ...]]] = [(str(error), ()) for error in _wrong_waivers(waive, known)]
    waivers: list[Waiver] = []
    for rule in known.values():
        if not settings.keys() >= set(rule.keys):
            continue
        violation = rule.violation(settings)
        if violation and rule.id in waive:
            waivers.append(Waiver(rule=rule, reason=waive[rule.id], violation=violation))
        elif violation:
            problems.append((f"{violation} [rule {rule.id}]", rule.keys))
        elif rule.id in waive:
            unused = InvalidOption("waive", rule.id, "waives nothing: the rule holds, and the waiver would hide the next violation; leave it out")
            problems.append((str(unused), rule.keys))
    return problems, waivers


def _wrong_waivers(waive: Mapping[str, object], known: Mapping[str, Rule]) -> Iterator[InvalidOption]:
    for id, reason in waive.items():
        if id not in known:
            yield InvalidOption("waive", id, f"names no rule{did_you_mean(str(id), known)}; there are: {', '.join(known) or 'none'}")
        elif not isinstance(reason, str) or not reason.strip() or not reason.isprintable():
            yield InvalidOption(f"waive[{id!r}]", reason, "must say in a line why the rule may be broken here")
