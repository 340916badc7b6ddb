#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Measures the scenarios of shipped measurements again, and holds the two against each other.

scripts/remeasure.py run KERNEL FILE FOLDER [NUMBER [SCENARIO ...]]
    FILE: the name of a shipped measurement (hold-10ms-jitter) or its path. All of its scenarios
    (or those named) in one guest; writes FOLDER/FILE.NUMBER.json. Minutes each.
scripts/remeasure.py table FOLDER...
    docs/remeasured.md on stdout: shipped runs and those of the folder side by side. Further
    folders: summaries only (for example runs of another driver).
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faultlock.compare.kernel_values import shipped_files
from faultlock.errors import FaultlockError
from faultlock.measure.in_guest import run_in_guest
from faultlock.measure.measurement import read_measurement, write_measurement
from faultlock.workload import overrides
from faultlock.workload.measurement_scenario import workload_of_scenario

HEAD = """\
<!-- SPDX-License-Identifier: GPL-2.0-only -->
# The shipped measurements, measured again

Written by `scripts/remeasure.py table`; docs/measuring.md says what it means. Rates per second and
means in microseconds: the shipped runs, a bar, and runs of our driver on the same kernel, as many
as there are. Off: the mean of our runs against the mean of the shipped ones.
"""
METRICS = ("rate_hz", "mean_us")
Scenarios = dict[str, dict[str, Any]]  # name -> actor -> numbers


def find(file: str) -> Path:
    """A shipped measurement by its name, or a path."""
    known = {path.stem: path for path in shipped_files()}
    path = known.get(file, Path(file))
    if not path.is_file():
        raise FaultlockError(f"{file}: no such measurement (shipped: {', '.join(known)})")
    return path


def run(kernel: Path, file: str, folder: Path, number: str = "1", *names: str) -> None:
    """Measures a file's scenarios (or those named) once, in one guest, and writes them."""
    source = find(file)
    document = read_measurement(source)
    wanted = [item for item in document["scenarios"] if not names or item["name"] in names]
    workloads = [
        overrides(
            workload_of_scenario(document, item, file), [f"duration={item['params']['seconds']}s"]
        )
        for item in wanted
    ]
    output = run_in_guest(workloads, kernel, memory_mib=document["memory_mib"], limit_s=3600)
    scenarios = [
        {"name": item["name"], "params": item["params"], "actors": done.actors,
         "vmstat": done.vmstat}
        for item, done in zip(wanted, output.runs, strict=True)
    ]  # fmt: skip
    folder.mkdir(exist_ok=True)
    write_measurement(folder / f"{source.stem}.{number}.json", {**document, "scenarios": scenarios})


def scenarios_of(path: Path) -> Scenarios:
    """name -> actor -> numbers of one measurement file."""
    return {item["name"]: item["actors"] for item in read_measurement(path)["scenarios"]}


def runs_in(folder: Path, stem: str) -> list[Scenarios]:
    """Our runs of one shipped measurement."""
    return [scenarios_of(path) for path in sorted(folder.glob(f"{stem}.*.json"))]


def rows(shipped: list[Scenarios], ours: list[Scenarios]) -> Iterator[tuple[str, str, str]]:
    """(scenario, actor, metric) of everything that was measured in all of the shipped runs."""
    measured = {name for each in ours for name in each}
    for name, actors in shipped[0].items():
        for actor in actors:
            if name in measured and all(each[name][actor]["n"] for each in shipped):
                yield from ((name, actor, metric) for metric in METRICS)


def apart_percent(values: list[float]) -> float:
    """The largest less the smallest, against their mean."""
    return 100 * (max(values) - min(values)) / statistics.fmean(values)


def off_percent(shipped: list[float], ours: float) -> float:
    """One value against the mean of the shipped ones."""
    return 100 * abs(ours / statistics.fmean(shipped) - 1)


def summary(values: list[float]) -> str:
    """median, 90th percentile, largest"""
    if not values:
        return "-"
    ordered = sorted(values)
    ninth = ordered[min(len(ordered) * 9 // 10, len(ordered) - 1)]
    return f"{statistics.median(ordered):.2f}, {ninth:.1f}, {ordered[-1]:.1f}"


def values_of(runs: list[Scenarios], row: tuple[str, str, str]) -> list[float]:
    """The numbers of one row in each run that has it."""
    name, actor, metric = row
    return [run[name][actor][metric] for run in runs if run.get(name, {}).get(actor, {}).get("n")]


def summary_line(stem: str, shipped: list[Scenarios], folders: list[Path]) -> str:
    """One line: how far the shipped runs lie apart, and each folder's runs off them, in %."""
    cells = []
    apart = [apart_percent(values_of(shipped, row)) for row in rows(shipped, shipped)]
    cells.append(summary(apart) if len(shipped) > 1 else "-")
    for folder in folders:
        ours = runs_in(folder, stem)
        off = [
            off_percent(values_of(shipped, row), value)
            for row in rows(shipped, ours)
            for value in values_of(ours, row)
        ]
        cells.append(f"{summary(off)} ({len(ours)} runs)" if ours else "-")
    return f"| {stem} | {' | '.join(cells)} |"


def number_text(values: list[float]) -> str:
    """Numbers of several runs in one cell."""
    return " ".join(f"{value:.5g}" for value in values)


def table(folder: Path, *others: str) -> None:
    """docs/remeasured.md."""
    folders = [folder, *map(Path, others)]
    groups: dict[str, list[Path]] = {}
    for path in shipped_files():
        if path.stem != "facts":
            groups.setdefault(path.stem.removesuffix("-run2"), []).append(path)
    shipped = {stem: [scenarios_of(path) for path in paths] for stem, paths in groups.items()}
    measured = [stem for stem in groups if runs_in(folder, stem)]
    print(f"{HEAD}\nIn %: median, 90th percentile, largest of all rates and means.\n")
    heads = ["shipped runs apart", "our runs off them"]
    heads += [f"{path.name} off them" for path in folders[1:]]
    print(f"| measurement | {' | '.join(heads)} |\n|{' --- |' * (len(heads) + 1)}")
    for stem in measured:
        print(summary_line(stem, shipped[stem], folders))
    for stem in measured:
        print(f"\n## {stem}\n")
        print("| scenario | actor | rate | off % | mean | off % |\n|" + " --- |" * 6)
        ours = runs_in(folder, stem)
        for name, actor, metric in rows(shipped[stem], ours):
            there = values_of(shipped[stem], (name, actor, metric))
            here = values_of(ours, (name, actor, metric))
            off = f"{100 * (statistics.fmean(here) / statistics.fmean(there) - 1):+.1f}"
            digits = f"{number_text(there)} \\| {number_text(here)}"
            if metric == METRICS[0]:
                print(f"| {name} | {actor} | {digits} | {off} |", end="")
            else:
                print(f" {digits} | {off} |")


def main() -> int:
    """Exit code 0, 2 on bad usage."""
    verbs: dict[str, Callable[..., None]] = {"run": run, "table": table}
    if len(sys.argv) < 3 or sys.argv[1] not in verbs:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        if sys.argv[1] == "run":
            kernel, file, folder, *rest = sys.argv[2:]
            run(Path(kernel), file, Path(folder), *rest)
        else:
            table(Path(sys.argv[2]), *sys.argv[3:])
    except (FaultlockError, json.JSONDecodeError) as error:
        print(f"remeasure: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
