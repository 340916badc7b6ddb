# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock simulate`: one policy under one workload."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from faultlock.commands.compare import add_simulation_arguments, run_policies
from faultlock.report import console
from faultlock.report.arguments import output_file

if TYPE_CHECKING:
    from faultlock.workload.schema import Workload

HELP = """\
Simulate a workload under one policy: latencies and rates, counters, waits and wait chains.

The same seed gives the same output, byte for byte."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policy", nargs="?", default="drop-retry", metavar="POLICY",
                        help="a shipped policy or a file (default: drop-retry)")
    add_simulation_arguments(parser, 1)
    parser.add_argument("--perfetto", type=output_file, metavar="FILE",
                        help="a trace of the first run for ui.perfetto.dev")
    parser.add_argument("--events", type=output_file, metavar="FILE",
                        help="the event log of the first run, a Parquet file")


def run(arguments: argparse.Namespace) -> int:
    code = run_policies(arguments, [arguments.policy])
    if arguments.perfetto:
        _write_trace(arguments)
    if arguments.events:
        _write_events(arguments)
    return code


def _first_run(arguments: argparse.Namespace) -> tuple[Workload, str, int]:
    """Workload, policy and seed of the first replication."""
    from faultlock.sim.many import seeds
    from faultlock.workload.library import load, overrides

    workload = overrides(load(arguments.workload), arguments.set)
    return workload, arguments.policy, seeds(arguments.seed, 1)[0]


def _write_events(arguments: argparse.Namespace) -> None:
    from faultlock.sim.event_log import write_events

    with console.progress(f"{arguments.events}") as report:
        written = write_events(arguments.events, *_first_run(arguments),
                               lambda share: report(share, "events"))
    if written.lost:
        console.warn(f"{arguments.events}: {written.lost} of {written.rows + written.lost} events "
                     "did not fit into memory and are not in it")


def _write_trace(arguments: argparse.Namespace) -> None:
    from faultlock.report.timeline import MOST_ROWS, write_timeline

    timeline = write_timeline(arguments.perfetto, *_first_run(arguments))
    if not timeline.complete:
        console.warn(f"{arguments.perfetto}: only the first {MOST_ROWS} events; "
                     "--set duration=... makes the run shorter")
