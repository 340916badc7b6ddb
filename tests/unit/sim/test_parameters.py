# SPDX-License-Identifier: GPL-2.0-only
"""What a workload says becomes parameters and places of the model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faultlock.sim.bursts import ANSWERED
from faultlock.sim.memory_plan import plan_memory
from faultlock.sim.parameters import memcg_kernel_pages
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


@pytest.mark.parametrize(
    ("name", "retries"), [("ground-truth/seq_4f", 10), ("ground-truth/herd_8", 5)]
)
def test_the_measured_retry_vma_redoes_every_fault_under_the_vma_lock(
    name: str, retries: int
) -> None:
    """Counters of the kernel: pgfault 42,727, vma_lock_success 42,727, vma_lock_retry 20,657."""
    counters = simulate(replace(load(name), duration_ns=300_000_000), "retry-vma").vmstat
    assert counters["vma_lock_retry"] > retries * counters["pgmajfault"]
    assert counters["vma_lock_retry"] > 100
    assert counters["pgfault"] - counters["vma_lock_success"] <= 8, "who has not ended yet"


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


def test_xarray_nodes_with_shadows_are_charged_to_the_cgroup() -> None:
    workload = load("memcg-thrash")
    plan = plan_memory(workload, 256)
    tables, nodes = 500 * 8, 500 * 4096 // 64
    assert memcg_kernel_pages(workload, plan) == 500 * 13 + tables + nodes * 584 // 4096


def test_a_flush_interrupts_the_cpus_of_the_other_threads() -> None:
    session = prepare(replace(load("memcg-thrash"), duration_ns=1_000_000), "hold", 1)
    layout, engine = session.prepared.layout, session.engine
    assert layout.parameters["N_CPUS"] == 256
    assert layout.get(session.prepared.memory, "MM", 1, "users") == 500
    number = session.program.cost_names.index("flush_tlb_multi")
    assert engine.cost_free[number] == ANSWERED and engine.cost_ns[number] > 0


def test_who_reads_memory_stat_flushes_it_earlier() -> None:
    workload = replace(load("memcg-thrash"), duration_ns=100_000_000)
    cache = replace(workload.page_cache, flush_stats_ns=20_000_000)
    often = prepare(replace(workload, page_cache=cache), "hold", 1).prepared.layout
    assert often.parameters["FLUSH_TIME_US"] == 20_000
    assert prepare(workload, "hold", 1).prepared.layout.parameters["FLUSH_TIME_US"] == 2_000_000
