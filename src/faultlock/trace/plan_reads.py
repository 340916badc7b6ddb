# SPDX-License-Identifier: GPL-2.0-only
"""How long the reads of a replayed operation take, where the recording tells."""

from __future__ import annotations

from typing import Any

from faultlock.trace.known_reads import GRAIN_PAGES, Run
from faultlock.trace.recorded_device import RecordedDevice
from faultlock.trace.recording import Recording
from faultlock.units import LONGEST_MODEL_TIME

MOST_READS = 8  # of one operation (sim.arrays.KNOWN_READS)

# In order: up to the request that begins at this page, ns.
KnownTimes = list[tuple[int, int]]


class PlanReads:
    """Times of reads, for requests of `pages`; `times` has what the numbers given out mean."""

    def __init__(self, recording: Recording, device: RecordedDevice, pages: int) -> None:
        self._recording, self._device, self._request_pages = recording, device, pages
        self.times: list[KnownTimes] = []

    def of(self, row: dict[str, Any]) -> int:
        """Number of what is known of the reads of a recorded operation; 0: nothing."""
        if row["reads"] < 0:
            return 0
        runs = self._recording.known_reads[row["reads"]]
        times = sorted(known for run in runs for known in self._requests(run))
        return self.add(times)

    def add(self, times: KnownTimes) -> int:
        """Number of these times; 0 for none."""
        if not times:
            return 0
        first = times[:MOST_READS]
        self.times.append([(index, min(ns, LONGEST_MODEL_TIME)) for index, ns in first])
        return len(self.times)

    def _requests(self, run: Run) -> KnownTimes:
        """One time for each request of a run of which something is known."""
        size = self._request_pages // GRAIN_PAGES
        requests: dict[int, tuple[int, int]] = {}
        for block, (latest, earliest) in run.blocks.items():
            waited, had = requests.get(block // size, (0, 0))
            # Who woke later than another had a page waited for a CPU after that.
            waited = max(waited, min(latest, earliest) if earliest else latest)
            had = min(had, earliest) if had and earliest else had or earliest
            requests[block // size] = waited, had
        known = []
        for number, (waited, had) in requests.items():
            last = min((number + 1) * self._request_pages, run.end - run.first)
            # Nobody waited for it: it need not have taken as long as until somebody had it.
            ns = waited or min(had, self._device.read_ns(last))
            known.append((run.first + last - 1, ns))
        return known
