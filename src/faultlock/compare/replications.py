# SPDX-License-Identifier: GPL-2.0-only
"""Independent replications of a workload under several policies, and their JSON form.

Replication i of every policy has the same seed, so that policies meet the same think times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from faultlock.errors import FaultlockError
from faultlock.sim.many import Job, interval, run_jobs, seeds
from faultlock.workload.schema import Workload

if TYPE_CHECKING:
    from faultlock.sim.result import SimResult

MAX_REPLICATIONS = 1000

Report = Callable[[float, str], None]


def compare_policies(
    workload: Workload,
    policies: Sequence[str],
    seed: int,
    replications: int,
    workers: int,
    report: Report,
) -> dict[str, list[SimResult]]:
    """Policy -> its replications, in order.

    Raises FaultlockError when a number is out of range, and what a simulation raises.
    """
    if not 1 <= replications <= MAX_REPLICATIONS:
        raise FaultlockError(f"--replications {replications}: 1 to {MAX_REPLICATIONS}")
    jobs = [
        Job(workload, policy, number) for number in seeds(seed, replications) for policy in policies
    ]
    found: dict[str, list[SimResult]] = {policy: [] for policy in policies}
    for job, result in zip(jobs, run_jobs(jobs, report, workers), strict=True):
        found[job.policy].append(result)
    return found


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
        values = [row[metric] for row in rows if row.get("n") and metric in row]
        if len(values) > 1:
            mean, half = interval(values)
            found[metric] = [round(mean - half, 3), round(mean + half, 3)]
    return found
