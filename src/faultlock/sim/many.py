# SPDX-License-Identifier: GPL-2.0-only
"""Many simulations at once: replications and policies over processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faultlock.sim.processes import Workers, cores
from faultlock.workload.schema import Workload

if TYPE_CHECKING:
    from faultlock.sim.result import SimResult

# two-sided 95 % quantiles of Student's t by degrees of freedom; beyond the table the normal one
T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One run: a workload under a policy with a seed."""

    workload: Workload
    policy: str
    seed: int


def run_job(job: Job, progress: Callable[[float], None] | None = None) -> SimResult:
    """Simulate one job (in a worker process)."""
    from faultlock.sim.run import simulate

    return simulate(job.workload, job.policy, job.seed, progress)


def seeds(seed: int, count: int) -> list[int]:
    """Seeds of independent replications: the streams of seed + n are independent."""
    return [seed * 1_000_003 + number for number in range(count)]


def run_jobs(
    jobs: Sequence[Job], report: Callable[[float, str], None] | None = None, workers: int = 0
) -> list[SimResult]:
    """All jobs, in order, on `workers` processes (0: one for each core).

    The result does not depend on the number of processes.  Raises what a job raises."""
    count = min(workers or cores(), len(jobs))
    if count <= 1:
        return _one_by_one(jobs, report or (lambda share, text: None))
    run_job(_tiny(jobs[0]))  # compiles what is not in the cache yet, once for all processes

    def tell(done: int, number: int) -> None:
        if report:
            report(done / len(jobs), f"{done} of {len(jobs)}")

    with Workers(count, run_job) as processes:
        return processes.in_order(jobs, tell)


def _one_by_one(jobs: Sequence[Job], report: Callable[[float, str], None]) -> list[SimResult]:
    results = []
    for number, job in enumerate(jobs):

        def inside(share: float, number: int = number, policy: str = job.policy) -> None:
            report((number + share) / len(jobs), policy)

        results.append(run_job(job, inside))
        inside(1.0)
    return results


def _tiny(job: Job) -> Job:
    """The same job, a millisecond long."""
    from dataclasses import replace

    return Job(replace(job.workload, duration_ns=1_000_000), job.policy, job.seed)


def interval(values: Iterable[float]) -> tuple[float, float]:
    """Mean and half width of its 95 % confidence interval (0 for a single value)."""
    numbers = list(values)
    count = len(numbers)
    mean = sum(numbers) / count if count else 0.0
    if count < 2:
        return mean, 0.0
    variance = sum((value - mean) ** 2 for value in numbers) / (count - 1)
    factor = T95[count - 2] if count - 2 < len(T95) else 1.96
    return mean, factor * math.sqrt(variance / count)
