# SPDX-License-Identifier: GPL-2.0-only
"""A device that would have made the recorded waits: latency and bandwidth."""

from __future__ import annotations

PAGE = 4096
REQUEST_PAGES = 512  # longest request of the simulated device

# In order: start ns, pages, place of the page that was wanted (-1: unknown), ns waited.
Reads = list[tuple[int, int, int, int]]


def recorded_device(reads: Reads, request_pages: int = REQUEST_PAGES) -> tuple[int, int]:
    """(latency ns, bandwidth bytes/s) with which a device would have made the recorded waits.

    Latency: the median wait of reads of up to 8 pages. Bandwidth: that with which a device that
    moves one request of `request_pages` after the other, fed with the recorded reads at their
    times, makes their readers wait as long in total as they did.
    """
    short = sorted(ns for _, pages, _, ns in reads if pages <= 8 and ns > 0)
    latency_ns = short[len(short) // 2] if short else 100_000
    recorded_ns = sum(ns for _, _, _, ns in reads)
    low, high = 1_000_000, 100_000_000_000
    for _ in range(40):
        bandwidth = int((low * high) ** 0.5)
        if _waits_ns(reads, request_pages, latency_ns, bandwidth) > recorded_ns:
            low = bandwidth
        else:
            high = bandwidth
    return latency_ns, high


def _waits_ns(reads: Reads, request_pages: int, latency_ns: int, bandwidth: int) -> int:
    """How long the readers that waited would have waited in total."""
    free_ns, total_ns = 0, 0
    for start_ns, pages, position, waited_ns in reads:
        begin_ns = max(free_ns, start_ns)
        free_ns = begin_ns + pages * PAGE * 1_000_000_000 // bandwidth
        if waited_ns > 0:
            wanted = (max(0, position) // request_pages + 1) * request_pages
            done_ns = begin_ns + min(pages, wanted) * PAGE * 1_000_000_000 // bandwidth
            total_ns += max(latency_ns, done_ns - start_ns)
    return total_ns
