# SPDX-License-Identifier: GPL-2.0-only
"""Independent replications of a workload under several policies, on all cores.

Replication i of every policy has seed `seed + i`, so that policies meet the same think times.
Results are merged in a fixed order: the same seed gives the same bytes whatever the number of
processes.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from faultlock.errors import FaultlockError
from faultlock.workload.schema import Workload

if TYPE_CHECKING:
    from faultlock.sim.result import SimResult

MAX_REPLICATIONS = 1000
# 97.5 % quantiles of Student's t for 1, 2, ... degrees of freedom; beyond the table 1.96.
STUDENT_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
)  # fmt: skip

Report = Callable[[float, str], None]


@dataclass(frozen=True)
class Task:
    """One run: replication `number` of a policy."""

    workload: Workload
    policy: str
    seed: int
    number: int


def run_task(task: Task) -> SimResult:
    """Simulate one task (in a worker process or here)."""
    from faultlock.sim.run import simulate

    return simulate(task.workload, task.policy, task.seed)


def simulate_many(tasks: Sequence[Task], workers: int, report: Report) -> list[SimResult]:
    """The results of the tasks, in the order of the tasks.

    Raises FaultlockError, LanguageErrors (of the first task that fails).
    """
    if workers <= 1 or len(tasks) == 1:
        results = []
        for number, task in enumerate(tasks, start=1):
            results.append(run_task(task))
            report(number / len(tasks), task.policy)
        return results
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(min(workers, len(tasks)), context, _worker_begins)
    try:
        futures = [executor.submit(run_task, task) for task in tasks]
        _await(futures, tasks, report)
        return [future.result() for future in futures]
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _await(futures: list[Future[Any]], tasks: Sequence[Task], report: Report) -> None:
    policies = dict(zip(futures, (task.policy for task in tasks), strict=True))
    for done, future in enumerate(as_completed(futures), start=1):
        future.result()
        report(done / len(futures), policies[future])


def _worker_begins() -> None:
    """Ctrl-C is the parent's business; it ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def compare_policies(
    workload: Workload,
    policies: Sequence[str],
    seed: int,
    replications: int,
    workers: int,
    report: Report,
) -> dict[str, list[SimResult]]:
    """Policy -> its replications, in order.

    Raises FaultlockError when a number is out of range.
    """
    if not 1 <= replications <= MAX_REPLICATIONS:
        raise FaultlockError(f"--replications {replications}: 1 to {MAX_REPLICATIONS}")
    tasks = [
        Task(workload, policy, seed + number, number)
        for number in range(replications)
        for policy in policies
    ]
    results = simulate_many(tasks, workers, report)
    found: dict[str, list[SimResult]] = {policy: [] for policy in policies}
    for task, result in zip(tasks, results, strict=True):
        found[task.policy].append(result)
    return found


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % confidence interval of the mean (Student's t), None with fewer than two values."""
    if len(values) < 2:
        return None
    n = len(values)
    mean = sum(values) / n
    deviation = sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    factor = STUDENT_T[n - 2] if n - 2 < len(STUDENT_T) else 1.96
    half = factor * deviation / sqrt(n)
    return mean - half, mean + half


def document(
    workload: Workload, seed: int, found: Mapping[str, Sequence[SimResult]]
) -> dict[str, Any]:
    """The form of `compare --json`; no host time, no file name of this machine."""
    from faultlock.sim.result import merge

    policies: dict[str, Any] = {}
    for policy, results in found.items():
        entry = merge(results).document()
        for actor, row in entry["actors"].items():
            row["ci95"] = _intervals([result.tables().get(actor, {}) for result in results])
        policies[policy] = entry
    replications = max((len(results) for results in found.values()), default=0)
    return {
        "workload": workload.name,
        "seed": seed,
        "replications": replications,
        "seconds": workload.duration_ns / 1e9,
        "policies": policies,
    }


def _intervals(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """{metric: [low, high]} over the replications that saw the actor."""
    found: dict[str, list[float]] = {}
    for metric in ("rate_hz", "mean_us", "p50_us", "p99_us"):
        between = interval([row[metric] for row in rows if row.get("n") and metric in row])
        if between is not None:
            found[metric] = [round(value, 3) for value in between]
    return found
