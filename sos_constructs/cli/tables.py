"""Reports for people and for programs: a table on a terminal, plain aligned lines in a pipe, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


class Format(StrEnum):
    """How a command writes its result."""

    TABLE = "table"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="For people, or for programs.")]


def write(text: str) -> None:
    """The result, as it is: neither wrapped nor coloured."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    sys.stdout.flush()


def write_json(data: Any) -> None:
    """The result as JSON."""
    write(json.dumps(data, indent=2, ensure_ascii=False))


def write_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under a head."""
    rows = list(rows)
    console = Console(highlight=False)
    if not console.is_terminal:
        write(_aligned([head, *rows]))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, word in enumerate(head):
        table.add_column(word, overflow="fold", no_wrap=number == 0, style="bold" if number == 0 else None)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def write_card(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """One thing and what there is to say of it, a word in front of each."""
    rows = list(rows)
    console = Console(highlight=False)
    if not console.is_terminal:
        write(f"{title}\n{_aligned([(f'  {word}', text) for word, text in rows])}")
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for word, text in rows:
        grid.add_row(Text(f"  {word}"), Text(text))
    console.print(Text(title, style="bold"))
    console.print(grid)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
