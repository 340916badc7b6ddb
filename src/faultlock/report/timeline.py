# SPDX-License-Identifier: GPL-2.0-only
"""One simulation as a Perfetto trace: operations, faults, waits with their holders, I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faultlock.report.perfetto import Request, Slice, write_perfetto
from faultlock.workload.schema import Workload

LOG_ROWS = 65_536
MOST_ROWS = 1_000_000  # of the event log: about a gigabyte of slices


@dataclass
class Timeline:
    """What was done and waited for; pieces that are still open at the end are left out."""

    threads: dict[int, str]
    slices: list[Slice] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    complete: bool = True  # False: the log was longer than MOST_ROWS


def write_timeline(path: Path, workload: Workload, policy: str, seed: int) -> Timeline:
    """Simulate once more with the event log on, and write the trace.

    Raises FaultlockError: the simulation fails, the file cannot be written.
    """
    timeline = record(workload, policy, seed)
    write_perfetto(
        path, f"{workload.name}, {policy}", timeline.threads, timeline.slices, timeline.requests
    )
    return timeline


def record(workload: Workload, policy: str, seed: int) -> Timeline:
    """The timeline of one run."""
    from faultlock.sim import arrays
    from faultlock.sim.run import advance, prepare

    simulation = prepare(workload, policy, seed, LOG_ROWS)
    scalars = simulation.engine.scalars
    reader = _Reader(simulation)
    limit = int(scalars[arrays.FINISH_LIMIT])
    rows = 0
    while rows < MOST_ROWS:
        finished = advance(simulation, limit)
        count = int(scalars[arrays.LOG_LENGTH])
        reader.read(simulation.engine.log[:count].tolist())
        scalars[arrays.LOG_LENGTH] = 0
        rows += count
        if finished or count == 0 or int(scalars[arrays.NOW]) >= limit:
            return reader.timeline
    reader.timeline.complete = False
    return reader.timeline


class _Reader:
    """Turns rows of the event log (arrays.LOG_COLUMNS) into slices."""

    def __init__(self, simulation: Any) -> None:
        from faultlock.sim.callers import step_places
        from faultlock.sim.records import WAIT_LOGGED
        from faultlock.sim.result import lock_names

        names = simulation.prepared.names
        self.timeline = Timeline({number: name for number, name in enumerate(names, 1)})
        self._operations = simulation.prepared.operations
        self._events = dict(enumerate(simulation.program.event_names))
        self._locks = lock_names(simulation.program)
        self._places = step_places(simulation.program)
        self._wait = WAIT_LOGGED
        self._open: dict[tuple[str, int], tuple[int, int, int]] = {}

    def read(self, rows: list[list[int]]) -> None:
        """The next rows, in order of time."""
        for now, thread, event, a, b, c, label, held in rows:
            if event == self._wait:
                places = {"at": self._places[label], "taken at": self._places[held]}
                self._waited(now, thread, a, b, c, places)
            else:
                self._event(self._events[event], now, thread, a, b, c)

    def _waited(
        self, now: int, thread: int, since: int, lock: int, holder: int, places: dict[str, str]
    ) -> None:
        """`places`: the lines that wait and that took the lock, empty when not known."""
        name = f"{self._locks.get(lock >> 40, 'other')} {lock & ((1 << 40) - 1)}"
        known = holder if holder in self.timeline.threads else 0
        self.timeline.slices.append(
            Slice(thread, since, now, name, "wait", known, {k: v for k, v in places.items() if v})
        )

    def _event(self, name: str, now: int, thread: int, a: int, b: int, c: int) -> None:
        if name in ("OP_BEGIN", "FAULT_BEGIN"):
            self._open[name, thread] = (now, a, b)
        elif name == "OP_END":
            actor = self._operations[a].actor or "operation"
            self._close("OP_BEGIN", now, thread, actor, "operation", {})
        elif name == "FAULT_END":
            self._close("FAULT_BEGIN", now, thread, "page fault", "fault", {"page": a})
        elif name == "IO_SUBMIT":
            self._open[name, a] = (now, b, c)
        elif name == "IO_DONE" and ("IO_SUBMIT", a) in self._open:
            since, index, pages = self._open.pop(("IO_SUBMIT", a))
            arguments = {"page": index, "pages": pages}
            self.timeline.requests.append(
                Request(since, now, f"read {index}+{pages}", arguments)
            )

    def _close(
        self, opened: str, now: int, thread: int, name: str, kind: str, arguments: dict[str, int]
    ) -> None:
        begun = self._open.pop((opened, thread), None)
        if begun is not None:
            self.timeline.slices.append(
                Slice(thread, begun[0], now, name, kind, arguments=arguments)
            )
