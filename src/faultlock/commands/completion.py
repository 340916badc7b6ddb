# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock completion`: shell completion scripts and the man page, from the same parser."""

from __future__ import annotations

import argparse

from faultlock.report import console
from faultlock.version import __version__

HELP = """\
Print shell completion, or the man page, on stdout.

  faultlock completion bash > /etc/bash_completion.d/faultlock
  faultlock completion zsh > ~/.zfunc/_faultlock
  faultlock completion man > /usr/local/share/man/man1/faultlock.1"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=["bash", "zsh", "tcsh", "man"], help="what to print")


def run(arguments: argparse.Namespace) -> int:
    parser = arguments.parser_of_all_verbs()
    console.out(_man_page(parser) if arguments.kind == "man" else _script(parser, arguments.kind))
    return 0


def _script(parser: argparse.ArgumentParser, shell: str) -> str:
    import shtab

    return str(shtab.complete(parser, shell=shell))


def _man_page(parser: argparse.ArgumentParser) -> str:
    from argparse_manpage.manpage import Manpage

    data = {
        "description": "check, simulate and measure page-fault locking policies",
        "project_name": "faultlock",
        "version": __version__,
        "manual_title": "faultlock",
    }
    return _unfilled(str(Manpage(parser, _data=data)).rstrip("\n"))


def _unfilled(page: str) -> str:
    """The list of verbs as it stands in --help: man would fill its lines."""
    before, description, rest = page.partition(".SH DESCRIPTION\n")
    body, section, after = rest.partition("\n.SH")
    words, gap, verbs = body.partition("\n\n")
    if not gap:
        return page
    return f"{before}{description}{words}{gap}.nf\n{verbs}\n.fi{section}{after}"
