# SPDX-License-Identifier: GPL-2.0-only
"""faultlock measure: a workload on real kernels."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faultlock.errors import EXIT_OK, FaultlockError, atomic_write
from faultlock.report import console
from faultlock.report.arguments import output_file, seed_number

MOST_RUNS = 100
HELP = """\
Runs a workload on a real kernel and prints latency and rate per actor.

--kernel boots that image in QEMU (no KVM, no network) in virtual time: one instruction is one
nanosecond, so the host's speed and noise do not enter. Storage is null_blk with the latency of the
workload; where it is a module, it is taken from lib/modules/RELEASE beside the image's folder.
Several --kernel options give an A/B table. Needs qemu-system-x86_64 and a C compiler, no root.
--host runs on the kernel that is running; storage is a FUSE file system of ours. Needs fusermount3
or root. With root, events of the kernel (mmap_lock taken, faults) are counted through tracefs."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `faultlock measure`."""
    parser.add_argument(
        "-w", "--workload", default="default", help="name or file (default: default)"
    )
    parser.add_argument(
        "--kernel",
        action="append",
        type=Path,
        default=[],
        metavar="BZIMAGE",
        help="may be repeated",
    )
    parser.add_argument("--host", action="store_true", help="the running kernel")
    parser.add_argument(
        "--runs", type=int, default=1, metavar="N", help="run it N times, see how far they differ"
    )
    parser.add_argument("--seconds", type=float, help="duration, instead of the workload's")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of the workload",
    )
    parser.add_argument("--seed", type=seed_number, default=1, help="of the simulator (default 1)")
    parser.add_argument("--policy", help="name of the kernel's policy, for the measurement file")
    parser.add_argument("--cpus", type=int, default=1, help="CPUs of the guest (default 1)")
    parser.add_argument("--memory", type=int, metavar="MIB", help="memory of the guest")
    parser.add_argument(
        "--limit",
        type=float,
        default=300,
        metavar="S",
        help="wall-clock limit per kernel (default 300)",
    )
    parser.add_argument(
        "--compare-model", action="store_true", help="beside it what the simulator says of the run"
    )
    parser.add_argument("-o", "--output", type=output_file, metavar="FILE",
                        help="write the measurement")
    parser.add_argument(
        "--no-tracefs", action="store_true", help="with --host and root: count no kernel events"
    )
    parser.add_argument("--json", action="store_true", help="print the measurement(s) as JSON")
    parser.add_argument("--html", type=output_file, metavar="FILE", help="a page with plots")


def _check(arguments: argparse.Namespace) -> None:
    from faultlock.measure.qemu import check_seconds

    check_seconds("measure: --limit", arguments.limit)
    check_seconds("measure: --seconds", arguments.seconds)
    if bool(arguments.kernel) == arguments.host:
        raise FaultlockError("measure: give either --kernel BZIMAGE or --host")
    if arguments.output and len(arguments.kernel) > 1:
        raise FaultlockError("measure: -o takes one kernel; run it once per kernel")
    if arguments.compare_model and not arguments.policy:
        raise FaultlockError(
            "measure: --compare-model needs --policy NAME (`faultlock probe` says)"
        )
    if not 1 <= arguments.runs <= MOST_RUNS:
        raise FaultlockError(f"measure: --runs must be 1 to {MOST_RUNS}")
    if not 1 <= arguments.cpus <= 64 or (arguments.memory is not None and arguments.memory < 64):
        raise FaultlockError("measure: --cpus must be 1 to 64, --memory 64 or more")


def _measure(arguments: argparse.Namespace, workload: Any, kernel: Path | None) -> dict[str, Any]:
    """One measurement document."""
    from faultlock.measure.as_run import as_run_in_guest, as_run_on_host, measurement

    if kernel is None:
        from faultlock.measure.on_host import run_on_host

        # First: a cost file that cannot be read must not cost a run.
        as_run = as_run_on_host(workload, release=os.uname().release, cpus=os.cpu_count() or 1)
        outputs = [
            run_on_host(workload, limit_s=arguments.limit, count_events=not arguments.no_tracefs)
            for _ in range(arguments.runs)
        ]
        output = outputs[0]
        output.runs = [run for each in outputs for run in each.runs]
    else:
        from faultlock.measure.in_guest import guest_memory_mib, run_in_guest

        memory_mib = arguments.memory or guest_memory_mib(workload)
        output = run_in_guest(
            [workload] * arguments.runs, kernel, memory_mib=memory_mib, cpus=arguments.cpus,
            limit_s=arguments.limit * arguments.runs,
        )  # fmt: skip
        as_run = as_run_in_guest(
            workload, release=output.release, memory_mib=memory_mib, cpus=arguments.cpus
        )
    return measurement(as_run, output, policy=arguments.policy, in_guest=kernel is not None)


