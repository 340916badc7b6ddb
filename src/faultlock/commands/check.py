# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock check`: every interleaving of the catalogue's scenarios under a policy."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

from faultlock.errors import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_UNKNOWN,
    EXIT_VIOLATED,
    FaultlockError,
    atomic_write,
)
from faultlock.report import console
from faultlock.report.arguments import output_file, seed_number

if TYPE_CHECKING:
    from faultlock.check.explore import Limits, Options, Progress
    from faultlock.check.scenarios import Scenario
    from faultlock.check.verdict import ScenarioResult

HELP = """every interleaving: which properties hold, shortest counterexample

POLICY is a shipped policy, a file ending in .py, or several joined by + .
A verdict is `holds`, `violated` (with the shortest run, replayed on the
reference interpreter before it is printed) or `unknown` (a limit)."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `faultlock check`."""
    parser.add_argument("policy", metavar="POLICY", help="shipped policy, file, or a+b")
    parser.add_argument("--scenario", metavar="NAME", action="append", default=[],
                        help="a scenario of the catalogue or a file; may be repeated "
                        "(default: the whole catalogue)")
    parser.add_argument("--format", choices=("text", "json", "ktap", "mail"), default="text",
                        help="form of the result on stdout (default text)")
    parser.add_argument("--json", action="store_const", const="json", dest="format",
                        help="short for --format json")
    parser.add_argument("--html", metavar="FILE", type=output_file, help="write a page as well")
    parser.add_argument("--witness", action="store_true",
                        help="show a run of each scenario that ends well")
    parser.add_argument("--replay", metavar="SCHEDULE",
                        help="run one schedule on the reference interpreter and show it")
    parser.add_argument("--ignore", metavar="ID", action="append", default=[],
                        help="leave the assertions of an event property (S6) out")
    limits = parser.add_argument_group("limits (reaching one gives `unknown`)")
    limits.add_argument("--max-states", metavar="N", type=int, help="stored states")
    limits.add_argument("--max-memory", metavar="MIB", type=int, help="memory in MiB (4096)")
    limits.add_argument("--max-seconds", metavar="S", type=float, help="seconds per scenario")
    search = parser.add_argument_group("search")
    search.add_argument("--workers", metavar="N", type=int, default=2, help="threads (2)")
    search.add_argument("--no-fusion", action="store_true", help="store local steps as well")
    search.add_argument("--no-partial-order", action="store_true",
                        help="no partial order reduction")
    search.add_argument("--no-symmetry", action="store_true",
                        help="tell threads with the same code apart by their number")
    search.add_argument("--fingerprints", action="store_true",
                        help="keep 64 bits of a state instead of all: less memory; `holds` is "
                        "then said with the probability of a missed state")
    search.add_argument("--no-bounds", action="store_true",
                        help="do not work out how many reads an operation can wait for")
    search.add_argument("--random", metavar="N", type=int, default=200,
                        help="random runs before the search, half of them PCT (200; 0: none)")
    search.add_argument("--seed", metavar="N", type=seed_number, default=1,
                        help="of the random runs (1)")


def run(arguments: argparse.Namespace) -> int:
    """Check, print, and return the exit code."""
    from faultlock.check.scenarios import find_scenario, shipped_scenarios

    names = arguments.scenario or list(shipped_scenarios())
    scenarios = [find_scenario(name) for name in names]
    limits, options = _limits(arguments), _options(arguments)
    _look_for_ignored(arguments, scenarios)
    if arguments.replay is not None:
        return _replay(arguments, scenarios)
    found: list[ScenarioResult] = []
    reached: list[Progress] = []
    for number, scenario in enumerate(scenarios, start=1):
        title = f"[{number}/{len(scenarios)}] {scenario.name}"
        reached.clear()
        try:
            found.append(_check_one(arguments, scenario, limits, options, title, reached))
            whole = not found[-1].exploration.interrupted
        except KeyboardInterrupt:
            whole = False
        if not whole:
            _clear_line()
            done = sum(not each.exploration.interrupted for each in found)
            said = _interruption(scenario.name, reached, done, len(scenarios))
            return _print(arguments, found, said)
    _clear_line()
    return _print(arguments, found)


