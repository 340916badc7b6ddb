# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock simulate`: one policy under one workload."""

from __future__ import annotations

import argparse

from faultlock.commands.compare import add_simulation_arguments, run_policies

HELP = """\
Simulate a workload under one policy: latencies and rates, counters, waits and wait chains.

The same seed gives the same output, byte for byte."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policy", nargs="?", default="drop-retry", metavar="POLICY",
                        help="a shipped policy or a file (default: drop-retry)")
    add_simulation_arguments(parser, 1)


def run(arguments: argparse.Namespace) -> int:
    return run_policies(arguments, [arguments.policy])