def say_what_was_left() -> None:
    """Removes, and names, what runs that were killed left behind."""
    from faultlock.measure.scratch import remove_stale

    for folder in remove_stale():
        console.warn(f"removed {folder}, left by a run that was killed")


def run(arguments: argparse.Namespace) -> int:
    """Measures on each kernel in turn; prints or writes. Exit code 0."""
    from faultlock.measure.measurement import write_measurement
    from faultlock.workload import load, overrides

    _check(arguments)
    settings = list(arguments.set)
    if arguments.seconds is not None:
        settings.append(f"duration={round(arguments.seconds * 1e9)}ns")
    workload = overrides(load(arguments.workload), settings)
    measured: dict[str, dict[str, Any]] = {}
    with console.progress(f"{workload.name} on real kernels") as report:
        targets: list[Path | None] = [*arguments.kernel] or [None]
        for index, kernel in enumerate(targets):
            name = kernel.name.removesuffix(".bzImage") if kernel else "host"
            report(index / len(targets), name)
            measured[name if name not in measured else f"{name}#{index}"] = _measure(
                arguments, workload, kernel
            )
    say_what_was_left()
    if arguments.output:
        write_measurement(arguments.output, next(iter(measured.values())))
    if arguments.html:
        _write_page(arguments.html, measured)
    if arguments.json:
        documents = list(measured.values())
        console.out_json(documents[0] if len(documents) == 1 else documents)
    else:
        _print(workload.name, measured, _model(measured, arguments))
    if arguments.output and not arguments.json:
        console.out(f"written: {arguments.output}")
    return EXIT_OK


def by_run(measured: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The documents with one run each; those of several runs are numbered: NAME #1, NAME #2 ..."""
    single: dict[str, dict[str, Any]] = {}
    for name, document in measured.items():
        scenarios = document["scenarios"]
        for number, scenario in enumerate(scenarios, start=1):
            label = name if len(scenarios) == 1 else f"{name} #{number}"
            single[label] = {**document, "scenarios": [scenario]}
    return single


def _write_page(path: Path, measured: dict[str, dict[str, Any]]) -> None:
    from faultlock.report.compare_page import measurement_page

    with atomic_write(path) as stream:
        stream.write(measurement_page(by_run(measured), shlex.join(["faultlock", *sys.argv[1:]])))


def _model(
    measured: dict[str, dict[str, Any]], arguments: argparse.Namespace
) -> dict[str, dict[str, Any]]:
    """What the simulator says of the first measurement, when asked: label -> actor -> numbers."""
    if not arguments.compare_model:
        return {}
    from faultlock.sim.run import simulate
    from faultlock.workload.measurement_scenario import workload_of_scenario

    document = next(iter(measured.values()))
    workload = workload_of_scenario(document, document["scenarios"][0], "this measurement")
    result = simulate(workload, arguments.policy, arguments.seed)
    return {f"model of {arguments.policy}": result.tables()}


def _print(
    name: str, measured: dict[str, dict[str, Any]], model: dict[str, dict[str, Any]]
) -> None:
    from faultlock.measure.tables import (
        actor_table,
        between_runs,
        counters_of,
        notes_of,
        vmstat_table,
    )  # fmt: skip

    first = next(iter(measured.values()))
    clock = "virtual time" if first["clock"].startswith("qemu") else "real time"
    added_ns = first["device"].get("read_added_ns", 0)
    latency_ms = (first["device"]["latency_ns"] - added_ns) / 1e6
    console.out(
        f"{name}: {first['scenarios'][0]['params']['seconds']:.2f} s of {clock}, "
        f"{first['cpus']} CPU, {first['device']['kind']} {latency_ms:g} ms"
    )
    runs = by_run(measured)
    scenarios = {kernel: document["scenarios"][0] for kernel, document in runs.items()}
    results = {kernel: scenario["actors"] for kernel, scenario in scenarios.items()}
    console.out_table(*actor_table({**results, **model}))
    for kernel, document in measured.items():
        if len(document["scenarios"]) > 1:
            console.out(f"\n{kernel}:")
            tables = [scenario["actors"] for scenario in document["scenarios"]]
            console.out_table(*between_runs(tables))
    counters = {kernel: counters_of(scenario) for kernel, scenario in scenarios.items()}
    console.out()
    console.out_table(*vmstat_table(counters))
    for kernel, scenario in scenarios.items():
        for note in notes_of(scenario):
            console.out(f"note, {kernel}: {note}")
