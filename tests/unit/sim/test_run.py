# SPDX-License-Identifier: GPL-2.0-only
"""A run in slices and with other code is the same run."""

from __future__ import annotations

from dataclasses import replace
from multiprocessing import synchronize
from pathlib import Path
from typing import Any

import pytest

from faultlock.lang.native import compile_native
from faultlock.sim import run
from faultlock.sim.many import Job, run_jobs
from faultlock.sim.run import advance, prepare, simulate
from faultlock.workload.library import loads
from faultlock.workload.schema import Workload
from tests.e2e.test_sweep import WORKLOAD


def small(clock: str) -> Workload:
    workload = loads(WORKLOAD.format(duration="40ms"), "small.toml", "small")
    return replace(workload, machine=replace(workload.machine, clock=clock))


@pytest.mark.parametrize("clock", ["own", "shared-instructions"])
def test_slices_and_faster_code_do_not_change_a_run(
    clock: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workload = small(clock)
    whole = simulate(workload, "hold", 3)
    monkeypatch.setenv("FAULTLOCK_CACHE", str(tmp_path))
    monkeypatch.setattr(run, "SLICE_EVENTS", 300)
    monkeypatch.setattr(run, "LONG_RUN_EVENTS", 900)
    shares: list[float] = []
    sliced = simulate(workload, "hold", 3, shares.append)
    assert sliced.document() == whole.document()
    assert sliced.events == whole.events and sliced.busy == whole.busy
    assert len(shares) >= whole.events // 300 - 2 and shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] <= 1.0


def test_a_long_run_goes_on_with_faster_code_that_later_runs_find(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAULTLOCK_CACHE", str(tmp_path))
    monkeypatch.setattr(run, "SLICE_EVENTS", 300)
    efforts: list[str] = []

    def spy(program: Any, mode: str, layout: Any, effort: str = "quick") -> Any:
        efforts.append(effort)
        return compile_native(program, mode, layout, effort=effort)

    monkeypatch.setattr(run, "compile_native", spy)
    monkeypatch.setattr(run, "LONG_RUN_EVENTS", 1 << 40)
    simulate(small("own"), "hold", 3)
    assert efforts == ["quick"]
    quick = len(list(tmp_path.glob("*.o")))
    monkeypatch.setattr(run, "LONG_RUN_EVENTS", 900)
    first = prepare(small("own"), "hold", 3)
    before = first.step
    advance(first, 40_000_000)
    assert efforts == ["quick", "quick", "good"] and first.faster and first.step != before
    assert len(list(tmp_path.glob("*.o"))) == quick + 1


def test_one_process_reports_within_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SLICE_EVENTS", 300)
    shares: list[float] = []
    jobs = [Job(small("own"), "hold", seed) for seed in (1, 2)]
    run_jobs(jobs, lambda share, text: shares.append(share), 1)
    assert len(shares) > 4 and shares == sorted(shares) and shares[-1] == 1.0
    assert any(share < 0.5 for share in shares) and 0.5 in shares


def test_without_semaphores_the_jobs_run_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may have no /dev/shm to write in."""

    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    jobs = [Job(small("own"), policy, 3) for policy in ("drop-retry", "hold")]
    wanted = [result.document() for result in run_jobs(jobs, workers=1)]
    monkeypatch.setattr(synchronize, "SemLock", refuse)
    assert [result.document() for result in run_jobs(jobs, workers=2)] == wanted
