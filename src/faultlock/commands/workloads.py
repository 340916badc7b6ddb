# SPDX-License-Identifier: GPL-2.0-only
"""faultlock workloads: what is shipped."""

from __future__ import annotations

import argparse

from faultlock.errors import EXIT_OK
from faultlock.report import console

HELP = """\
Lists the shipped workloads, or prints one (its file, to copy and change).
Every command that takes -w also takes the path of such a file, and --set KEY=VALUE."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `faultlock workloads`."""
    parser.add_argument("name", nargs="?", help="print this workload's file")
    parser.add_argument(
        "--keys", action="store_true", help="print every key a workload file may have"
    )
    parser.add_argument("--json", action="store_true", help="print the list as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Prints the list, one file, or the reference of keys. Exit code 0."""
    from faultlock.workload.library import load, shipped_names, text_of
    from faultlock.workload.reference import reference_lines

    if arguments.keys:
        console.out("\n".join(reference_lines()))
        return EXIT_OK
    if arguments.name:
        console.out(text_of(arguments.name).rstrip())
        return EXIT_OK
    workloads = {name: load(name) for name in shipped_names()}
    if arguments.json:
        console.out_json(
            [
                {"name": name, "description": item.description, "threads": item.n_threads,
                 "duration_ns": item.duration_ns, "source": item.source}
                for name, item in workloads.items()
            ]
        )  # fmt: skip
        return EXIT_OK
    width = max(map(len, workloads))
    for name, item in workloads.items():
        what = item.description or f"{item.n_threads} threads, device {item.device.latency}"
        console.out(f"{name:<{width}}  {what}")
    return EXIT_OK
