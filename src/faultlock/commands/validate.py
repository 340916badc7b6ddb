# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock validate`: the model against measurements of kernels."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultlock.errors import EXIT_OK, FaultlockError, atomic_write
from faultlock.report import console
from faultlock.report.arguments import output_file, seed_number

if TYPE_CHECKING:
    from faultlock.compare.kernel_values import Fact, Group

HELP = """the model against measurements of kernels

Simulates every scenario of the files (default: the measurements that come with
faultlock) and prints model against kernel, with the kernel's own run-to-run
difference beside each error. Rate and mean are judged where n is 30 or more.
Facts (one operation beside one fault) are right within 5 % or 0.1 ms; with
--scenario they are left out."""
REGIME_REPLICATIONS = 20
FIRST_REPLICATIONS = 2
STEADY_DIFFERENCE = 0.02


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `faultlock validate`."""
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path, help="measurements")
    parser.add_argument("--scenario", metavar="NAME", action="append", default=[],
                        help="only this scenario; may be repeated")  # fmt: skip
    parser.add_argument("--replications", metavar="N", type=int, default=5,
                        help="at most so many runs of each scenario; two are enough where they "
                        "agree within 2 %%, regime rows take 20 (5)")  # fmt: skip
    parser.add_argument("--seed", metavar="N", type=seed_number, default=1, help="seed (1)")
    parser.add_argument("--workers", metavar="N", type=int, default=0,
                        help="processes (default: one for each core)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--mail", action="store_true", help="72 columns, for a mailing list")
    parser.add_argument("--html", type=output_file, metavar="FILE", help="a page with plots")


def _wanted(arguments: argparse.Namespace) -> tuple[list[Group], list[Fact]]:
    from faultlock.compare.kernel_values import read_groups, shipped_files
    from faultlock.lang.model import shipped_policies

    files = arguments.files or shipped_files()
    groups, facts = read_groups(files, shipped_policies())
    if arguments.scenario:
        names = {group.name for group in groups}
        for name in arguments.scenario:
            if name not in names:
                raise FaultlockError(
                    f"--scenario {name}: not in these files; they have {', '.join(sorted(names))}"
                )
        groups = [group for group in groups if group.name in arguments.scenario]
        facts = []
    if not groups and not facts:
        raise FaultlockError("nothing to compare; name a measurement file with scenarios or facts")
    return groups, facts


def result_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The document of `validate --json`."""
    from faultlock.compare.facts import times_of_fact, workload_of_fact
    from faultlock.compare.validate import (
        METRICS,
        SHOWN,
        fact_rows,
        orderings,
        rows_of_group,
        summary,
    )
    from faultlock.sim.many import Job, run_jobs

    if not 1 <= arguments.replications <= REGIME_REPLICATIONS:
        raise FaultlockError(f"--replications: give 1 to {REGIME_REPLICATIONS}")
    if arguments.workers < 0:
        raise FaultlockError(f"--workers {arguments.workers}: at least 1; 0: one for each core")
    groups, facts = _wanted(arguments)
    tables = _tables_of_groups(groups, arguments)
    rows = []
    for group, found in zip(groups, tables, strict=True):
        rows += rows_of_group(group, found, (*METRICS, *SHOWN))
    jobs = [Job(workload_of_fact(fact), fact.policy, arguments.seed) for fact in facts]
    with console.progress("simulating the facts") as report:
        times = [times_of_fact(result) for result in run_jobs(jobs, report, arguments.workers)]
    return summary(rows, orderings(rows), fact_rows(facts, times))


def _tables_of_groups(
    groups: list[Group], arguments: argparse.Namespace
) -> list[list[dict[str, Any]]]:
    """{actor: table} of each run of each scenario.  Regime rows take 20 runs; others two, and
    more only where these two differ by more than 2 % in a rate or mean."""
    from faultlock.sim.many import Job, run_jobs, seeds
    from faultlock.workload.measurement_scenario import workload_of_scenario

    least = min(FIRST_REPLICATIONS, arguments.replications)
    wanted = [REGIME_REPLICATIONS if is_regime(group) else least for group in groups]
    tables: list[list[dict[str, Any]]] = [[] for _ in groups]
    workloads = [workload_of_scenario(g.measurement, g.repeats[0], g.file) for g in groups]
    for text in ("simulating the measured scenarios", "again, where two runs differ"):
        jobs, owners = [], []
        for number, group in enumerate(groups):
            for seed in seeds(arguments.seed, wanted[number])[len(tables[number]) :]:
                jobs.append(Job(workloads[number], group.policy, seed))
                owners.append(number)
        with console.progress(text) as report:
            for owner, result in zip(
                owners, run_jobs(jobs, report, arguments.workers), strict=True
            ):
                tables[owner].append(result.tables())
        wanted = [
            count if is_steady(found) else max(count, arguments.replications)
            for count, found in zip(wanted, tables, strict=True)
        ]
    return tables


