# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel says: measurement files, grouped so that repeats of one thing are together.

Two scenarios are the same thing when policy, kernel version, clock, CPUs, memory, file size,
device, name and parameters agree (but for the length of the run).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faultlock.errors import FaultlockError
from faultlock.measure.measurement import check_measurement, read_document
from faultlock.workload.measurement_scenario import QEMU_CLOCK

DATA = Path(__file__).parent / "data"
FACTS_SCHEMA = "faultlock-facts/1"


@dataclass
class Group:
    """One scenario on one kernel with its repeats (each a scenario of a measurement file)."""

    policy: str
    file: str  # of the first repeat
    name: str
    key: str  # equal for the same scenario under another policy
    measurement: Mapping[str, Any]
    repeats: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Fact:
    """One operation beside one fault on one kernel; times in milliseconds."""

    policy: str
    file: str
    operation: str
    beside: str
    operation_ms: float
    rest_of_fault_ms: float
    latency_ns: int
    started_after_ms: float
    kernel: str = "linux-6.12"
    clock: str = QEMU_CLOCK
    cpus: int = 1


def shipped_files() -> list[Path]:
    """The measurements that come with the package (see docs/simulating.md for their origin)."""
    return sorted(DATA.glob("*.json"))


def check_policy(name: Any, known: Iterable[str], where: str) -> str:
    """The policy of a measurement.  Raises FaultlockError when it is not shipped."""
    shipped = sorted(known)
    if not isinstance(name, str) or name not in shipped:
        raise FaultlockError(
            f"{where}: policy is {name!r}, which faultlock does not ship; "
            f"set it to one of {', '.join(shipped)}"
        )
    return name


def scenario_key(document: Mapping[str, Any], scenario: Mapping[str, Any]) -> str:
    """Equal for scenarios that differ in the kernel's policy and the length of the run only."""
    params = {key: value for key, value in scenario["params"].items() if key != "seconds"}
    parts = {
        "kernel": document["kernel"],
        "clock": document["clock"],
        "cpus": document["cpus"],
        "memory_mib": document.get("memory_mib"),
        "file_pages": document.get("file_pages"),
        "device": document["device"],
        "name": scenario["name"],
        "params": params,
    }
    return json.dumps(parts, sort_keys=True)


def read_groups(paths: Iterable[Path], policies: Iterable[str]) -> tuple[list[Group], list[Fact]]:
    """All scenarios of measurement files, repeats together, and all facts of facts files.

    Raises FaultlockError: unreadable, another schema, unknown policy, nothing measured."""
    known = list(policies)
    groups: dict[tuple[str, str], Group] = {}
    facts: list[Fact] = []
    for path in paths:
        document = read_document(path)
        if document.get("schema") == FACTS_SCHEMA:
            facts += read_facts(document, path.name, known)
            continue
        checked = check_measurement(document, str(path))
        policy = check_policy(checked.get("policy"), known, str(path))
        for scenario in checked["scenarios"]:
            key = scenario_key(checked, scenario)
            group = groups.get((policy, key))
            if group is None:
                group = Group(policy, path.name, scenario["name"], key, checked)
                groups[policy, key] = group
            group.repeats.append(scenario)
    return list(groups.values()), facts


def read_facts(document: Mapping[str, Any], where: str, known: Iterable[str]) -> list[Fact]:
    """The facts of one file.  Raises FaultlockError naming what is missing."""
    facts = []
    try:
        latency = int(document["device"]["latency_ns"])
        started = float(document["started_after_ms"])
        machine = str(document["kernel"]), str(document["clock"]), int(document["cpus"])
        for policy, rows in document["policies"].items():
            check_policy(policy, known, where)
            for row in rows:
                facts.append(
                    Fact(
                        policy,
                        where,
                        str(row["operation"]),
                        str(row["beside"]),
                        float(row["operation_ms"]),
                        float(row["rest_of_fault_ms"]),
                        latency,
                        started,
                        *machine,
                    )
                )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FaultlockError(
            f"{where}: not a complete facts file ({error}); write it with `faultlock probe --json`"
        ) from None
    return facts
