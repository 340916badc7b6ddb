# SPDX-License-Identifier: GPL-2.0-only
"""Running the cells of a sweep: in processes of this machine, or on a Dask cluster.

Both hand over each finished cell at once, so nothing that is finished can be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from faultlock.errors import EnvironmentMissing, FaultlockError
from faultlock.sim.processes import Workers, WorkersDied
from faultlock.sweep.cell import Row, run_cell
from faultlock.sweep.grid import Cell

MOST_RESTARTS = 3
CONNECT_LIMIT_S = 10

Keep = Callable[[int, list[Row]], None]


def run_local(cells: Sequence[Cell], workers: int, keep: Keep) -> None:
    """Run the cells in `workers` processes.  A worker that dies (out of memory, killed) is
    replaced and its cell done again, three times; then EnvironmentMissing is raised."""
    left = {cell.number: cell for cell in cells}
    for _ in range(MOST_RESTARTS + 1):
        if not left:
            return
        try:
            _run_pool(list(left.values()), workers, keep, left)
        except WorkersDied:
            continue
    if left:
        raise EnvironmentMissing(
            f"worker processes died {MOST_RESTARTS + 1} times with {len(left)} cells left; "
            "there may be too little memory: try --workers 1"
        )


def _run_pool(cells: Sequence[Cell], workers: int, keep: Keep, left: dict[int, Cell]) -> None:
    with Workers(min(workers, len(cells)), run_cell) as processes:
        for _, (number, rows) in processes.results(cells):
            keep(number, rows)
            del left[number]


def run_dask(cells: Sequence[Cell], address: str, keep: Keep) -> None:
    """Run the cells on the Dask cluster at `address` (tcp://host:port).

    Lost workers' cells are done again by the others (Dask's business, three times each).
    Raises EnvironmentMissing: no dask.distributed, no scheduler there, a worker with another
    version of faultlock.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise EnvironmentMissing(
            "--scheduler needs dask.distributed: pip install 'faultlock[cluster]'"
        ) from None
    try:
        client = Client(address, timeout=CONNECT_LIMIT_S)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise EnvironmentMissing(
            f"--scheduler {address}: {reason}; start one with `dask scheduler` and give its address"
        ) from None
    with client:
        _same_version(client)
        futures = client.map(run_cell, list(cells), pure=False, retries=MOST_RESTARTS)
        for future in as_completed(futures):  # type: ignore[no-untyped-call]
            number, rows = _result(future)
            keep(number, rows)
            future.release()


def _result(future: Any) -> tuple[int, list[Row]]:
    from distributed import KilledWorker

    try:
        number, rows = future.result()
    except KilledWorker as error:
        raise EnvironmentMissing(
            f"the cluster lost a cell again and again: {str(error).splitlines()[0][:160]}"
        ) from None
    return number, rows


def _same_version(client: Any) -> None:
    """Every worker must have this version, or rows of two models would be mixed."""
    from faultlock.version import version_line

    own = version_line()
    versions = client.run(version_line)
    if not versions:
        raise EnvironmentMissing("the cluster has no worker; start one with `dask worker ADDRESS`")
    for worker, version in versions.items():
        if version != own:
            raise FaultlockError(f"worker {worker} has {version}, this is {own}; install the same")
