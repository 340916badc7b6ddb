# SPDX-License-Identifier: GPL-2.0-only
"""faultlock reproduce: a counterexample on a real kernel."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from faultlock.errors import EXIT_OK, EXIT_VIOLATED, FaultlockError, atomic_write
from faultlock.report import console
from faultlock.report.arguments import output_file

if TYPE_CHECKING:
    from faultlock.measure.reproduce.attempt import Attempt
    from faultlock.measure.reproduce.choose import Reproducer
    from faultlock.measure.reproduce.counterexample import Counterexample

HELP = """\
Writes a C program that provokes a violation of the model on a real kernel, runs it there (QEMU, no
root needed) and says whether it was seen. COUNTEREXAMPLE is a file that `faultlock check --json`
wrote, the name of a scenario or of a reproducer. Exit code 1: confirmed; 0: not seen."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `faultlock reproduce`."""
    parser.add_argument(
        "counterexample", help="JSON file of `faultlock check --json`, a scenario or a reproducer"
    )
    parser.add_argument("--kernel", action="append", type=Path, default=[], metavar="BZIMAGE")
    parser.add_argument("--scenario", help="which scenario, when the file holds several")
    parser.add_argument("--property", help="id of the property, for example S4")
    parser.add_argument("-o", "--output", type=output_file, metavar="FILE",
                        help="keep the C program")
    parser.add_argument("--limit", type=float, default=120, metavar="S", help="wall-clock limit")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def _find(arguments: argparse.Namespace) -> list[tuple[Counterexample, Reproducer]]:
    """Counterexamples with their reproducers, each reproducer once. Raises FaultlockError."""
    from faultlock.measure.reproduce.choose import choose, explain_missing
    from faultlock.measure.reproduce.counterexample import Counterexample, read_counterexamples

    given = arguments.counterexample
    if Path(given).is_file():
        found = read_counterexamples(Path(given))
    elif given.endswith(".json") or "/" in given:
        raise FaultlockError(f"{given}: there is no such file")
    else:
        found = [Counterexample(given, arguments.property or "")]
    wanted = [
        item
        for item in found
        if arguments.scenario in (None, item.scenario)
        and (not arguments.property or item.property_name.split()[:1] == [arguments.property])
    ]
    if not wanted:
        names = ", ".join(
            dict.fromkeys(f"{item.scenario} ({item.property_name})" for item in found)
        )
        raise FaultlockError(f"{given}: no such violation in it; it holds: {names[:500]}")
    pairs: dict[str, tuple[Counterexample, Reproducer]] = {}
    for item in wanted:
        reproducer = choose(item.scenario, item.property_name)
        if reproducer is not None:
            pairs.setdefault(reproducer.name, (item, reproducer))
    if not pairs:
        raise explain_missing(wanted[0].scenario, wanted[0].property_name)
    return list(pairs.values())


def run(arguments: argparse.Namespace) -> int:
    """Writes and runs the reproducer. Exit code 1 when any kernel shows the violation, else 0."""
    from faultlock.commands.measure import say_what_was_left
    from faultlock.measure.qemu import check_ready, check_seconds
    from faultlock.measure.reproduce.attempt import attempt
    from faultlock.measure.reproduce.choose import source_text

    check_seconds("reproduce: --limit", arguments.limit)
    (item, reproducer), *others = _find(arguments)
    if not arguments.kernel and not arguments.output:
        raise FaultlockError("reproduce: give --kernel BZIMAGE to run it, or -o FILE to keep it")
    for kernel in arguments.kernel:
        check_ready(kernel)
    source = source_text(reproducer, item.scenario, item.property_name, item.policy, item.steps)
    if arguments.output:
        with atomic_write(arguments.output) as stream:
            stream.write(source)
    attempts = {
        kernel.name: attempt(source, kernel, arguments.limit) for kernel in arguments.kernel
    }
    say_what_was_left()
    if arguments.json:
        console.out_json(
            {
                "scenario": item.scenario, "property": item.property_name,
                "reproducer": reproducer.name,
                "kernels": {
                    name: {"confirmed": result.confirmed, "what": result.what,
                           "observed": list(result.observed)}
                    for name, result in attempts.items()
                },
            }
        )  # fmt: skip
    else:
        _print(item, reproducer, arguments, attempts)
        for other, its_reproducer in others:
            console.out(
                f"also in {arguments.counterexample}: {other.scenario}: {other.property_name} "
                f"({its_reproducer.name}; --property {other.property_name.split()[0]})"
            )
    return EXIT_VIOLATED if any(result.confirmed for result in attempts.values()) else EXIT_OK


def _print(
    item: Counterexample,
    reproducer: Reproducer,
    arguments: argparse.Namespace,
    attempts: dict[str, Attempt],
) -> None:
    title = f"{item.scenario}: {item.property_name}" if item.property_name else item.scenario
    console.out(f"{title}: {reproducer.shows}")
    if arguments.output:
        console.out(f"C program: {arguments.output}")
    for name, result in attempts.items():
        seen = console.paint("confirmed", "bad") if result.confirmed else "not seen"
        console.out(f"{name}: {seen}: {result.what}")
        for line in result.observed:
            console.out(f"    {line}")
