# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock info`: what a recording holds."""

from __future__ import annotations

import argparse
from typing import Any

from faultlock.errors import EXIT_OK
from faultlock.report import console

HELP = "what a trace holds"

_TABLES = {
    "fault_kinds": "page faults by kind",
    "files": "files, by time blocked in their faults",
    "threads": "threads, by page faults",
    "calls": "system calls",
    "forks": "new processes, by duration of the call",
    "waits": "where threads slept",
    "mmap_lock": "mmap_lock",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.description = (
        "Threads, mappings, faults by kind and file, forks, waits, and wait chains (waits for "
        "mmap_lock of 20 us and more, matched with who held it)."
    )
    parser.add_argument("trace", metavar="TRACE", help="a shipped recording or a .flt file")
    parser.add_argument(
        "--top", type=int, default=10, metavar="N", help="rows per table; 0: all (default 10)"
    )
    parser.add_argument("--json", action="store_true", help="machine-readable, the same content")


def run(arguments: argparse.Namespace) -> int:
    """Print what the recording holds."""
    from faultlock.errors import FaultlockError
    from faultlock.trace.describe import describe
    from faultlock.trace.library import open_trace

    if arguments.top < 0:
        raise FaultlockError(f"--top {arguments.top}: must not be negative")
    description = describe(open_trace(arguments.trace), arguments.top)
    if arguments.json:
        console.out_json(description)
        return EXIT_OK
    _print_head(arguments.trace, description)
    for key, title in _TABLES.items():
        if description[key]:
            console.out(f"\n{title}")
            rows = description[key]
            header = list(rows[0])
            pathless = key == "files" and not any(row["path"] for row in rows)
            if pathless:  # events carry numbers only; an import may know better
                header.remove("path")
            console.out_table(header, [[_cell(row[name]) for name in header] for row in rows])
            if pathless:
                console.out("the name of a file: find MOUNT_POINT -xdev -inum INODE")
    _print_chains(description["chains"])
    return EXIT_OK


def _cell(value: object) -> str:
    from faultlock.trace.printable import printable

    if isinstance(value, float):
        return f"{value:.6f}" if abs(value) < 1 else f"{value:.3f}"
    if value is None:
        return "-"
    return printable(str(value), 60) or "-"


def _print_head(name: str, description: dict[str, Any]) -> None:
    from faultlock.trace.printable import printable

    recording, totals = description["recording"], description["totals"]
    console.out(
        f"{printable(name)}: {recording['events']:,} events, {recording['elapsed_s']:.3f} s"
    )
    for facts in (recording, totals):
        for key, value in facts.items():
            if key not in ("events", "elapsed_s", "gaps") and value not in (None, [], ""):
                text = " ".join(map(str, value)) if isinstance(value, list) else value
                text = f"{text:.3f}" if isinstance(text, float) else printable(str(text))
                console.out(f"  {key:<20} {text}")
    for gap in recording["gaps"]:
        console.warn(gap)


def _print_chains(chains: list[dict[str, Any]]) -> None:
    from faultlock.trace.printable import printable

    if chains:
        console.out("\nwait chains (first the waiter; time: how long of its wait)")
    for chain in chains:
        links = [
            f"{printable(link['name'])}-{link['tid']} {link['doing']}: {link['waits_for']} "
            f"{link['us']:.0f} us"
            for link in chain["links"]
        ]
        console.out(f"  at {chain['at_s']:.6f} s  " + "  <-  ".join(links))
