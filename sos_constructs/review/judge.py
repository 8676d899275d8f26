"""What every difference comes to, by the table of consequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sos_constructs.review.catalogue import ROWS
from sos_constructs.review.compare import differences
from sos_constructs.review.conditions import CONDITIONS, NOTHING, Context
from sos_constructs.review.model import MISSING, Change, Consequence, Difference, Key, Manifests, ObjectChange, Review, Step
from sos_constructs.review.rows import Row, matches_kind, matches_path
from sos_constructs.review.usage import Use, uses

ADDED, REMOVED = Step("+"), Step("-")


def review(old: Manifests, new: Manifests) -> Review:
    """Compare two sets of manifests and say what each change comes to."""
    found = {key: tuple(differences(old[key], new[key])) for key in old.keys() & new.keys()}
    replaced = frozenset(key for key, changes in found.items() if _replaces_pods(key, old, new, changes))
    readers = uses(new)
    objects = []
    for key in sorted({*old, *new}):
        event = "changed" if key in found else "added" if key in new else "removed"
        # of a new or removed object only itself is reported, not each of its fields
        whole = Difference((), old.get(key, MISSING), new.get(key, MISSING))
        changes = found.get(key, (whole,))
        if changes:
            judged = tuple(_judge(key, old, new, change, readers, replaced) for change in changes)
            ordered = tuple(sorted(judged, key=lambda change: -change.consequence))
            objects.append(ObjectChange(key, str(new.get(key, old.get(key, NOTHING))["apiVersion"]), event, ordered))
    return Review(tuple(sorted(objects, key=lambda changed: -changed.consequence)))


def row_for(context: Context) -> Row:
    """The first row that matches."""
    path = context.difference.path
    if not path:
        path = (ADDED if context.difference.before is MISSING else REMOVED,)
    return next(row for row in ROWS if matches_kind(row, context.key) and matches_path(row, path) and (not row.when or CONDITIONS[row.when](context)))


def _judge(
    key: Key, old: Manifests, new: Manifests, difference: Difference, readers: Mapping[tuple[str, str, str], list[Use]], replaced: frozenset[Key]
) -> Change:
    own = tuple(readers.get((key.kind, key.namespace, key.name), ()))
    context = Context(key, old.get(key, NOTHING), new.get(key, NOTHING), difference, own, replaced)
    row = _decisive(context)
    names = sorted({str(use.by) for use in context.own_readers})
    why = row.why.format(readers=", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else ""))
    return Change(difference, row.consequence, why, row.id, row.source)


def _decisive(context: Context) -> Row:
    """The row for the difference; for a whole branch that came or went, the worst one of its fields, unless a row names the branch itself."""
    row, path = row_for(context), context.difference.path
    if not path or any(not pattern.endswith("**") and len(pattern.split(" ")) == len(path) for pattern in row.fields):
        return row
    below = (row_for(Context(context.key, context.old, context.new, leaf, context.readers, context.replaced)) for leaf in _leaves(context.difference))
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


def _replaces_pods(key: Key, old: Manifests, new: Manifests, changes: tuple[Difference, ...]) -> bool:
    contexts = (Context(key, old[key], new[key], change) for change in changes)
    return any(change.difference.path[0].name == "spec" and row_for(change).consequence is Consequence.RESTART for change in contexts)
