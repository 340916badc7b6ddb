# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock diff`: what one policy changes against another, side by side."""

from __future__ import annotations

import argparse
import textwrap

from faultlock.errors import EXIT_OK, FaultlockError
from faultlock.report import console
from faultlock.report.model_text import (
    ADDED,
    CHANGED,
    FOLDED,
    REMOVED,
    ItemDiff,
    Row,
    differences,
    read_model_text,
)

HELP = """\
Show what one policy changes against another, side by side.

  faultlock diff drop-retry hold
  faultlock diff hold my_policy.py filemap_fault

Marks: | changed, < only on the left, > only on the right.  The width is the terminal's, or
COLUMNS, or 160 when piped; --unified prints lines that `patch` users know."""

PIPED_WIDTH_COLUMNS = 160
STYLES = {CHANGED: "mark", REMOVED: "bad", ADDED: "good"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("left", help="policy or file")
    parser.add_argument("right", help="policy or file")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these functions")
    parser.add_argument("-u", "--unified", action="store_true", help="one column, - and + lines")
    parser.add_argument("--full", action="store_true", help="whole functions, not only the changes")
    parser.add_argument("--stat", action="store_true", help="one line for each function")


def run(arguments: argparse.Namespace) -> int:
    left, right = read_model_text(arguments.left), read_model_text(arguments.right)
    found = differences(left, right, -1 if arguments.full else 3)
    for name in arguments.names:
        if name not in left.items:
            right.item(name)
    if arguments.names:
        found = [diff for diff in found if diff.name in arguments.names]
    if not arguments.stat:
        for diff in found:
            _title(diff)
            for line in _unified(diff) if arguments.unified else _columns(diff):
                console.out(line)
            console.out()
    console.out(_summary(arguments.left, arguments.right, found))
    if arguments.stat and found:
        console.out_table(("name", "what", "left", "right", "-", "+"), [_stat(d) for d in found])
    return EXIT_OK


def _title(diff: ItemDiff) -> None:
    places = [item.place if item else "(not there)" for item in (diff.left, diff.right)]
    console.out(console.paint(f"{diff.name}: {places[0]} | {places[1]}", "head"))


def _counts(diff: ItemDiff) -> tuple[int, int]:
    gone = sum(row.mark in (CHANGED, REMOVED) for row in diff.rows)
    new = sum(row.mark in (CHANGED, ADDED) for row in diff.rows)
    return gone, new


def _stat(diff: ItemDiff) -> tuple[object, ...]:
    gone, new = _counts(diff)
    places = [item.place if item else "" for item in (diff.left, diff.right)]
    return diff.name, diff.verb, *places, gone, new


def _summary(left: str, right: str, found: list[ItemDiff]) -> str:
    if not found:
        return f"{left} and {right}: no difference"
    counts = {verb: sum(diff.verb == verb for diff in found) for verb in
              ("changed", "added", "gone")}
    said = ", ".join(f"{count} {verb}" for verb, count in counts.items() if count)
    gone = sum(_counts(diff)[0] for diff in found)
    new = sum(_counts(diff)[1] for diff in found)
    return f"{right} against {left}: {said}; {gone} lines fewer, {new} lines more"


def _unified(diff: ItemDiff) -> list[str]:
    lines: list[str] = []
    pending: list[str] = []
    for row in diff.rows:
        if row.mark == CHANGED:
            lines.append(console.paint(f"-{row.left}", "bad"))
            pending.append(console.paint(f"+{row.right}", "good"))
            continue
        lines += pending
        pending = []
        if row.mark == FOLDED:
            lines.append(console.paint("@@", "dim"))
        elif row.mark == REMOVED:
            lines.append(console.paint(f"-{row.left}", "bad"))
        elif row.mark == ADDED:
            lines.append(console.paint(f"+{row.right}", "good"))
        else:
            lines.append(f" {row.left}".rstrip())
    return lines + pending


def _columns(diff: ItemDiff) -> list[str]:
    width = console.width_columns(PIPED_WIDTH_COLUMNS)
    digits = max(len(str(max(row.left_line, row.right_line))) for row in diff.rows)
    side = (width - 2 * digits - 5) // 2
    if side < 20:
        raise FaultlockError(
            f"{width} columns are too few to stand side by side; use --unified or a wider terminal"
        )
    return [line for row in diff.rows for line in _row_lines(row, side, digits)]


def _row_lines(row: Row, side: int, digits: int) -> list[str]:
    if row.mark == FOLDED:
        return [console.paint("..." .center(2 * (side + digits) + 5).rstrip(), "dim")]
    left, right = _wrap(row.left, side), _wrap(row.right, side)
    lines = []
    for number in range(max(len(left), len(right))):
        first = number == 0
        numbers = [
            str(line) if line and first else "" for line in (row.left_line, row.right_line)
        ]
        text = (
            f"{numbers[0]:>{digits}} {_at(left, number):<{side}} {row.mark} "
            f"{numbers[1]:>{digits}} {_at(right, number)}"
        ).rstrip()
        lines.append(console.paint(text, STYLES[row.mark]) if row.mark in STYLES else text)
    return lines


def _wrap(text: str, width: int) -> list[str]:
    """`text` in pieces of at most `width`, continuation lines indented further."""
    if len(text) <= width:
        return [text]
    indent = len(text) - len(text.lstrip())
    return textwrap.wrap(
        text.strip(),
        width,
        initial_indent=text[:indent],
        subsequent_indent=" " * min(indent + 4, width // 2),
        drop_whitespace=True,
    ) or [text]


def _at(lines: list[str], number: int) -> str:
    return lines[number] if number < len(lines) else ""
