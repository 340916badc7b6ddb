# SPDX-License-Identifier: GPL-2.0-only
"""Plain text of 72 columns that can be pasted into a mailing-list reply.

Verdict, table, interleaving, what was assumed, versions, the command that reproduces it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from faultlock.report.check_page import assumptions, verdict_of
from faultlock.report.tables import (
    MAIL_COLUMNS,
    Table,
    actor_rows,
    check_rows,
    narrow,
    validate_rows,
)
from faultlock.version import version_line

MAIL_LATENCIES = ("mean", "p50", "p99", "max")
MOST_ROWS = 40


def compare_mail(result: Mapping[str, Any], verdict: Sequence[str], command: str) -> str:
    """`compare --json` as mail text; `verdict` in sentences."""
    header, rows = actor_rows(result["policies"], MAIL_LATENCIES)
    table = (_without(header, 2), [_without(row, 2) for row in rows])
    notes = [f"Workload {result['workload']}, seed {result['seed']}; simulated, latencies in us."]
    return _letter(verdict, [table], notes, command)


def check_mail(result: Mapping[str, Any], command: str) -> str:
    """`check --json` as mail text: verdict, what is not `holds`, the shortest counterexample."""
    header, rows = check_rows(result)
    shown = [row for row in rows if row[2] != "holds"]
    tables: list[Table] = [(header, shown[:MOST_ROWS])] if shown else []
    broken = [one for one in result["results"] if one.get("counterexample")]
    shortest = min(broken, key=lambda one: len(one["counterexample"]), default=None)
    extra = _interleaving(shortest) if shortest else []
    return _letter(verdict_of(result), tables, [assumptions(result)], command, extra)


def validate_mail(result: Mapping[str, Any], verdict: Sequence[str], command: str) -> str:
    """`validate --json` as mail text: the summary and the worst rows."""
    header, rows = validate_rows(result)
    return _letter(verdict, [(header, rows[:20])], ["The 20 largest errors."], command)


def _without(row: Sequence[str], index: int) -> list[str]:
    return [*row[:index], *row[index + 1 :]]


def _letter(
    verdict: Sequence[str],
    tables: Sequence[Table],
    notes: Sequence[str],
    command: str,
    extra: Sequence[str] = (),
) -> str:
    blocks = [_filled(line) for line in verdict]
    blocks += ["\n".join(narrow(table)) for table in tables]
    if extra:
        blocks.append("\n".join(extra))
    blocks += [_filled(note) for note in notes]
    blocks.append("\n".join([_filled(version_line()), *command_lines(command)]))
    return "\n\n".join(blocks) + "\n"


def command_lines(command: str) -> list[str]:
    """The command behind a prompt; a long one goes on behind a backslash, as a shell reads it.

    A single word that is wider than a line stays whole: cut, it would be another word."""
    folded = textwrap.wrap(
        command, MAIL_COLUMNS - 6, break_long_words=False, break_on_hyphens=False
    )
    lines = [f"  $ {folded[0]}", *(f"    {line}" for line in folded[1:])]
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def _filled(text: str) -> str:
    return textwrap.fill(text, MAIL_COLUMNS)


def _interleaving(one: Mapping[str, Any]) -> list[str]:
    """One row per step, one column per thread: its function; what happened under it."""
    steps = one["counterexample"]
    threads = list(dict.fromkeys(str(step["thread"]) for step in steps))
    width = max(8, (MAIL_COLUMNS - 4) // len(threads) - 2)
    lines = [f"{one['scenario']}: {one['property']}", "", _row("", threads, width)]
    for number, step in enumerate(steps, 1):
        column = threads.index(str(step["thread"]))
        room = MAIL_COLUMNS - 4 - column * (width + 2)
        cells = [""] * column
        for piece, text in enumerate(_step_text(step, max(room, 12))):
            lines.append(_row(str(number) if piece == 0 else "", [*cells, text], width))
    wrong = str(one.get("wrong") or f"{one['property']}: violated here")
    return [*lines, *textwrap.wrap(f"=> {wrong}", MAIL_COLUMNS)]


def _step_text(step: Mapping[str, Any], room: int) -> list[str]:
    said = f"{step['function']}: {step['text']}"
    lines = textwrap.wrap(said, room, subsequent_indent="  ", break_long_words=True)
    if step.get("note"):
        lines += textwrap.wrap(
            f"({step['note']})", room, initial_indent="  ", subsequent_indent="   "
        )
    return lines


def _row(number: str, cells: Sequence[str], width: int) -> str:
    text = "  ".join(cell.ljust(width) for cell in cells)
    return f"{number:>3} {text}".rstrip()[:MAIL_COLUMNS]
