# SPDX-License-Identifier: GPL-2.0-only
"""The device that is measured from recorded waits, and reads that take as long as they took."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultlock.sim.replay import simulate_replay
from faultlock.sim.replay_state import RECORDED
from faultlock.trace.recorded_device import PAGE, Reads, RecordedDevice, recorded_device
from faultlock.trace.replay import plan_replay
from faultlock.workload.distribution import constant
from faultlock.workload.schema import Device
from tests.unit.trace.trace_script import Script

MS = 1_000_000


def reads_of(latency_ns: int, bandwidth: int, request_pages: int) -> Reads:
    """Reads of an idle device: three short ones, long ones with the wanted page anywhere."""
    reads: Reads = [(n * 1000 * MS, 4, 0, latency_ns) for n in range(3)]
    for n, (pages, position) in enumerate([(2048, 0), (2048, 1030), (900, 899), (300, 4)], 3):
        needed = min(pages, (position // request_pages + 1) * request_pages)
        waited_ns = latency_ns + needed * PAGE * 1_000_000_000 // bandwidth
        reads.append((n * 1000 * MS, pages, position, waited_ns))
    return reads


@pytest.mark.parametrize("request_pages", [512, 1024, 2048])
def test_latency_bandwidth_and_request_size_are_found(request_pages: int) -> None:
    found = recorded_device(reads_of(80_000, 600_000_000, request_pages))
    assert found.latency_ns == 80_000
    assert found.bandwidth_bytes_per_s == pytest.approx(600_000_000, rel=0.01)
    assert found.request_pages == request_pages
    assert (found.short_reads, found.long_reads) == (3, 4)


def test_reads_that_queue_show_at_least_what_went_through() -> None:
    alone = reads_of(100_000, 100_000_000, 2048)
    start_ns = alone[-1][0] + 1000 * MS
    queue = [(start_ns + n * MS, 2048, 0, (n + 1) * 40 * MS) for n in range(8)]
    bandwidth = recorded_device([*alone, *queue]).bandwidth_bytes_per_s
    assert bandwidth == pytest.approx(7 * 2048 * PAGE / 0.327, rel=0.01)


def test_without_reads_a_usual_device_stands_in() -> None:
    assert recorded_device([]) == RecordedDevice()
    assert RecordedDevice().read_ns(0) == 0


def test_a_read_takes_as_long_as_it_took(tmp_path: Path) -> None:
    script = Script()
    text = "sys_mmap(addr: 0, len: 0x200000, prot: 1, flags: 2, fd: 3, off: 0)"
    script.call(0, text, 5, 0x700000)
    waits_us = {30: 100, 200: 7000, 400: 300}
    at_us = 100
    for page, waited_us in waits_us.items():
        script.fault(at_us, 0x700000 + page * PAGE, 0x4)
        script.file(at_us + 2, "mm_filemap_fault", f"ofs={page * PAGE}")
        text = f"index={page} nr_to_read=1 lookahead_size=0"
        script.file(at_us + 3, "page_cache_ra_unbounded", text)
        script.file(at_us + 4, "mm_filemap_add_to_page_cache", f"pfn=0x1 ofs={page * PAGE}")
        script.switch(at_us + 10, 41, "D", 0)
        script.switch(at_us + 10 + waited_us, 0, "R", 41)
        at_us += waited_us + 100
    plan = plan_replay(script.trace(tmp_path), "script")
    assert plan.device.latency_ns == 300_000
    for kind, blocked_s in ((RECORDED, 0.0074), ("other", 3 * 0.001)):
        device = Device(kind=kind, latency=constant(MS), queue_depth=8)
        replayed = simulate_replay(plan, "drop-retry", device, cost_factor=0.3)
        assert replayed.figures["blocked_s"] == pytest.approx(blocked_s, rel=0.02)
