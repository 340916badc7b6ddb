# SPDX-License-Identifier: GPL-2.0-only
"""Results in the documented JSON forms, small, with text that would break a careless page."""

from __future__ import annotations

from typing import Any

HOSTILE = "</script><img src=x onerror=alert(1)> & \"quotes\" '"


def step(thread: str, function: str, line: int, text: str, note: str = "") -> dict[str, Any]:
    return {"thread": thread, "function": function, "file": "kernel/filemap.py", "line": line,
            "text": text, "note": note}


def check_result() -> dict[str, Any]:
    """One violated, one unknown, one that holds."""
    common = {"states": 1204, "transitions": 3310, "depth": 41, "seconds": 0.21}
    return {
        "policy": "hold",
        "results": [
            {"scenario": "fault+kill", "property": "S4 lock balance", "verdict": "violated",
             **common, "no_return": 3, "wrong": "T1 is in user mode and holds invalidate_lock",
             "counterexample": [
                 step("T1", "filemap_fault", 101, "folio = filemap_get_folio(mapping, index)",
                      "folio reference +1"),
                 step("T1", "filemap_fault", 104, "filemap_invalidate_lock_shared(mapping)",
                      "invalidate_lock shared"),
                 step("T2", "kill", 12, "task.fatal_signal_pending = True", HOSTILE),
                 step("T1", "filemap_fault", 109, "return VM_FAULT_SIGBUS"),
             ]},
            {"scenario": "fault+fork", "property": "L2 bounded interference", "verdict": "unknown",
             **common, "counterexample": []},
            {"scenario": HOSTILE, "property": "S1 mapped pages are cached", "verdict": "holds",
             **common, "counterexample": []},
        ],
    }


def latencies(scale: float) -> dict[str, float]:
    return {"n": 2000, "rate_hz": 500 / scale, "mean_us": 210 * scale, "p10_us": 180 * scale,
            "p50_us": 200 * scale, "p90_us": 260 * scale, "p99_us": 900 * scale,
            "p999_us": 2200 * scale, "max_us": 6400 * scale}


def place(at: str, function: str, text: str) -> dict[str, str]:
    return {"in": function, "at": at, "text": text}


def compare_result() -> dict[str, Any]:
    """Two policies, two actors."""
    chain = {
        "duration_us": 9100.0,
        "root": "io",
        "links": [
            {"thread": "mmap 3", "waits_for": "mmap_lock", "number": 1, "in": "down_write_killable",
             "at": "kernel/rwsem.py:166", "text": "wait(current.wait_woken, on=sem)",
             "since_us": 1000.0, "holder": "fork 2", "held_since_us": 300.0,
             "caller": place("kernel/mmap.py:150", "vm_mmap_pgoff", "mmap_write_lock_killable(mm)"),
             "taken": place("kernel/fork.py:206", "dup_mmap", "mmap_write_lock_killable(oldmm)")},
            {"thread": "fork 2", "waits_for": "vma_lock", "number": 7, "in": "vma_start_write",
             "at": "kernel/vma_lock.py:80", "text": "wait(vma_lock_free)",
             "since_us": 500.0, "holder": "fault 1", "held_since_us": 50.0,
             "caller": place("kernel/fork.py:164", "dup_mmap", "vma_start_write(vma)"),
             "taken": place("kernel/fault.py:141", "fault_with_vma_lock",
                            "vma = lock_vma_under_rcu(current.mm, address)")},
            {"thread": "fault 1", "waits_for": "folio", "number": 12, "in": HOSTILE,
             "at": "kernel/folio_wait.py:100", "text": HOSTILE,
             "since_us": 100.0, "holder": "", "held_since_us": None,
             "caller": place("kernel/filemap.py:96", HOSTILE, HOSTILE), "taken": None},
        ],
    }
    waits = {"RwSemaphore": {"io": {"n": 4, "sum_us": 31000.0, "max_us": 9100.0},
                             "running": {"n": 9, "sum_us": 800.0, "max_us": 200.0}}}
    return {
        "workload": "fork-storm",
        "seed": 1,
        "policies": {
            "drop-retry": {
                "actors": {"fault": latencies(1), "fork": latencies(2)},
                "vmstat": {"pgfault": 12000, "vma_lock_retry": 1300},
            },
            "hold": {
                "actors": {"fault": latencies(0.9), "fork": latencies(80)},
                "vmstat": {"pgfault": 11800, "vma_lock_retry": 0},
                "waits": waits,
                "chains": [chain],
            },
        },
    }


def validate_result() -> dict[str, Any]:
    """Two rows."""
    row = {"file": "hold-10ms.json", "scenario": "fork_8", "actor": "fork"}
    return {
        "rows": [
            {**row, "metric": "rate_hz", "model": 51.2, "kernel": 50.0, "rel_error": 0.024},
            {**row, "metric": "mean_us", "model": 9000.0, "kernel": 10000.0, "rel_error": -0.1},
        ],
        "median_abs_rel_error": 0.062, "p90_abs_rel_error": 0.1, "n": 2,
        "regime_right": 1, "regime_rows": 1, "orderings_right": 4, "orderings": 4,
        "facts_right": 42, "facts": 42,
    }


def measurement(policy: str) -> dict[str, Any]:
    """A measurement of one scenario."""
    scenario = {"name": "fork_8", "params": {}, **compare_result()["policies"][policy]}
    return {
        "schema": "faultlock-measurement/1", "kernel": "linux-6.12", "policy": policy,
        "clock": "qemu", "cpus": 1, "device": {"kind": "null_blk", "latency_ns": 10_000_000},
        "scenarios": [scenario],
    }
