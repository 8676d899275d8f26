"""A graph as Mermaid, which GitHub and many editors draw."""

from __future__ import annotations

from sos_constructs.review.graph.model import Graph, Kind, Node

#: Opening and closing of each shape, fill and line. The colours are those of the SVG.
STYLE = {
    Kind.PEER: ("(", ")", "#f0f9f1", "#3f8f4f"),
    Kind.SERVICE: ("([", "])", "#e8f1fd", "#2f6fd0"),
    Kind.WORKLOAD: ("[[", "]]", "#eeebfb", "#6a4fc7"),
    Kind.ACCOUNT: ("[", "]", "#f4f4f5", "#71717a"),
    Kind.CONFIG_MAP: ("[", "]", "#fdf6e3", "#b7860b"),
    Kind.SECRET: ("{{", "}}", "#fdecec", "#c43c3c"),
    Kind.VOLUME: ("[(", ")]", "#e6f6f6", "#1f8a8a"),
    Kind.TARGET: ("(", ")", "#f0f9f1", "#3f8f4f"),
    Kind.ELSEWHERE: ("[", "]", "#f4f4f5", "#71717a"),
}


_ENTITIES = {"#": "#35;", "&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;"}


def mermaid(graph: Graph) -> str:
    """The text of a flowchart."""
    names = {node.id: f"n{i}" for i, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        opening, closing, _, _ = STYLE[node.kind]
        lines.append(f'  {names[node.id]}{opening}"{_text(node)}"{closing}:::{node.kind.name.lower()}')
    for edge in graph.edges:
        arrow = "-.->" if edge.traffic else "-->"
        label = f'|"{_escaped(edge.label)}"|' if edge.label else ""
        lines.append(f"  {names[edge.source]} {arrow}{label} {names[edge.target]}")
    drawn = {node.kind for node in graph.nodes}
    lines += [f"  classDef {kind.name.lower()} fill:{STYLE[kind][2]},stroke:{STYLE[kind][3]},color:#1f2328" for kind in Kind if kind in drawn]
    lines += [f"  style {names[node.id]} stroke-dasharray:5 4" for node in graph.nodes if not node.known]
    return "\n".join(lines) + "\n"


def _text(node: Node) -> str:
    return "<br>".join([f"<small>{_escaped(node.word)}</small>", f"<b>{_escaped(node.title)}</b>", *map(_escaped, node.details)])


def _escaped(text: str) -> str:
    """Entities as Mermaid writes them: ``#`` instead of ``&``; a backtick at the beginning would switch Markdown on."""
    text = "".join(_ENTITIES.get(character, character) for character in text)
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
