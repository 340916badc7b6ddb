# SPDX-License-Identifier: GPL-2.0-only
"""CPU costs: what each cpu("name") of the model and each act of the engine takes.

A cost file is TOML: `[machine]` with the scheduler's constants and `[costs]` with one entry a
cost: a number of ns, or `{ ns = .., user = true }` (runs in user mode, may be preempted at any
time), or `{ ns = .., preempt_ns = .. }` (longer than that between two cond_resched() points), or
`{ ns = .., atomic = true }` (a task that should give way goes on to the next cost), or
`{ ns = .., spin_lock = true }` (one CPU at a time; the others spin with interrupts off, first come,
first served), or `{ ns = .., answered = true }` (interrupts to other CPUs that have to answer).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultlock.errors import FaultlockError

DATA = Path(__file__).parent / "data"
MAX_COST_NS = 10_000_000_000
MAX_FILE_BYTES = 1 << 20
ATOMIC = -1
KEYS = ("ns", "user", "preempt_ns", "atomic", "spin_lock", "answered")


@dataclass(frozen=True)
class Cost:
    """ns for one unit; unit_ns between preemption points (1: user mode, 0: only at its end,
    ATOMIC: not even there)."""

    ns: float
    unit_ns: int = 0
    spin_lock: bool = False
    answered: bool = False


@dataclass(frozen=True)
class CostTable:
    """A cost file: costs by name and the scheduler's constants, all in ns."""

    name: str
    costs: Mapping[str, Cost]
    tick_ns: int
    slice_ns: int
    timer_slack_ns: int


def shipped_tables() -> list[str]:
    """Names of the shipped cost files."""
    return sorted(path.stem for path in DATA.glob("*.toml"))


def cost_path(name: str) -> Path:
    """The file of the shipped table `name`, or the file `name`.  Raises FaultlockError."""
    path = DATA / f"{name}.toml"
    if path.is_file():
        return path
    path = Path(name)
    if path.suffix != ".toml" or not path.is_file():
        raise FaultlockError(
            f"machine.costs: there is no cost table {name!r} "
            f"(shipped: {', '.join(shipped_tables())}; a file ends in .toml)"
        )
    return path


def load_costs(name: str) -> CostTable:
    """The shipped table `name`, or the one in the file `name`.

    Raises FaultlockError: no such table, unreadable, or an entry that is not a cost.
    """
    path = cost_path(name)
    if path.stat().st_size > MAX_FILE_BYTES:
        raise FaultlockError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB, no cost file")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError, RecursionError) as error:
        raise FaultlockError(f"{path}: not a readable cost file: {str(error)[:200]}") from None
    return parse_costs(document, str(path), path.stem)


def parse_costs(document: Mapping[str, Any], where: str, name: str) -> CostTable:
    """A cost table from its parsed TOML.  Raises FaultlockError naming file and key."""
    machine, costs = document.get("machine"), document.get("costs")
    if not isinstance(machine, dict) or not isinstance(costs, dict):
        raise FaultlockError(f"{where}: the tables [machine] and [costs] are needed")
    read = {key: _cost(value, f"{where}: costs.{key}") for key, value in costs.items()}
    for key in ("irq_entry", "irq_exit", "timer", "tick", "wake", "switch", "block", "idle_exit"):
        if f"engine_{key}" not in read:
            raise FaultlockError(f"{where}: costs.engine_{key} is missing (ns of CPU time)")
    numbers = [
        _number(machine.get(key), f"{where}: machine.{key}")
        for key in ("tick_ns", "slice_ns", "timer_slack_ns")
    ]
    return CostTable(name, read, numbers[0], max(numbers[1], 1000), numbers[2])


def _number(value: Any, where: str) -> int:
    return round(_amount(value, where))


def _amount(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FaultlockError(f"{where}: {value!r} is not a number of ns")
    if not 0 <= value <= MAX_COST_NS:
        raise FaultlockError(f"{where}: {value!r} is outside 0 .. {MAX_COST_NS} ns")
    return float(value)


def _cost(value: Any, where: str) -> Cost:
    if not isinstance(value, dict):
        return Cost(_amount(value, where))
    unknown = sorted(set(value) - set(KEYS))
    if unknown:
        raise FaultlockError(
            f"{where}: unknown key {unknown[0]!r} (keys: {', '.join(KEYS)})"
        )
    unit = 1 if value.get("user") is True else _number(value.get("preempt_ns", 0), where)
    if value.get("atomic") is True:
        unit = ATOMIC
    return Cost(
        _amount(value.get("ns"), where),
        unit,
        value.get("spin_lock") is True,
        value.get("answered") is True,
    )
