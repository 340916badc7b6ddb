# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock calibrate`: fit the simulator's costs from measurements of one actor alone."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from faultlock.errors import EXIT_OK, FaultlockError, atomic_write
from faultlock.report import console
from faultlock.report.arguments import output_file, seed_number

if TYPE_CHECKING:
    from faultlock.compare.calibrate import Alone, Fit

HELP = """fit the costs of the simulator from measurements

Only scenarios of one actor alone (fork_alone, mmap_alone, mprotect_alone,
smaps_alone, anon_alone, fault_1) are used; contention is there to be predicted.
Several measurements fix several costs; fork_alone with more VMAs as well fixes
the cost of a VMA. Measured on a host, medians are fitted instead of means."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `faultlock calibrate`."""
    parser.add_argument("files", metavar="MEASUREMENT", type=Path, nargs="+",
                        help="of one actor alone")  # fmt: skip
    parser.add_argument("--base", metavar="TABLE",
                        help="to start from (qemu-icount; native-6.18 for a host)")  # fmt: skip
    parser.add_argument("-o", "--output", metavar="FILE", type=output_file,
                        help="write the new table")
    parser.add_argument("--seed", metavar="N", type=seed_number, default=1, help="seed (1)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Fit, print, write."""
    from faultlock.compare.calibrate import (
        READ_ADDED,
        alone,
        check_files,
        default_base,
        fit,
        most_runs,
        rewritten,
        server_costs,
    )
    from faultlock.compare.kernel_values import check_policy
    from faultlock.lang.model import shipped_policies
    from faultlock.measure.host_latency import read_added_ns
    from faultlock.measure.measurement import read_measurement
    from faultlock.sim.cost import cost_path, load_costs

    check_files(arguments.files)
    documents = {
        str(file): read_measurement(file) for file in arguments.files
    }
    policies = {
        check_policy(document.get("policy"), shipped_policies(), file)
        for file, document in documents.items()
    }
    if len(policies) > 1:
        raise FaultlockError(f"calibrate: one policy at a time, not {', '.join(sorted(policies))}")
    base = arguments.base or default_base(documents)
    present = {name: cost.ns for name, cost in load_costs(base).costs.items()}
    present[READ_ADDED] = read_added_ns(base)
    text = cost_path(base).read_text(encoding="utf-8")
    scenarios = alone(documents)
    servers = server_costs(documents, present)
    text = rewritten(text, servers)
    with TemporaryDirectory() as folder, console.progress("calibrate") as report:
        report(0, "")
        model = _Model(text, Path(folder) / "costs.toml", policies.pop(), arguments.seed, report)
        model.most_runs = most_runs(scenarios)
        fits = [*servers, *fit(scenarios, present, model.time_us)]
    new_text = rewritten(text, fits)
    tomllib.loads(new_text)
    if arguments.output:
        with atomic_write(arguments.output) as stream:
            stream.write(new_text)
    _print(fits, arguments.json)
    return EXIT_OK


def _print(fits: list[Fit], as_json: bool) -> None:
    if as_json:
        console.out_json([item.__dict__ for item in fits])
        return
    console.out_table(
        ["scenario", "cost", "old ns", "new ns", "measured us", "model us"],
        [
            [
                item.scenario, item.cost, f"{item.old_ns:.6g}", f"{item.new_ns:.6g}",
                f"{item.measured_us:.1f}", f"{item.reached_us:.1f}",
            ]
            for item in fits
        ],
    )  # fmt: skip


class _Model:
    """Simulates a scenario of one actor alone with changed costs."""

    def __init__(
        self, text: str, path: Path, policy: str, seed: int, report: console.Progress
    ) -> None:
        self.text, self.path, self.policy, self.seed = text, path, policy, seed
        self.report = report
        self.runs, self.most_runs = 0, 1

    def time_us(self, scenario: Alone, changed: Mapping[str, float]) -> float:
        """The model's mean or median of the scenario's actor."""
        from faultlock.compare.calibrate import READ_ADDED, Fit, rewritten
        from faultlock.measure import host_latency
        from faultlock.sim.run import simulate
        from faultlock.workload import overrides

        self.runs += 1
        self.report(self.runs / self.most_runs, scenario.label)
        fits = [Fit("", name, 0.0, value, 0.0, 0.0) for name, value in changed.items()]
        self.path.write_text(rewritten(self.text, fits), encoding="utf-8")
        workload = overrides(scenario.workload, [f"machine.costs={self.path}"])
        if READ_ADDED in changed:
            added_ns = round(changed[READ_ADDED]) - scenario.read_added_ns
            workload = host_latency.later(workload, added_ns)
        result = simulate(workload, self.policy, self.seed)
        return result.tables()[scenario.actor][scenario.statistic]
