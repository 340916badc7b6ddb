# SPDX-License-Identifier: GPL-2.0-only
"""The grid of a sweep: settings x policies -> cells, each with all that a worker needs."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faultlock.errors import FaultlockError
from faultlock.lang.model import load_model
from faultlock.workload.library import override
from faultlock.workload.schema import Workload

MAX_CELLS = 100_000

Settings = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cell:
    """One point of the grid.  It carries the policy's text and the workload itself, so that a
    worker on another machine needs no file of this one.

    `policy_files`: (file name, text) of a policy that is not shipped, in order; empty: shipped.
    """

    number: int
    policy: str
    policy_files: tuple[tuple[str, str], ...]
    settings: Settings
    document: Mapping[str, Any] = field(compare=False)
    workload: str = ""
    seeds: tuple[int, ...] = (1,)


def parse_grid(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """`device.latency=0.1ms,1ms` -> ("device.latency", ["0.1ms", "1ms"]), in order.

    A comma inside brackets does not separate.  Raises FaultlockError on a missing `=`, an empty
    value, a value given twice, a key given twice.
    """
    grid: list[tuple[str, list[str]]] = []
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip()
        values = _split(text)
        if not equals or not key or not all(values):
            raise FaultlockError(
                f"--grid {word[:80]!r}: write KEY=VALUE,VALUE (for example device.latency=1ms,10ms)"
            )
        if len(set(values)) < len(values):
            raise FaultlockError(f"--grid {key}: a value is given twice; give each once")
        if key in (known for known, _ in grid):
            raise FaultlockError(f"--grid {key}: given twice; put all values into one --grid")
        grid.append((key, values))
    return grid


def _split(text: str) -> list[str]:
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def make_cells(
    workload: Workload,
    policies: Sequence[str],
    grid: Sequence[tuple[str, Sequence[str]]],
    seed: int,
    replications: int,
) -> list[Cell]:
    """Every combination; all settings and policies are checked here, before anything runs.

    Raises FaultlockError: no policy, unknown key or value, policy not there, too many cells.
    """
    if not policies:
        raise FaultlockError("no policy to sweep; name at least one")
    if replications < 1:
        raise FaultlockError(f"--replications {replications}: at least 1")
    combinations = [
        tuple(zip((key for key, _ in grid), values, strict=True))
        for values in itertools.product(*(values for _, values in grid))
    ]
    if len(combinations) * len(policies) > MAX_CELLS:
        raise FaultlockError(
            f"{len(combinations) * len(policies)} cells are more than {MAX_CELLS}; "
            "make the grid coarser"
        )
    seeds = tuple(range(seed, seed + replications))
    texts = {policy: policy_files(policy) for policy in policies}
    cells = []
    for settings in combinations:
        changed = workload
        for key, value in settings:
            changed = override(changed, key, value)
        cells += [
            Cell(0, policy, texts[policy], settings, changed.document, workload.name, seeds)
            for policy in policies
        ]
    return [
        Cell(number, c.policy, c.policy_files, c.settings, c.document, c.workload, c.seeds)
        for number, c in enumerate(cells)
    ]


def policy_files(policy: str) -> tuple[tuple[str, str], ...]:
    """Name and text of each file of a policy that is not a shipped one.

    Raises FaultlockError when the policy is not there.
    """
    sources = [source for source in load_model(policy).sources if source.policy]
    if all(source.path.startswith("policies/") for source in sources):
        return ()
    return tuple(
        (Path(source.path).name, "\n".join(source.lines) + "\n")
        for source in sources
        if not source.path.startswith("policies/")
    )


def manifest(cells: Sequence[Cell], version: str) -> dict[str, Any]:
    """What makes two sweeps the same: grid, policies with their texts, workload, seeds, version."""
    content = [
        [c.policy, c.policy_files, c.settings, dict(c.document), list(c.seeds)] for c in cells
    ]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
    return {
        "schema": "faultlock-sweep/1",
        "workload": cells[0].workload,
        "policies": list(dict.fromkeys(cell.policy for cell in cells)),
        "grid": {key: _values(cells, key) for key, _ in cells[0].settings},
        "seeds": list(cells[0].seeds),
        "cells": len(cells),
        "digest": digest,
        "version": version,
    }


def _values(cells: Sequence[Cell], key: str) -> list[str]:
    return list(dict.fromkeys(dict(cell.settings)[key] for cell in cells))