def _interruption(scenario: str, reached: list[Progress], done: int, wanted: int) -> str:
    """How far it came when Ctrl-C was pressed."""
    place = f"after {reached[-1].states} states of" if reached else "at the beginning of"
    return (f"interrupted {place} {scenario}; {done} of {wanted} scenarios were checked to their "
            "end: this is no verdict on the rest")


def _limits(arguments: argparse.Namespace) -> Limits:
    from faultlock.check.explore import Limits

    given = {
        "states": ("--max-states", arguments.max_states),
        "memory_bytes": ("--max-memory", arguments.max_memory),
        "seconds": ("--max-seconds", arguments.max_seconds),
    }
    values: dict[str, Any] = {}
    for name, (option, value) in given.items():
        if value is None:
            continue
        if value <= 0:
            raise FaultlockError(f"{option} {value}: must be more than 0; leave it out for the "
                                 "default")
        values[name] = value << 20 if name == "memory_bytes" else value
    return Limits(**values)


def _look_for_ignored(arguments: argparse.Namespace, scenarios: list[Scenario]) -> None:
    """Raises FaultlockError if --ignore names a property that no scenario asserts."""
    from faultlock.check.scenarios import asserted_properties

    if not arguments.ignore:
        return
    asserted = asserted_properties(arguments.policy, scenarios)
    for name in arguments.ignore:
        if name not in asserted:
            known = ", ".join(sorted(asserted, key=lambda each: (each[:1], len(each), each)))
            raise FaultlockError(f"--ignore {name}: no event property; asserted are {known}")


def _options(arguments: argparse.Namespace) -> Options:
    from faultlock.check.explore import Options

    if not 1 <= arguments.workers <= 64:
        raise FaultlockError(f"--workers {arguments.workers}: 1 to 64")
    if arguments.random < 0:
        raise FaultlockError(f"--random {arguments.random}: 0 or more runs")
    return Options(not arguments.no_fusion, not arguments.no_partial_order,
                   True, arguments.workers, not arguments.no_bounds,
                   not arguments.no_symmetry, arguments.fingerprints)


def _check_one(arguments: argparse.Namespace, scenario: Scenario, limits: Limits,
               options: Options, title: str, reached: list[Progress]) -> ScenarioResult:
    """The verdicts of one scenario; `reached` keeps how far the search is."""
    from faultlock.check.run import check_scenario
    from faultlock.check.scenarios import compile_scenario
    from faultlock.check.walk import random_walks
    from faultlock.lang.native import compile_native

    _say(f"{title}: compiling")
    started = time.monotonic()
    ignored = frozenset(arguments.ignore)
    native = compile_native(compile_scenario(arguments.policy, scenario, ignored=ignored))
    if arguments.random:
        walks = random_walks(native, arguments.random, arguments.seed)
        if walks.found:
            _say(f"{title}: {walks.summary()}")
            if not sys.stderr.isatty() and arguments.format == "text":
                print(f"{scenario.name}: {walks.summary()}", file=sys.stderr)

    def tell(progress: Progress) -> None:
        reached[:] = [progress]
        rate = progress.states / progress.seconds if progress.seconds else 0
        _say(f"{title}: {progress.states} states, depth {progress.depth}, {rate:,.0f} states/s")

    result = check_scenario(arguments.policy, scenario, limits, options, tell, ignored,
                            native)
    result.seconds = time.monotonic() - started
    return result


