# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock simulate`: one policy under one workload."""

from __future__ import annotations

import argparse
from pathlib import Path

from faultlock.commands.compare import add_simulation_arguments, run_policies
from faultlock.report import console

HELP = """\
Simulate a workload under one policy: latencies and rates, counters, waits and wait chains.

The same seed gives the same output, byte for byte."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policy", nargs="?", default="drop-retry", metavar="POLICY",
                        help="a shipped policy or a file (default: drop-retry)")
    add_simulation_arguments(parser, 1)
    parser.add_argument("--perfetto", type=Path, metavar="FILE",
                        help="a trace of the first run for ui.perfetto.dev")


def run(arguments: argparse.Namespace) -> int:
    code = run_policies(arguments, [arguments.policy])
    if arguments.perfetto:
        _write_trace(arguments)
    return code


def _write_trace(arguments: argparse.Namespace) -> None:
    from faultlock.report.timeline import MOST_ROWS, write_timeline
    from faultlock.workload.library import load, overrides

    workload = overrides(load(arguments.workload), arguments.set)
    timeline = write_timeline(arguments.perfetto, workload, arguments.policy, arguments.seed)
    if not timeline.complete:
        console.warn(f"{arguments.perfetto}: only the first {MOST_ROWS} events; "
                     "--set duration=... makes the run shorter")
