# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock calibrate`: fit the simulator's costs from measurements of one actor alone."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from faultlock.errors import EXIT_OK, atomic_write
from faultlock.report import console

HELP = """fit the costs of the simulator from measurements

Only scenarios of one actor alone (fork_alone, mmap_alone, mprotect_alone,
smaps_alone, anon_alone, fault_1) are used; contention is there to be predicted."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `faultlock calibrate`."""
    parser.add_argument("file", metavar="MEASUREMENT", type=Path, help="of one actor alone")
    parser.add_argument("--base", metavar="TABLE", default="qemu-icount",
                        help="cost table to start from (qemu-icount)")  # fmt: skip
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write the new table")
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="seed (1)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Fit, print, write."""
    from faultlock.compare.calibrate import FITS, alone, fit, rewritten
    from faultlock.compare.kernel_values import check_policy, read_document
    from faultlock.lang.model import shipped_policies
    from faultlock.measure.measurement import check_measurement
    from faultlock.sim.cost import DATA, load_costs
    from faultlock.sim.run import simulate
    from faultlock.workload.measurement_scenario import workload_of_scenario

    document = check_measurement(read_document(arguments.file), str(arguments.file))
    policy = check_policy(document.get("policy"), shipped_policies(), str(arguments.file))
    scenarios = alone(document)
    table = load_costs(arguments.base)
    path = DATA / f"{arguments.base}.toml"
    text = (path if path.is_file() else Path(arguments.base)).read_text(encoding="utf-8")
    present = {name: cost.ns for name, cost in table.costs.items()}
    with TemporaryDirectory() as folder:

        def mean_us(name: str, changed: Mapping[str, float]) -> float:
            changed_path = Path(folder) / "costs.toml"
            changed_path.write_text(_with(text, changed), encoding="utf-8")
            workload = workload_of_scenario(document, scenarios[name], str(arguments.file))
            machine = replace(workload.machine, costs=str(changed_path))
            result = simulate(replace(workload, machine=machine), policy, arguments.seed)
            return result.actors[FITS[name][0]].mean_us

        fits = fit(scenarios, present, mean_us)
    new_text = rewritten(text, fits)
    tomllib.loads(new_text)
    if arguments.output:
        with atomic_write(arguments.output) as stream:
            stream.write(new_text)
    if arguments.json:
        console.out_json([item.__dict__ for item in fits])
        return EXIT_OK
    console.out_table(
        ["scenario", "cost", "old ns", "new ns", "measured us", "model us"],
        [
            [
                item.scenario, item.cost, f"{item.old_ns:g}", f"{item.new_ns:g}",
                f"{item.measured_us:.1f}", f"{item.reached_us:.1f}",
            ]
            for item in fits
        ],
    )  # fmt: skip
    return EXIT_OK


def _with(text: str, changed: Mapping[str, float]) -> str:
    from faultlock.compare.calibrate import Fit, rewritten

    return rewritten(text, [Fit("", name, 0.0, value, 0.0, 0.0) for name, value in changed.items()])
