# SPDX-License-Identifier: GPL-2.0-only
"""What a worker does: one cell of the grid, from its description to rows of numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faultlock.sweep.grid import Cell

Row = dict[str, Any]


def run_cell(cell: Cell) -> tuple[int, list[Row]]:
    """Simulate one cell; (its number, one row per seed and actor).

    A row: policy, one column per setting, seed, actor, n, rate_hz, mean_us, percentiles, max_us.
    Raises FaultlockError (the workload or the policy cannot be simulated).
    """
    from faultlock.sim.run import simulate
    from faultlock.workload.read import read_document

    workload = read_document(dict(cell.document), cell.workload, cell.workload)
    rows: list[Row] = []
    with _policy(cell) as policy:
        for seed in cell.seeds:
            result = simulate(workload, policy, seed)
            for actor, values in result.tables().items():
                rows.append(
                    {
                        "cell": cell.number, "policy": cell.policy, **dict(cell.settings),
                        "seed": seed, "actor": actor, **values,
                    }
                )
    return cell.number, rows


@contextmanager
def _policy(cell: Cell) -> Iterator[str]:
    """The policy as the simulator wants it: a name, or files in a folder of their own.

    The same text has the same path in every process of a machine, so that compiled models are
    found again in the cache; the files are data and are never executed.
    """
    if not cell.policy_files:
        yield cell.policy
        return
    with tempfile.TemporaryDirectory(prefix="faultlock-sweep-") as folder:
        for name, text in cell.policy_files:
            (Path(folder) / name).write_text(text, encoding="utf-8")
        yield "+".join(
            str(Path(folder) / Path(part).name) if part.endswith(".py") else part
            for part in cell.policy.split("+")
        )
