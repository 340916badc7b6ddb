# SPDX-License-Identifier: GPL-2.0-only
"""What a workload says becomes parameters and places of the model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faultlock.sim.memory_plan import plan_memory
from faultlock.sim.run import prepare, simulate
from faultlock.workload.library import load


@pytest.mark.parametrize(("name", "measured"), [("memcg-thrash", 0), ("ground-truth/fork_8f8v", 1)])
def test_the_rule_of_the_measured_kernels_holds_in_their_guests_only(
    name: str, measured: int
) -> None:
    """Elsewhere retry-vma is the series as it was posted (policies/retry_vma.py)."""
    workload = replace(load(name), duration_ns=1_000_000)
    layout = prepare(workload, "retry-vma", 1).prepared.layout
    assert layout.parameters["RETRY_VMA_MEASURED"] == measured


def test_with_large_folios_the_lru_lock_is_taken_for_fewer_of_them() -> None:
    workload = replace(load("memcg-thrash"), duration_ns=100_000_000)
    assert all(file.large_folios and file.max_order == 9 for file in workload.files)
    files = tuple(replace(file, large_folios=False) for file in workload.files)
    large, small = (
        simulate(run, "retry-vma").tables()["fault"]["n"]
        for run in (workload, replace(workload, files=files))
    )
    assert large > small


def test_the_place_of_a_vma_that_comes_and_goes_is_nobody_elses() -> None:
    """The heaps of the C library grew into a VMA that was about to be mapped again."""
    process = plan_memory(load("memcg-thrash"), 256).processes["main"]
    assert process.mmap_base == process.regions["scan"].start
    assert plan_memory(load("fork-storm"), 2).processes["main"].mmap_base == 0
