# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock compare`: policies under one workload, side by side."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from typing import Any

from faultlock.errors import EXIT_OK, FaultlockError, atomic_write
from faultlock.report import console
from faultlock.report.arguments import output_file, seed_number

HELP = """\
Simulate a workload under several policies and say who waits for whom, and how long.

Without arguments: the default workload under all shipped policies.  The first policy is the
one that the others are compared with.  The same seed gives the same output, byte for byte."""

DEFAULT_REPLICATIONS = 5
MOST_CHAINS = 10
ADDITIONS = ("fork-fix",)  # policies that only make sense on top of another


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policies", nargs="*", metavar="POLICY",
                        help="shipped policies or files, a+b combines (default: all shipped)")
    add_simulation_arguments(parser, DEFAULT_REPLICATIONS)


def add_simulation_arguments(parser: argparse.ArgumentParser, replications: int) -> None:
    """The options that compare and simulate share."""
    parser.add_argument("-w", "--workload", default="default", help="workload or file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="another setting, e.g. device.latency=2ms; may be repeated")
    parser.add_argument("--replications", type=int, default=replications,
                        help=f"independent runs of each policy (default: {replications})")
    parser.add_argument("--seed", type=seed_number, default=1,
                        help="seed of the first (default: 1)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1,
                        help="processes (default: one per CPU)")
    parser.add_argument("--chains", type=int, default=3, metavar="N",
                        help="how many of the worst wait chains to draw (default: 3, at most "
                        f"{MOST_CHAINS})")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.add_argument("--mail", action="store_true", help="72 columns, for a mailing list")
    parser.add_argument("--html", type=output_file, metavar="FILE", help="a page with plots")


def run(arguments: argparse.Namespace) -> int:
    return run_policies(arguments, arguments.policies or default_policies())


def default_policies() -> list[str]:
    """All shipped policies, today's first; an addition stands on hold."""
    from faultlock.lang.model import shipped_policies

    shipped = list(shipped_policies())
    whole = [name for name in shipped if name not in ADDITIONS]
    ordered = sorted(whole, key=lambda name: (name != "drop-retry", name))
    return [*ordered, *(f"hold+{name}" for name in shipped if name in ADDITIONS)]


def run_policies(arguments: argparse.Namespace, policies: list[str]) -> int:
    """Simulate, then print or write what was asked for."""
    from faultlock.compare.replications import compare_policies, document
    from faultlock.compare.words import sentences
    from faultlock.lang.model import compile_model, load_model
    from faultlock.workload.library import load, overrides

    if arguments.workers < 1 or not 0 <= arguments.chains <= MOST_CHAINS:
        raise FaultlockError(f"--workers is at least 1, --chains 0 to {MOST_CHAINS}")
    if len(set(policies)) != len(policies):
        raise FaultlockError("a policy is named twice; name each once")
    workload = overrides(load(arguments.workload), arguments.set)
    for policy in policies:  # a policy that does not compile is said before anything runs
        compile_model(load_model(policy), statistics=True)
    with console.progress(f"{workload.name}: {len(policies)} policies") as report:
        found = compare_policies(workload, policies, arguments.seed, arguments.replications,
                                 arguments.workers, report)
    result = document(workload, arguments.seed, found)
    _show(arguments, result, sentences(result))
    return EXIT_OK


def command_line() -> str:
    """The command that makes the same output again."""
    return shlex.join(["faultlock", *sys.argv[1:]])


def _show(arguments: argparse.Namespace, result: dict[str, Any], verdict: list[str]) -> None:
    if arguments.html:
        from faultlock.report.compare_page import compare_page

        with atomic_write(arguments.html) as stream:
            stream.write(compare_page(result, verdict, command_line()))
    if arguments.json:
        from faultlock.sim.result import without_callers

        console.out_json(without_callers(result))
    elif arguments.mail:
        from faultlock.report.mail import compare_mail

        console.out(compare_mail(result, verdict, command_line()).rstrip("\n"))
    else:
        _print(result, verdict, arguments.chains)


def _print(result: dict[str, Any], verdict: list[str], most_chains: int) -> None:
    from faultlock.report.tables import (
        actor_rows,
        blocked_actor_rows,
        blocked_rows,
        chain_lines,
        counter_rows,
    )

    policies = result["policies"]
    for sentence in verdict:
        console.out(sentence)
    console.out()
    console.out_table(*actor_rows(policies))
    console.out()
    console.out_table(*counter_rows(policies))
    for header, rows in (blocked_rows(policies), blocked_actor_rows(policies)):
        if rows:
            console.out()
            console.out_table(header, rows)
    lines = chain_lines(policies, min(most_chains, 10))
    if lines:
        console.out()
        for line in lines:
            console.out(line)
    console.out()
    console.out(f"workload {result['workload']}, {result['seconds']:g} s, "
                f"{result['replications']} replications from seed {result['seed']}; "
                "latencies are simulated; the model's error: faultlock validate")
