# SPDX-License-Identifier: GPL-2.0-only
"""What commands print with: plain text when piped, colour and progress on a terminal.

Text goes to stdout, progress and warnings to stderr.  rich is imported only when a
terminal is there to be coloured.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

Progress = Callable[[float, str], None]


def wants_colour(stream: TextIO) -> bool:
    """True on a terminal, unless NO_COLOR is set (https://no-color.org) or TERM=dumb."""
    return (
        stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "") != "dumb"
    )


def width_columns(without_terminal: int = 100) -> int:
    """Columns of the terminal (COLUMNS overrides); `without_terminal` when there is none."""
    return shutil.get_terminal_size((without_terminal, 24)).columns


def out(text: str = "") -> None:
    """One line, or several, to stdout."""
    print(text)


def warn(text: str) -> None:
    """One line to stderr that does not end the command."""
    print(f"faultlock: warning: {text}", file=sys.stderr)


def out_json(value: object) -> None:
    """`value` as JSON on stdout: keys in the order given, indented, NaN refused."""
    print(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


_STYLES = {"bad": "31;1", "good": "32", "dim": "2", "head": "1", "mark": "33"}


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """`text` in a style (bad, good, dim, head, mark) where the stream can show it."""
    if not wants_colour(stream or sys.stdout):
        return text
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def is_number(text: str) -> bool:
    """A number, perhaps with a sign, % or nothing at all: such columns go to the right."""
    try:
        float(text.strip(" %<>~±") or "x")
    except ValueError:
        return text in ("", "-")
    return True


def table_lines(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """An aligned table: one record a line, columns of numbers to the right, two blanks between.

    `header` names the columns, units included; every row has as many cells as the header.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [
        max(len(line[column]) for line in [list(header), *cells]) for column in range(len(header))
    ]
    right = [
        bool(cells) and all(is_number(row[column]) for row in cells)
        for column in range(len(header))
    ]

    def line(row: Sequence[str]) -> str:
        return "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()

    return [line(header), *map(line, cells)]


def out_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print `table_lines`, the header in bold on a terminal."""
    first, *rest = table_lines(header, rows)
    out(paint(first, "head"))
    for line in rest:
        out(line)


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """A progress bar on stderr while the block runs; silent when stderr is no terminal.

    The block calls `report(fraction, text)` with 0 <= fraction <= 1.
    """
    if not sys.stderr.isatty():
        yield lambda fraction, text: None
        return
    yield from _rich_progress(title)


def _rich_progress(title: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0, note="")

        def report(fraction: float, text: str) -> None:
            bar.update(task, completed=min(1.0, max(0.0, fraction)), note=text)

        yield report
