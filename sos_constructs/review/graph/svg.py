"""A graph as SVG: one file without scripts, fonts or other files."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from sos_constructs.review.graph.layout import LABEL, LINE, PADDING, SMALL, TEXT, TITLE, Box, Line, place, text_width
from sos_constructs.review.graph.mermaid import STYLE
from sos_constructs.review.graph.model import Graph, Kind, Node

MARGIN = 28.0
_INK, _GREY, _TRAFFIC, _LINE = "#1f2328", "#59636e", "#3f8f4f", "#8b949e"
_FONT = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
_LEAST_WIDTH = 640.0


def svg(graph: Graph) -> str:
    """The picture."""
    drawing = place(graph)
    width = max(drawing.width, _LEAST_WIDTH)
    body = [
        *map(_line, drawing.lines),
        *(text for box in drawing.boxes for text in _box(box)),
        *map(_label, filter(lambda line: line.edge.label, drawing.lines)),
    ]
    y = drawing.height + 28
    for node in graph.nodes:
        if node.kind is Kind.ELSEWHERE:
            lines, height = _elsewhere(node, width, y)
            body += lines
            y += height + 12
    body += _legend(y + 8)
    total = (width + 2 * MARGIN, y + 24 + 2 * MARGIN + 30)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total[0]:g} {total[1]:g}" width="{total[0]:g}" height="{total[1]:g}" role="img" '
        f'aria-label="{_attribute(f"What runs in {graph.title}")}" font-family="{_FONT}">'
    )
    return "\n".join(
        [
            head,
            f"<title>What runs in {_text(graph.title)}</title>",
            "<defs>",
            *(_arrow(name, colour) for name, colour in (("asks", _LINE), ("allowed", _TRAFFIC))),
            "</defs>",
            f'<rect width="{total[0]:g}" height="{total[1]:g}" rx="10" fill="#ffffff"/>',
            f'<text x="{MARGIN:g}" y="{MARGIN + 8:g}" font-size="16" font-weight="600" fill="{_INK}">{_text(graph.title)}</text>',
            f'<g transform="translate({MARGIN:g} {MARGIN + 30:g})">',
            *body,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _arrow(name: str, colour: str) -> str:
    shape = f'<path d="M0 0 9 4.5 0 9z" fill="{colour}"/>'
    return f'<marker id="{name}" markerWidth="9" markerHeight="9" refX="8" refY="4.5" orient="auto" markerUnits="userSpaceOnUse">{shape}</marker>'


def _box(box: Box) -> Iterator[str]:
    assert box.node
    node = box.node
    _, _, fill, stroke = STYLE[node.kind]
    dash = "" if node.known else ' stroke-dasharray="5 4"'
    yield f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="7" fill="{fill}" stroke="{stroke}" stroke-width="1.3"{dash}/>'
    x, y = box.x + PADDING, box.y + PADDING + 8
    yield f'<text x="{x:g}" y="{y:g}" font-size="{SMALL:g}" letter-spacing=".4" fill="{stroke}">{_text(node.word)}</text>'
    yield f'<text x="{x:g}" y="{y + LINE + 1:g}" font-size="{TITLE:g}" font-weight="600" fill="{_INK}">{_text(node.title)}</text>'
    for number, detail in enumerate(node.details):
        yield f'<text x="{x:g}" y="{y + LINE * (number + 2) + 2:g}" font-size="{TEXT:g}" fill="{_GREY}">{_text(detail)}</text>'


def _line(line: Line) -> str:
    (x, y), *rest = line.points
    path = f"M{x:g} {y:g}"
    for end_x, end_y in rest:
        bend = (end_x - x) / 2
        path += f"H{end_x:g}" if end_y == y else f"C{x + bend:g} {y:g} {end_x - bend:g} {end_y:g} {end_x:g} {end_y:g}"
        x, y = end_x, end_y
    colour, dash, marker = (_TRAFFIC, ' stroke-dasharray="6 4"', "allowed") if line.edge.traffic else (_LINE, "", "asks")
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dash} marker-end="url(#{marker})"/>'


def _label(line: Line) -> str:
    colour = _TRAFFIC if line.edge.traffic else _GREY
    return (
        f'<text x="{line.label_at[0]:g}" y="{line.label_at[1]:g}" font-size="{LABEL:g}" text-anchor="{line.anchor}" fill="{colour}" '
        f'stroke="#ffffff" stroke-width="3.5" stroke-linejoin="round" paint-order="stroke">{_text(line.edge.label)}</text>'
    )


def _elsewhere(node: Node, width: float, y: float) -> tuple[list[str], float]:
    """A band as wide as the picture, with its names one after the other."""
    rows, row = [], ""
    for name in node.details:
        longer = f"{row},  {name}" if row else name
        if row and text_width(longer, TEXT) > width - 2 * PADDING:
            rows.append(row)
            longer = name
        row = longer
    rows.append(row)
    height = 2 * PADDING + 8 + LINE * len(rows)
    _, _, fill, stroke = STYLE[node.kind]
    x, title = PADDING, f'<tspan font-weight="600">{_text(node.title)}</tspan>'
    lines = [
        f'<rect x="0" y="{y:g}" width="{width:g}" height="{height:g}" rx="7" fill="{fill}" stroke="{stroke}" stroke-opacity=".45"/>',
        f'<text x="{x:g}" y="{y + PADDING + 7:g}" font-size="{TEXT:g}" fill="{_INK}">{title} {_text(node.word)}</text>',
    ]
    lines += [
        f'<text x="{x:g}" y="{y + PADDING + 9 + LINE * (i + 1):g}" font-size="{TEXT:g}" fill="{_GREY}">{_text(text)}</text>' for i, text in enumerate(rows)
    ]
    return lines, height


def _legend(y: float) -> list[str]:
    def entry(x: float, drawn: str, words: str) -> list[str]:
        return [drawn, f'<text x="{x + 44:g}" y="{y + 4:g}" font-size="11" fill="{_GREY}">{words}</text>']

    frame = f'<rect x="470" y="{y - 8:g}" width="36" height="16" rx="4" fill="none" stroke="{_GREY}" stroke-dasharray="5 4"/>'
    return [
        *entry(0, f'<path d="M0 {y:g}H36" stroke="{_LINE}" stroke-width="1.5" marker-end="url(#asks)"/>', "finds, reads or stores"),
        *entry(
            180,
            f'<path d="M180 {y:g}H216" stroke="{_TRAFFIC}" stroke-width="1.5" stroke-dasharray="6 4" marker-end="url(#allowed)"/>',
            "allowed by a policy, with ports",
        ),
        *entry(470, frame, "not in these manifests"),
    ]


def _text(text: str) -> str:
    """Without characters that XML does not know."""
    return escape("".join(c if c.isprintable() else " " for c in text), quote=False)


def _attribute(text: str) -> str:
    return escape("".join(c if c.isprintable() else " " for c in text))
