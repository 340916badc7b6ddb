# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock export promela`: a scenario for another checker."""

from __future__ import annotations

import argparse

from faultlock.errors import EXIT_OK, atomic_write
from faultlock.report import console
from faultlock.report.arguments import output_file

HELP = """a scenario for another checker (Promela, for Spin)

  faultlock export promela fault+kill --policy hold -o model.pml
  spin -a model.pml && gcc -O3 -fwrapv -DNOREDUCE -DPROPERTIES -DVECTORSZ=4096 -o pan pan.c
  ./pan -m1000000 -E"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `faultlock export`."""
    parser.add_argument("form", choices=("promela",), help="the other checker's language")
    parser.add_argument("scenario", metavar="SCENARIO", help="a scenario's name, or a file")
    parser.add_argument("--policy", default="drop-retry", help="policy (default drop-retry)")
    parser.add_argument("-o", "--output", metavar="FILE", type=output_file,
                        help="write to a file (default: stdout)")


def run(arguments: argparse.Namespace) -> int:
    """Write the text."""
    from faultlock.check.scenarios import compile_scenario, find_scenario
    from faultlock.export.promela import promela

    program = compile_scenario(arguments.policy, find_scenario(arguments.scenario))
    text = promela(program)
    if arguments.output is None:
        console.out(text)
        return EXIT_OK
    with atomic_write(arguments.output) as stream:
        stream.write(text)
    return EXIT_OK
