# SPDX-License-Identifier: GPL-2.0-only
"""Reads the JSON of `faultlock check --json`: the whole of it, or one entry of its results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultlock.errors import FaultlockError

MAX_FILE_BYTES = 64 << 20


@dataclass(frozen=True)
class Counterexample:
    """What is violated where; steps are empty when only a scenario's name is known."""

    scenario: str
    property_name: str = ""
    policy: str = ""
    steps: tuple[Any, ...] = ()


def _of_entry(entry: Mapping[str, Any], policy: str, where: str) -> Counterexample:
    scenario, name = entry.get("scenario"), entry.get("property", "")
    if not isinstance(scenario, str) or not isinstance(name, str):
        raise FaultlockError(f"{where}: no counterexample: the key scenario or property is missing")
    steps = entry.get("counterexample") or ()
    if not isinstance(steps, list | tuple):
        raise FaultlockError(f"{where}: counterexample must be a list of steps")
    return Counterexample(scenario, name, policy, tuple(steps))


def read_counterexamples(path: Path) -> list[Counterexample]:
    """All violated results of the file, or its only entry.

    Raises FaultlockError: unreadable, no JSON, nothing violated in it.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
        document = json.loads(data if len(data) <= MAX_FILE_BYTES else b"")
    except OSError as error:
        raise FaultlockError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise FaultlockError(f"{path}: no JSON of `faultlock check --json`") from None
    if not isinstance(document, dict):
        raise FaultlockError(
            f"{path}: must hold one JSON object (`faultlock check --json` writes it)"
        )
    policy = str(document.get("policy", ""))
    if "results" not in document:
        return [_of_entry(document, policy, str(path))]
    results = document["results"]
    if not isinstance(results, list) or not all(isinstance(item, dict) for item in results):
        raise FaultlockError(f"{path}: results must be a list of tables")
    violated = [
        _of_entry(item, policy, str(path)) for item in results if item.get("verdict") == "violated"
    ]
    if not violated:
        raise FaultlockError(f"{path}: nothing in it is violated, so there is nothing to reproduce")
    return violated
