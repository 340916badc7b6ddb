# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock show`: a kernel function (or struct, constant ...) as a policy has it."""

from __future__ import annotations

import argparse
import sys

from faultlock.errors import EXIT_OK
from faultlock.report import console

HELP = """\
Show a function, struct or constant of the model as a policy has it.

  faultlock show filemap_fault
  faultlock show filemap_fault --policy hold
  faultlock show Folio"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="+", help="kernel function, struct, enum, constant")
    parser.add_argument(
        "-p", "--policy", default="drop-retry", help="policy or file (default: %(default)s)"
    )
    parser.add_argument("--plain", action="store_true", help="the text alone, no line numbers")


def run(arguments: argparse.Namespace) -> int:
    from faultlock.report.model_text import read_model_text

    text = read_model_text(arguments.policy)
    for number, name in enumerate(arguments.name):
        item = text.item(name)
        if number:
            console.out()
        if arguments.plain:
            console.out("\n".join(item.lines))
            continue
        replaces = f", replaces {item.replaces}" if item.replaces else ""
        title = f"{item.place}  {item.kind}, policy {arguments.policy}{replaces}"
        console.out(console.paint(title, "head"))
        width = len(str(item.line + len(item.lines)))
        for offset, line in enumerate(_coloured(list(item.lines))):
            gutter = console.paint(f"{item.line + offset:>{width}}", "dim")
            console.out(f"{gutter}  {line}".rstrip())
        callers = text.called_by.get(name, ())
        if callers:
            console.out(console.paint(f"called by {', '.join(callers)}", "dim"))
    return EXIT_OK


def _coloured(lines: list[str]) -> list[str]:
    """The lines with Python's colours where stdout can show them."""
    if not console.wants_colour(sys.stdout):
        return lines
    from pygments import highlight
    from pygments.formatters import TerminalFormatter
    from pygments.lexers import PythonLexer

    text = highlight("\n".join(lines), PythonLexer(stripnl=False), TerminalFormatter())
    coloured: list[str] = text.removesuffix("\n").split("\n")
    return coloured
