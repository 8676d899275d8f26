"""What every difference comes to, by the table of consequences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sos_constructs.review.catalogue import ROWS
from sos_constructs.review.compare import differences
from sos_constructs.review.conditions import CONDITIONS, NOTHING, Context
from sos_constructs.review.model import MISSING, Change, Consequence, Difference, Key, Manifest, Manifests, ObjectChange, Review, Step
from sos_constructs.review.rows import Row, matches_kind, matches_path
from sos_constructs.review.usage import Use, uses

from attrs import evolve, frozen

ADDED, REMOVED = Step("+"), Step("-")

#: A name that ends with a hash of the content, as SosConfig (content_hash_names) and Kustomize make them.
_HASHED = re.compile(r"(.+)-[0-9a-z]{10}")


@frozen
class _Pair:
    """An object before and after; :data:`NOTHING` where it is new or gone."""

    key: Key
    event: str
    old: Manifest
    new: Manifest

    def differences(self) -> tuple[Difference, ...]:
        """Of a new or removed object only itself, not each of its fields."""
        if self.event in ("added", "removed"):
            return (Difference((), self.old or MISSING, self.new or MISSING),)
        return tuple(differences(self.old, self.new))


def review(old: Manifests, new: Manifests) -> Review:
    """Compare two sets of manifests and say what each change comes to."""
    found = [(pair, changes) for pair in _pairs(old, new) if (changes := pair.differences())]
    replaced = frozenset(pair.key for pair, changes in found if _replaces_pods(pair, changes))
    readers, added = uses(new), frozenset(new.keys() - old.keys())
    objects = []
    for pair, changes in found:
        judged = [_judge(pair, change, readers, replaced, added) for change in changes]
        ordered = tuple(sorted(judged, key=lambda change: -change.consequence))
        objects.append(ObjectChange(pair.key, str((pair.new or pair.old)["apiVersion"]), pair.event, ordered))
    return Review(tuple(sorted(objects, key=lambda changed: -changed.consequence)))


def _pairs(old: Manifests, new: Manifests) -> Iterator[_Pair]:
    """Objects with the same key; and those of which only the hash at the end of the name is another."""
    gone, come = _by_stem(old.keys() - new.keys()), _by_stem(new.keys() - old.keys())
    renamed = {come[stem][0]: keys[0] for stem, keys in gone.items() if len(keys) == len(come.get(stem, ())) == 1}
    for key in sorted({*old, *new} - {*renamed.values()}):
        event = "replaced" if key in renamed else "changed" if key in old and key in new else "added" if key in new else "removed"
        yield _Pair(key, event, old.get(renamed.get(key, key), NOTHING), new.get(key, NOTHING))


def _by_stem(keys: set[Key]) -> dict[Key, list[Key]]:
    stems: dict[Key, list[Key]] = {}
    for key in keys:
        if (match := _HASHED.fullmatch(key.name)) and key.group == "" and key.kind in ("ConfigMap", "Secret"):
            stems.setdefault(key._replace(name=match[1]), []).append(key)
    return stems


def row_for(context: Context) -> Row:
    """The first row that matches."""
    path = context.difference.path
    if not path:
        path = (ADDED if context.difference.before is MISSING else REMOVED,)
    return next(row for row in ROWS if matches_kind(row, context.key) and matches_path(row, path) and (not row.when or CONDITIONS[row.when](context)))


def _judge(pair: _Pair, difference: Difference, readers: Mapping[tuple[str, str, str], list[Use]], replaced: frozenset[Key], added: frozenset[Key]) -> Change:
    own = tuple(readers.get((pair.key.kind, pair.key.namespace, pair.key.name), ()))
    context = Context(pair.key, pair.old, pair.new, difference, own, replaced, added)
    row = _decisive(context)
    names = sorted({str(use.by) for use in context.own_readers})
    why = row.why.format(readers=", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else ""))
    return Change(difference, row.consequence, why, row.id, row.source)


def _decisive(context: Context) -> Row:
    """The row for the difference; for a whole branch that came or went, the worst one of its fields, unless a row names the branch itself."""
    row, path = row_for(context), context.difference.path
    if not path or any(not pattern.endswith("**") and len(pattern.split(" ")) == len(path) for pattern in row.fields):
        return row
    below = (row_for(evolve(context, difference=leaf)) for leaf in _leaves(context.difference))
    return max((row, *below), key=lambda candidate: candidate.consequence)


def _leaves(difference: Difference) -> Iterator[Difference]:
    before, after = difference.before, difference.after
    if (before is MISSING) == (after is MISSING):
        return
    value = before if after is MISSING else after
    steps: Iterator[tuple[Step, object]] = iter(())
    if isinstance(value, dict):
        steps = ((Step(name), child) for name, child in value.items())
    elif isinstance(value, list):
        steps = ((Step(str(i), item=True), child) for i, child in enumerate(value))
    for step, child in steps:
        leaf = Difference((*difference.path, step), child if after is MISSING else MISSING, MISSING if after is MISSING else child)
        yield leaf
        yield from _leaves(leaf)


def _replaces_pods(pair: _Pair, changes: tuple[Difference, ...]) -> bool:
    contexts = (Context(pair.key, pair.old, pair.new, change) for change in changes)
    return any(context.difference.path[:1] == (Step("spec"),) and row_for(context).consequence is Consequence.RESTART for context in contexts)