def is_steady(tables: list[dict[str, Any]]) -> bool:
    """Do the runs of one scenario agree within 2 % in every rate and mean?"""
    from faultlock.compare.validate import METRICS, spread

    for actor in tables[0]:
        for metric in METRICS:
            values = [float(table.get(actor, {}).get(metric, 0.0)) for table in tables]
            if (spread(values) or 0.0) > STEADY_DIFFERENCE:
                return False
    return True


def is_regime(group: Group) -> bool:
    """Do the kernel's own runs of this scenario differ by more than 10 % in a judged value?"""
    from faultlock.compare.validate import METRICS, MIN_VALUES, REGIME_DIFFERENCE, spread

    for actor in group.repeats[0]["actors"]:
        tables = [run["actors"].get(actor, {"n": 0}) for run in group.repeats]
        if min(table["n"] for table in tables) < MIN_VALUES:
            continue
        for metric in METRICS:
            if (spread([float(table[metric]) for table in tables]) or 0.0) > REGIME_DIFFERENCE:
                return True
    return False


def run(arguments: argparse.Namespace) -> int:
    """Simulate, compare, print."""
    result = result_of(arguments)
    command = shlex.join(["faultlock", *sys.argv[1:]])
    if arguments.html:
        from faultlock.report.validate_page import validate_page

        with atomic_write(arguments.html) as stream:
            stream.write(validate_page(result, summary_lines(result), command))
    if arguments.json:
        console.out_json(result)
        return EXIT_OK
    if arguments.mail:
        from faultlock.report.mail import validate_mail

        console.out(validate_mail(result, summary_lines(result), command).rstrip("\n"))
        return EXIT_OK
    _print(result)
    return EXIT_OK


def _print(result: dict[str, Any]) -> None:
    header = ["file", "scenario", "actor", "metric", "model", "kernel", "error %", "noise %", ""]
    rows = [
        [
            row["file"].removesuffix(".json"), row["scenario"], row["actor"], row["metric"],
            f"{row['model']:.1f}", f"{row['kernel']:.1f}", f"{100 * row['rel_error']:+.1f}",
            "-" if row["noise"] is None else f"{100 * row['noise']:.1f}", _note(row),
        ]
        for row in result["rows"]
    ]  # fmt: skip
    if rows:
        console.out_table(header, rows)
        console.out()
    if result["fact_rows"]:
        console.out_table(
            ["policy", "operation", "beside", "time", "model ms", "kernel ms", ""],
            [
                [
                    row["policy"],
                    row["operation"],
                    row["beside"],
                    row["quantity"],
                    f"{row['model']:.2f}",
                    f"{row['kernel']:.2f}",
                    "" if row["right"] else "wrong",
                ]
                for row in result["fact_rows"]
            ],
        )
        console.out()
    for line in summary_lines(result):
        console.out(line)


def _note(row: dict[str, Any]) -> str:
    if not row["judged"]:
        return "shown"
    if row["regime"]:
        return "regime, right" if row["regime_right"] else "regime, wrong"
    return ""


def summary_lines(result: dict[str, Any]) -> list[str]:
    """The figures of merit, one a line."""
    lines = []
    if result["median_abs_rel_error"] is not None:
        lines.append(
            f"median error {100 * result['median_abs_rel_error']:.2f} %, "
            f"90th percentile {100 * result['p90_abs_rel_error']:.2f} %, "
            f"over {result['n']} values of rate and mean"
        )
    lines.append(f"regime rows right: {result['regime_right']} of {result['regime_rows']}")
    right, count = result["orderings_right"], result["orderings"]
    lines.append(f"orderings of policies right: {right} of {count}")
    if result["facts"]:
        lines.append(f"facts right: {result['facts_right']} of {result['facts']}")
    return lines
