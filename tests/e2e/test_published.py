# SPDX-License-Identifier: GPL-2.0-only
"""Published numbers in short runs, and every shipped workload under every shipped policy.

What the model gives at full length, and where it falls short: docs/published.md.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from faultlock.commands.compare import default_policies
from faultlock.sim.result import SimResult
from faultlock.sim.run import simulate
from faultlock.workload.library import load, shipped_names

WORKLOADS = [name for name in shipped_names() if "/" not in name]
HOLDING = ("hold", "hold-fix", "hold+fork-fix")
PLAIN = ("drop-retry", "hold")


def ran(workload: str, policy: str, milliseconds: float) -> SimResult:
    whole = load(workload)
    return simulate(replace(whole, duration_ns=int(milliseconds * 1e6)), policy)


def test_lespinasse_a_held_mmap_lock_ties_the_mapper_to_the_disk() -> None:
    """Published: 55 a second held, 15,000 dropped (commit d065bd810b6d)."""
    rates = {
        policy: ran("lespinasse", policy, 1000).tables()["mmap_munmap"]["rate_hz"]
        for policy in PLAIN
    }
    assert 25 <= rates["hold"] <= 65  # mmap and munmap may each wait for a read of 18 ms
    assert 13_500 <= rates["drop-retry"] <= 16_500


def test_all_cached_policies_do_not_differ() -> None:
    """Published: "very little performance change"; nobody waits for a device here."""
    drop, hold = (ran("all-cached", policy, 50) for policy in PLAIN)
    assert drop.vmstat["reads"] == hold.vmstat["reads"] == 0
    assert drop.tables() == hold.tables()


def test_memcg_thrash_only_a_released_lock_is_redone() -> None:
    drop, hold = (ran("memcg-thrash", policy, 60) for policy in PLAIN)
    assert drop.vmstat["redo_lookups"] > 100
    assert hold.vmstat["redo_lookups"] == hold.vmstat["redo_misses"] == 0
    assert hold.vmstat["pgmajfault"] > 100


def test_fuse_self_hangs_under_hold_and_not_when_the_lock_is_dropped() -> None:
    """Deadlock D8: the server maps memory under mmap_lock that a fault on its file holds."""
    drop, hold = (ran("fuse-self", policy, 30) for policy in PLAIN)
    assert "hung_threads" not in drop.vmstat
    assert hold.vmstat["hung_threads"] > 0


def test_time_blocked_is_told_by_actor_and_root_cause() -> None:
    drop, hold = (ran("fork-storm", policy, 60) for policy in PLAIN)
    blocked = hold.blocked_by_actor["fork"]
    assert blocked["io"] > 1_000 > drop.blocked_by_actor["fork"].get("io", 0.0)
    assert "own io" in hold.blocked_by_actor["fault"] and "own io" not in blocked


@pytest.mark.parametrize("policy", default_policies())
def test_every_workload_runs_under_every_policy(policy: str) -> None:
    for workload in WORKLOADS:
        result = ran(workload, policy, 2 if workload == "memcg-thrash" else 5)
        assert sum(times.n for times in result.actors.values()) > 0, workload
        assert result.vmstat.get("hung_threads", 0) == 0 or workload == "fuse-self", workload