def _say(text: str) -> None:
    """The progress line; only on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text[:console.width_columns() - 1]}", end="", file=sys.stderr, flush=True)


def _clear_line() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print(arguments: argparse.Namespace, found: list[ScenarioResult],
           interrupted: str = "") -> int:
    from faultlock.check.result import ktap_lines, result_of

    result = result_of(arguments.policy, found, interrupted)
    command = shlex.join(["faultlock", "check", arguments.policy,
                          *(word for name in arguments.scenario for word in ("--scenario", name))])
    if arguments.html is not None and found:
        from faultlock.report.check_page import check_page

        with atomic_write(arguments.html) as stream:
            stream.write(check_page(result, command))
    if arguments.format == "json":
        console.out_json(result)
    elif arguments.format == "ktap":
        console.out("\n".join(ktap_lines(result)))
    elif arguments.format == "mail":
        from faultlock.report.mail import check_mail

        console.out(check_mail(result, command))
    elif found:
        _print_text(arguments, found, result)
    if interrupted:
        unwritten = f"; {arguments.html} is not written" if arguments.html and not found else ""
        print(f"faultlock: {interrupted}{unwritten}", file=sys.stderr)
    return _exit_code(found, bool(interrupted))


def _print_text(arguments: argparse.Namespace, found: list[ScenarioResult],
                result: dict[str, Any]) -> None:
    from faultlock.check.result import bound_rows, example_lines, summary_rows

    width = console.width_columns()
    for row in result["results"]:
        if row["verdict"] == "violated":
            console.out("\n".join(example_lines(row, width)) + "\n")
    console.out_table(*summary_rows(result))
    if result["io_bounds"]:
        console.out("")
        console.out_table(*bound_rows(result))
    if arguments.witness:
        _witnesses(found, width)
    console.out("assumed: " + "; ".join(result["assumed"]))


def _exit_code(found: list[ScenarioResult], interrupted: bool) -> int:
    verdicts = {item.verdict for result in found for item in result.properties}
    if "violated" in verdicts:
        return EXIT_VIOLATED
    if interrupted:
        return EXIT_INTERRUPTED
    return EXIT_UNKNOWN if "unknown" in verdicts else EXIT_OK


def _witnesses(found: list[ScenarioResult], width: int) -> None:
    from faultlock.check.replayed import witness
    from faultlock.check.result import path_lines, step_row

    for result in found:
        replayed = witness(result)
        console.out(f"\n{result.scenario}: a run that ends well")
        if replayed is None:
            console.out("  none was found")
            continue
        rows = [step_row(step) for step in replayed.steps if step.shown]
        console.out("\n".join(path_lines(rows, width)))
        console.out(f"   again: faultlock check {result.policy} --scenario {result.scenario} "
                    f"--replay {replayed.schedule()}")


def _replay(arguments: argparse.Namespace, scenarios: list[Scenario]) -> int:
    from faultlock.check.path import replay as replay_moves
    from faultlock.check.replayed import broken_at_end
    from faultlock.check.result import path_lines, step_row
    from faultlock.check.scenarios import compile_scenario
    from faultlock.check.schedule import parse_schedule
    from faultlock.lang.native import compile_native

    if len(scenarios) != 1 or not arguments.scenario:
        raise FaultlockError("--replay needs exactly one --scenario")
    ignored = frozenset(arguments.ignore)
    native = compile_native(compile_scenario(arguments.policy, scenarios[0], ignored=ignored))
    moves = parse_schedule(arguments.replay, len(native.program.threads))
    replayed = replay_moves(native, moves, strict=False)
    rows = [step_row(step) for step in replayed.steps if step.shown]
    wrong = broken_at_end(native, replayed)
    if arguments.format == "json":
        console.out_json({"policy": arguments.policy, "scenario": scenarios[0].name,
                          "steps": rows, "wrong": wrong})
    else:
        console.out("\n".join(path_lines(rows, console.width_columns())))
        for text in wrong:
            console.out(f"=> {text}")
        if not wrong:
            console.out("every property holds in the last state of this run")
    return EXIT_VIOLATED if wrong else EXIT_OK
