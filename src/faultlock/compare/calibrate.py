# SPDX-License-Identifier: GPL-2.0-only
"""Fitting named costs from measurements of one actor alone.

Each scenario with one actor alone fixes one cost: the part of its path that no other scenario
runs.  The model's mean depends on that cost linearly, so a few corrections by the difference
end at the measured mean.  Scenarios with several actors are never looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faultlock.errors import FaultlockError

# scenario -> (actor, cost, how often one operation pays it)
FITS: dict[str, tuple[str, str, int]] = {
    "fork_alone": ("fork", "fork", 1),
    "mmap_alone": ("mmap_munmap", "mmap_region", 1),
    "mprotect_alone": ("mprotect", "mprotect_vma", 1),
    "smaps_alone": ("smaps", "proc_open", 1),
    "anon_alone": ("anon_fault", "clear_page", 1),
    "fault_1": ("fault", "read_folio", 1),
}
ROUNDS = 4
CLOSE_US = 0.05


@dataclass(frozen=True)
class Fit:
    """One fitted cost: old and new value in ns, measured and reached mean in us."""

    scenario: str
    cost: str
    old_ns: float
    new_ns: float
    measured_us: float
    reached_us: float


def alone(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The scenarios of a measurement that may be used to fit, by name.

    Raises FaultlockError when there are none."""
    found = {
        str(scenario["name"]): scenario
        for scenario in document["scenarios"]
        if scenario["name"] in FITS
        and scenario["actors"].get(FITS[scenario["name"]][0], {}).get("n")
    }
    if not found:
        raise FaultlockError(
            f"no scenario of one actor alone; measure one of {', '.join(FITS)} "
            "(`faultlock measure -w ground-truth/fork_alone`)"
        )
    return found


def fit(
    scenarios: Mapping[str, Mapping[str, Any]],
    costs: Mapping[str, float],
    mean_us: Callable[[str, Mapping[str, float]], float],
) -> list[Fit]:
    """Fit one cost for each scenario.

    costs: present values in ns.  mean_us(scenario, changed costs) is the model's mean in us.
    A cost does not become negative."""
    fits = []
    for name, scenario in scenarios.items():
        actor, cost, times = FITS[name]
        measured = float(scenario["actors"][actor]["mean_us"])
        value = costs[cost]
        reached = mean_us(name, {cost: value})
        for _ in range(ROUNDS):
            if abs(reached - measured) <= CLOSE_US:
                break
            value = max(0.0, value + (measured - reached) * 1000 / times)
            reached = mean_us(name, {cost: value})
        fits.append(Fit(name, cost, costs[cost], round(value, 1), measured, reached))
    return fits


def rewritten(text: str, fits: Sequence[Fit]) -> str:
    """A cost file's text with the fitted values in place of the old ones, comments kept."""
    for item in fits:
        pattern = re.compile(rf"^({re.escape(item.cost)} = )([0-9.]+|\{{ *ns = [0-9.]+)", re.M)

        def replaced(match: re.Match[str], value: float = item.new_ns) -> str:
            number = f"{value:g}"
            brace = "{ ns = " if match[2].startswith("{") else ""
            return f"{match[1]}{brace}{number}"

        text, count = pattern.subn(replaced, text)
        if count != 1:
            raise FaultlockError(f"the cost table has no line `{item.cost} = ...`; add one")
    return text
