"""Where boxes and lines go: columns from left to right, as few crossings and detours as a few sweeps bring. No randomness.

The method is the usual one for layered graphs (Sugiyama, Tagawa and Toda, 1981). Lines that pass a column get an invisible box there. Boxes
are ordered by the mean place of their neighbours. Then they move to that place as far as their order allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean

from sos_constructs.review.graph.model import Edge, Graph, Kind, Node

from attrs import define, field, frozen

TITLE, TEXT, LABEL, SMALL = 14.0, 12.0, 11.0, 10.0
"""Font sizes in pixels."""
LINE = 16.0
PADDING = 12.0
ROW_GAP, COLUMN_GAP = 20.0, 100.0
_SWEEPS = 12
_NARROW, _WIDE = frozenset("iljtfrI.,:;|!'()[]{} /-"), frozenset("mwMW@%…→")


def text_width(text: str, size: float) -> float:
    """About how wide a text will be in a sans-serif font: rather too much than too little."""
    return size * sum(0.4 if c in _NARROW else 0.95 if c in _WIDE else 0.72 if c.isupper() else 0.61 for c in text)


@define
class Box:
    """A box with its place; one without a node is a line on its way through a column."""

    node: Node | None
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


@frozen
class Line:
    """A line through its points, and its label with the side of the text that stands at the given place."""

    edge: Edge
    points: tuple[tuple[float, float], ...]
    label_at: tuple[float, float]
    anchor: str


@define
class Drawing:
    """Everything with its place."""

    boxes: list[Box] = field(factory=list)
    lines: list[Line] = field(factory=list)
    width: float = 0.0
    height: float = 0.0


def measure(node: Node) -> Box:
    """The size of a box."""
    texts = [text_width(node.word.upper(), SMALL) * 1.06, text_width(node.title, TITLE) * 1.2, *(text_width(line, TEXT) for line in node.details)]
    return Box(node, round(max(texts) + 2 * PADDING + 4), round(2 * PADDING + 12 + LINE + LINE * len(node.details)))


def place(graph: Graph) -> Drawing:
    """Give every box of the graph, other than those for pods elsewhere, a place, and every line its way."""
    boxes = {node.id: measure(node) for node in graph.nodes if node.kind is not Kind.ELSEWHERE}
    columns: dict[int, list[Box]] = {}
    for box in boxes.values():
        assert box.node
        columns.setdefault(box.node.kind.column, []).append(box)
    chains = [(edge, _chain(edge, boxes, columns)) for edge in graph.edges]
    pairs = [pair for _, chain in chains for pair in pairwise(chain)]
    ordered = [columns[number] for number in sorted(columns)]
    for column in ordered:
        _stack(column)
    for sweep in range(_SWEEPS):
        for column in ordered if sweep % 2 == 0 else ordered[::-1]:
            _settle(column, pairs, reorder=sweep < _SWEEPS - 4)
    top = min((box.y for column in ordered for box in column), default=0.0)
    for box in (box for column in ordered for box in column):
        box.y = round(box.y - top, 1)
    drawing = Drawing(list(boxes.values()))
    drawing.width = _columns(ordered, graph.edges, boxes)
    drawing.height = max((box.y + box.height for box in boxes.values()), default=0.0)
    drawing.lines = _lines(chains)
    return drawing


def _chain(edge: Edge, boxes: Mapping[str, Box], columns: Mapping[int, list[Box]]) -> list[Box]:
    """The boxes that a line goes through, with an invisible one in each column between its ends."""
    source, target = boxes[edge.source], boxes[edge.target]
    assert source.node
    assert target.node
    between = [number for number in sorted(columns) if source.node.kind.column < number < target.node.kind.column]
    passing = [Box(None, 0, 8) for _ in between]
    for number, box in zip(between, passing, strict=True):
        columns[number].append(box)
    return [source, *passing, target]


def _stack(column: Sequence[Box]) -> None:
    y = -sum(box.height + ROW_GAP for box in column) / 2
    for box in column:
        box.y = y
        y += box.height + ROW_GAP


def _settle(column: list[Box], pairs: Sequence[tuple[Box, Box]], *, reorder: bool) -> None:
    """Move each box towards the mean of its neighbours; order first, then the nearest places that keep the order (isotonic regression)."""
    wanted = {}
    for box in column:
        near = [other.middle for pair in pairs for one, other in (pair, pair[::-1]) if one is box]
        wanted[id(box)] = fmean(near) if near else box.middle
    if reorder:
        column.sort(key=lambda box: wanted[id(box)])
    offsets, offset = [], 0.0
    for box in column:
        offsets.append(offset)
        offset += box.height + ROW_GAP
    pools: list[list[float]] = []
    for box, start in zip(column, offsets, strict=True):
        pools.append([wanted[id(box)] - box.height / 2 - start])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    shifts = [fmean(pool) for pool in pools for _ in pool]
    for box, start, shift in zip(column, offsets, shifts, strict=True):
        box.y = start + shift


def _columns(ordered: Sequence[Sequence[Box]], edges: Iterable[Edge], boxes: Mapping[str, Box]) -> float:
    """Give columns their place from left to right, with room for the labels between them; returns the width of all."""
    edges, x, end = list(edges), 0.0, 0.0
    for i, column in enumerate(ordered):
        width = max(box.width for box in column)
        for box in column:
            box.x, box.width = x, width
        beside = [e.label for e in edges if (boxes[e.source] in column or (i + 1 < len(ordered) and boxes[e.target] in ordered[i + 1]))]
        end = x + width
        x = end + max([COLUMN_GAP, *(text_width(label, LABEL) + 20 + COLUMN_GAP for label in beside)])
    return end


def _lines(chains: Sequence[tuple[Edge, Sequence[Box]]]) -> list[Line]:
    leaving: dict[int, list[int]] = {}
    coming: dict[int, list[int]] = {}
    for i, (_, chain) in enumerate(chains):
        leaving.setdefault(id(chain[0]), []).append(i)
        coming.setdefault(id(chain[-1]), []).append(i)
    # the label stands where fewer lines meet, hence where there is more room, on a straight piece as long as the longest label beside it
    at_end = [len(coming[id(chain[-1])]) < len(leaving[id(chain[0])]) for _, chain in chains]
    sides = [(end, chain[-1].x if end else chain[0].x) for end, (_, chain) in zip(at_end, chains, strict=True)]
    straight: dict[tuple[bool, float], float] = {}
    for side, (edge, _) in zip(sides, chains, strict=True):
        straight[side] = max(straight.get(side, 0.0), text_width(edge.label, LABEL) + 20 if edge.label else 0.0)
    found = []
    for i, (edge, chain) in enumerate(chains):
        source, target = chain[0], chain[-1]
        out = sorted(leaving[id(source)], key=lambda j: (chains[j][1][1].middle, j))
        into = sorted(coming[id(target)], key=lambda j: (chains[j][1][-2].middle, j))
        start = (source.x + source.width, _spread(source, out.index(i), len(out)))
        end = (target.x, _spread(target, into.index(i), len(into)))
        middle = [point for box in chain[1:-1] for point in ((box.x, box.middle), (box.x + box.width, box.middle))]
        length = straight[sides[i]]
        middle = [*middle, (end[0] - length, end[1])] if at_end[i] else [(start[0] + length, start[1]), *middle]
        label_at, anchor = ((end[0] - 14, end[1] - 5), "end") if at_end[i] else ((start[0] + 8, start[1] - 5), "start")
        points = tuple((round(x, 1), round(y, 1)) for x, y in (start, *middle, end))
        found.append(Line(edge, points, (round(label_at[0], 1), round(label_at[1], 1)), anchor))
    return found


def _spread(box: Box, number: int, of: int) -> float:
    return box.y + box.height * (number + 1) / (of + 1)
