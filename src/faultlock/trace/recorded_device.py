# SPDX-License-Identifier: GPL-2.0-only
"""The device of a recording, measured from the waits of its reads.

A recording has no event of a request, only which pages were inserted and how long the reader slept
after that. A read on an otherwise idle device tells most: a short one the latency, a long one the
bandwidth, with which the data came up to the end of the request that holds the wanted page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

PAGE = 4096
SHORT_PAGES, LONG_PAGES = 8, 32
# A bio has at most 256 segments; folios that lie side by side in memory are one segment. It is not
# shorter than a folio, which has up to 512 pages.
REQUEST_PAGES = (512, 1024, 2048)

# In order: start ns, pages, place of the page that was wanted (-1: unknown), ns waited.
Reads = list[tuple[int, int, int, int]]


@dataclass(frozen=True)
class RecordedDevice:
    """Latency of a short read (ns), bandwidth (bytes/s), pages of the longest request.

    `short_reads`, `long_reads`: how many reads tell so; 0: nothing does, a usual value stands in.
    """

    latency_ns: int = 100_000
    bandwidth_bytes_per_s: int = 500_000_000
    request_pages: int = 512
    short_reads: int = 0
    long_reads: int = 0

    def read_ns(self, pages: int) -> int:
        """How long a read of so many pages takes; 0 for none."""
        if pages <= 0:
            return 0
        return self.latency_ns + pages * PAGE * 1_000_000_000 // self.bandwidth_bytes_per_s


def recorded_device(reads: Reads) -> RecordedDevice:
    """The device that made the recorded waits.

    Latency: the median wait of short reads. Bandwidth: the median over the bytes of long reads,
    and at least what went through while reads queued up; of the possible sizes of a request the
    one for which the bandwidths of the single reads agree best.
    """
    short, long = _on_idle_device(reads)
    usual = RecordedDevice()
    latency_ns = round(median(short)) if short else usual.latency_ns
    best: tuple[float, float, int] | None = None
    for request_pages in REQUEST_PAGES if long else ():
        values = [_bandwidth(read, request_pages, latency_ns) for read in long]
        middle, all_bytes = _weighted_median(values), sum(size for _, size in values)
        spread = sum(abs(math.log(value / middle)) * size for value, size in values) / all_bytes
        if best is None or spread < best[0]:
            best = (spread, middle, request_pages)
    if best is None:
        return RecordedDevice(latency_ns, short_reads=len(short))
    bandwidth = round(max(best[1], _queued_bandwidth(reads)))
    bandwidth = min(max(bandwidth, 1_000_000), 100_000_000_000)
    return RecordedDevice(latency_ns, bandwidth, best[2], len(short), len(long))


def _on_idle_device(reads: Reads) -> tuple[list[int], Sequence[tuple[int, int, int]]]:
    """Reads that began while none was waited for: waits of short, (pages, place, wait) of long."""
    short, long = [], []
    busy_until_ns = 0
    for start_ns, pages, position, waited_ns in reads:
        if waited_ns > 0 and start_ns >= busy_until_ns:
            if pages <= SHORT_PAGES:
                short.append(waited_ns)
            elif pages >= LONG_PAGES:
                long.append((pages, position, waited_ns))
        busy_until_ns = max(busy_until_ns, start_ns + waited_ns)
    return short, long


def _bandwidth(
    read: tuple[int, int, int], request_pages: int, latency_ns: int
) -> tuple[float, int]:
    """Bytes/s with which the data came up to the end of the request with the wanted page, bytes."""
    pages, position, waited_ns = read
    needed = min(pages, (max(0, position) // request_pages + 1) * request_pages) * PAGE
    return needed * 1e9 / max(waited_ns / 4, waited_ns - latency_ns), needed


def _weighted_median(values: Sequence[tuple[float, int]]) -> float:
    """The value below which half of the weight lies."""
    half, reached = sum(weight for _, weight in values) / 2, 0
    for value, weight in sorted(values):
        reached += weight
        if reached >= half:
            return value
    raise ValueError("no values")


def _queued_bandwidth(reads: Reads) -> float:
    """Bytes/s during the longest time in which some read was always waited for; 0 if none was."""
    best_ns, best = 0, 0.0
    begin_ns = end_ns = size = last = 0
    for start_ns, pages, _, waited_ns in [*reads, (1 << 62, 0, 0, 0)]:
        if start_ns >= end_ns:
            if end_ns - begin_ns > best_ns and size > last:
                best_ns = end_ns - begin_ns
                best = (size - last) * PAGE * 1e9 / best_ns  # the last one's rest came later
            begin_ns = end_ns = start_ns
            size = 0
        end_ns = max(end_ns, start_ns + waited_ns)
        size, last = size + pages, pages
    return best
