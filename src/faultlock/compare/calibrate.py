# SPDX-License-Identifier: GPL-2.0-only
"""Fitting named costs from measurements of one actor alone.

Each scenario with one actor alone fixes one cost: the part of its path that no other scenario
runs. fork_alone measured again with more VMAs fixes the cost of a VMA. The model's time depends on
a cost linearly, so a few corrections by the difference end at the measured one; costs that share
scenarios are fitted in turn. Scenarios with several actors are never looked at.

In virtual time means are held against means. On a host the medians are: a mean there is also that
of whatever else ran. What a read costs on a host is mostly our FUSE file system's wake-ups, time
and no CPU time: it becomes `[host] read_added_ns` of the cost file, see measure/host_latency.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultlock.errors import FaultlockError
from faultlock.measure.as_run import HOST_CLOCK
from faultlock.workload.measurement_scenario import workload_of_scenario
from faultlock.workload.schema import Workload

# scenario -> (actor, cost)
FITS: dict[str, tuple[str, str]] = {
    "fork_alone": ("fork", "fork"),
    "mmap_alone": ("mmap_munmap", "mmap_region"),
    "mprotect_alone": ("mprotect", "mprotect_vma"),
    "smaps_alone": ("smaps", "proc_open"),
    "anon_alone": ("anon_fault", "clear_page"),
    "fault_1": ("fault", "read_folio"),
}
READ_ADDED = "read_added_ns"
SERVER_COSTS = ("fuse_dev_read", "fuse_dev_write")
ROUNDS = 4
PASSES = 8
CLOSE_US = 0.05


@dataclass(frozen=True)
class Alone:
    """One scenario with one actor alone, and the cost that it fixes, paid `times` an operation."""

    label: str
    actor: str
    cost: str
    times: int
    statistic: str  # mean_us or p50_us
    measured_us: float
    workload: Workload
    read_added_ns: int = 0  # already in the workload's device latency


@dataclass(frozen=True)
class Fit:
    """One fitted cost: old and new value in ns, measured and reached time in us."""

    scenario: str
    cost: str
    old_ns: float
    new_ns: float
    measured_us: float
    reached_us: float


def _vmas(workload: Workload) -> int:
    return sum(mapping.count for mapping in workload.mappings)


def alone(documents: Mapping[str, Mapping[str, Any]]) -> list[Alone]:
    """The scenarios of measurements (file -> document) that may be used to fit.

    Raises FaultlockError when there are none, or two for the same cost."""
    found: dict[str, Alone] = {}
    for file, document in documents.items():
        on_host = document["clock"] == HOST_CLOCK
        for scenario in document["scenarios"]:
            actor, cost = FITS.get(scenario["name"], ("", ""))
            values = scenario["actors"].get(actor, {})
            if not values.get("n"):
                continue
            workload = workload_of_scenario(document, scenario, file)
            times = 1
            if cost == "fork" and _vmas(workload) > 8:
                cost, times = "fork_vma", _vmas(workload)
            elif cost == "read_folio" and on_host:
                cost = READ_ADDED
            statistic = "p50_us" if on_host else "mean_us"
            label = scenario["name"] + (f", {times} VMAs" if times > 1 else "")
            if cost in found:
                raise FaultlockError(
                    f"{file}: {label} fixes {cost}, and so does an earlier measurement; "
                    "give one of them"
                )
            added_ns = int(document["device"].get("read_added_ns", 0))
            measured_us = float(values[statistic])
            found[cost] = Alone(
                label, actor, cost, times, statistic, measured_us, workload, added_ns
            )
    if not found:
        raise FaultlockError(
            f"no scenario of one actor alone; measure one of {', '.join(FITS)} "
            "(`faultlock measure -w ground-truth/fork_alone`)"
        )
    return list(found.values())


def fit(
    scenarios: Sequence[Alone],
    costs: Mapping[str, float],
    model_us: Callable[[Alone, Mapping[str, float]], float],
) -> list[Fit]:
    """Fit one cost for each scenario.

    costs: present values in ns.  model_us(scenario, changed costs) is the model's time in us.
    A cost does not become negative.  Raises FaultlockError when the table lacks a cost."""
    values = {}
    for item in scenarios:
        if item.cost not in costs:
            raise FaultlockError(f"the cost table has no `{item.cost}`; add it to [costs]")
        values[item.cost] = costs[item.cost]
    reached: dict[str, float] = {}
    for _ in range(PASSES if len(scenarios) > 1 else 1):
        before = dict(values)
        for item in scenarios:
            for _ in range(ROUNDS):
                reached[item.cost] = model_us(item, values)
                difference_us = item.measured_us - reached[item.cost]
                if abs(difference_us) <= CLOSE_US:
                    break
                changed = values[item.cost] + difference_us * 1000 / item.times
                values[item.cost] = round(max(0.0, changed), 1)
        if values == before:
            break
    return [
        Fit(item.label, item.cost, costs[item.cost], values[item.cost], item.measured_us,
            model_us(item, values))
        for item in scenarios
    ]  # fmt: skip


def server_costs(
    documents: Mapping[str, Mapping[str, Any]], costs: Mapping[str, float]
) -> list[Fit]:
    """What the FUSE server of a host uses per read, from fault_1 there: no fit, a quotient.

    Its measured CPU time per read is divided between taking and answering a request as the two
    costs of the table are. Empty without such a measurement or such costs."""
    if not all(costs.get(name) for name in SERVER_COSTS):
        return []
    for document in documents.values():
        for scenario in document["scenarios"]:
            used_ns = scenario.get("server_cpu_ns")
            reads = scenario["actors"].get("fault", {}).get("n")
            if scenario["name"] != "fault_1" or not reads or not isinstance(used_ns, int):
                continue
            read_ns = float(used_ns) / reads
            share = read_ns / sum(costs[name] for name in SERVER_COSTS)
            return [
                Fit("fault_1, server", name, costs[name], round(costs[name] * share, 1),
                    read_ns / 1000, read_ns / 1000)
                for name in SERVER_COSTS
            ]  # fmt: skip
    return []


def most_runs(scenarios: Sequence[Alone]) -> int:
    """How often `fit` asks the model at most."""
    return len(scenarios) * (ROUNDS * (PASSES if len(scenarios) > 1 else 1) + 1)


def rewritten(text: str, fits: Sequence[Fit]) -> str:
    """A cost file's text with the fitted values in place of the old ones, comments kept."""
    for item in fits:
        pattern = re.compile(rf"^({re.escape(item.cost)} = )([0-9.]+|\{{ *ns = [0-9.]+)", re.M)

        def replaced(match: re.Match[str], value: float = item.new_ns) -> str:
            number = f"{value:.10g}"
            brace = "{ ns = " if match[2].startswith("{") else ""
            return f"{match[1]}{brace}{number}"

        new, count = pattern.subn(replaced, text)
        if count == 0 and item.cost == READ_ADDED:
            new = f"{text.rstrip()}\n\n[host]\n{READ_ADDED} = {item.new_ns:.10g}\n"
        elif count != 1:
            raise FaultlockError(f"the cost table has no line `{item.cost} = ...`; add one")
        text = new
    return text


def default_base(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """The shipped table to start from. Raises FaultlockError: host and guest do not mix."""
    on_host = {document["clock"] == HOST_CLOCK for document in documents.values()}
    if len(on_host) > 1:
        raise FaultlockError(
            f"{', '.join(documents)}: measured on a host and in virtual time; calibrate each alone"
        )
    return "native-6.18" if on_host.pop() else "qemu-icount"


def check_files(files: Sequence[Path]) -> None:
    """Raises FaultlockError when one file is given twice."""
    if len(set(files)) < len(files):
        raise FaultlockError("calibrate: the same measurement is given twice")
