# SPDX-License-Identifier: GPL-2.0-only
"""Measurement files, schema faultlock-measurement/1: reading, checking, writing.

{schema, kernel, policy, clock, cpus, memory_mib, file_pages, device {kind, latency_ns,
queue_depth, submit_queues}, scenarios: [{name, params {...}, actors {NAME: {n, rate_hz, mean_us,
p10_us, p50_us, p90_us, p99_us, max_us}}, vmstat {...}}]}. A scenario that `faultlock measure` wrote
also carries the whole `workload`, as it was run, and on a host with root `tracefs {...}` (events of
the kernel) and `server_cpu_ns`, the CPU time of our FUSE server. policy is null when nobody said
which one the kernel has.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faultlock.errors import FaultlockError, atomic_write

SCHEMA = "faultlock-measurement/1"
MAX_FILE_BYTES = 64 << 20
NUMBERS = ("n", "rate_hz", "mean_us", "p10_us", "p50_us", "p90_us", "p99_us", "max_us")
_TOP: dict[str, type | tuple[type, ...]] = {
    "kernel": str, "policy": (str, type(None)), "clock": str, "cpus": int, "memory_mib": int,
    "file_pages": int, "device": dict, "scenarios": list,
}  # fmt: skip
_OPTIONAL = {"memory_mib", "file_pages"}


def _bad(where: str | Path, what: str) -> FaultlockError:
    return FaultlockError(f"{where}: {what}")


def _actor(values: Any, where: str) -> None:
    if not isinstance(values, dict):
        raise _bad(where, "must be a table of numbers")
    n = values.get("n")
    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
        raise _bad(where, "n (how many values) is missing or negative")
    for key in NUMBERS[1:] if n else ():
        value = values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _bad(where, f"{key} is missing or no number")
        if not math.isfinite(value) or value < 0:
            raise _bad(where, f"{key} is {value}, not a finite number of 0 or more")


def _scenario(scenario: Any, where: str) -> None:
    if not isinstance(scenario, dict) or not isinstance(scenario.get("name"), str):
        raise _bad(where, "a scenario must be a table with a name")
    place = f"{where}: scenario {scenario['name'][:60]!r}"
    params = scenario.get("params")
    if not isinstance(params, dict) or not isinstance(params.get("seconds"), int | float):
        raise _bad(place, "params.seconds (how long it ran) is missing")
    actors = scenario.get("actors")
    if not isinstance(actors, dict) or not actors:
        raise _bad(place, "has no actors: nothing was measured")
    for name, values in actors.items():
        _actor(values, f"{place}: actor {name[:60]!r}")
    for key in ("vmstat", "tracefs"):
        table = scenario.get(key, {})
        if not isinstance(table, dict) or not all(isinstance(v, int) for v in table.values()):
            raise _bad(place, f"{key} must be a table of whole numbers")


def check_measurement(document: Any, where: str) -> dict[str, Any]:
    """The same document, when it is a complete measurement; `where` (file) begins every message.

    Raises FaultlockError naming the file, the key and what is wrong.
    """
    if not isinstance(document, dict):
        raise _bad(where, "no measurement: the file must hold one JSON object")
    schema = document.get("schema")
    if schema != SCHEMA:
        raise _bad(
            where,
            f"schema is {str(schema)[:60]!r}, not {SCHEMA!r} (faultlock measure writes that)",
        )
    for key, kind in _TOP.items():
        if key not in document and key in _OPTIONAL:
            continue
        if key not in document:
            raise _bad(where, f"key {key!r} is missing")
        if not isinstance(document[key], kind) or isinstance(document[key], bool):
            raise _bad(where, f"key {key!r} has the wrong type")
        if kind is int and document[key] < 0:
            raise _bad(where, f"key {key!r} is negative")
    latency = document["device"].get("latency_ns")
    if isinstance(latency, bool) or not isinstance(latency, int | float) or latency < 0:
        raise _bad(where, "device.latency_ns is missing, no number or negative")
    if not document["scenarios"]:
        raise _bad(where, "scenarios is empty: nothing was measured")
    for index, scenario in enumerate(document["scenarios"]):
        _scenario(scenario, f"{where}: scenarios[{index}]")
    return document


def read_document(path: Path) -> dict[str, Any]:
    """A JSON object from a file.  Raises FaultlockError naming the file and the cure."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _bad(path, f"cannot be read: {error.strerror}; name a measurement file") from None
    if len(data) > MAX_FILE_BYTES:
        raise _bad(path, f"larger than {MAX_FILE_BYTES >> 20} MiB, no measurement")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise _bad(path, "not a JSON file; write one with `faultlock measure -o FILE`") from None
    if not isinstance(document, dict):
        raise _bad(path, "not a JSON object, so no measurement")
    return document


def read_measurement(path: Path) -> dict[str, Any]:
    """A checked measurement file. Raises FaultlockError: unreadable, no JSON, not valid."""
    return check_measurement(read_document(path), str(path))


def write_measurement(path: Path, document: Mapping[str, Any]) -> None:
    """Writes a measurement, whole or not at all. Raises FaultlockError."""
    check_measurement(document, str(path))
    with atomic_write(path) as stream:
        stream.write(json.dumps(document, indent=1, allow_nan=False) + "\n")
