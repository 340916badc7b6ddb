# SPDX-License-Identifier: GPL-2.0-only
"""The event log of a run as a Parquet file: every record of the model and every wait.

docs/reference-events.md documents the columns; a test holds both together.  Memory is bounded:
the engine stops when its log is half full, and what it holds is written as a row group.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faultlock.errors import atomic_write
from faultlock.sim import arrays as a
from faultlock.sim.callers import step_places
from faultlock.sim.records import WAIT_LOGGED
from faultlock.sim.result import lock_names
from faultlock.sim.run import Simulation, advance, prepare
from faultlock.workload.schema import Workload

METADATA_KEY = b"faultlock.events"
SCHEMA_VERSION = 2
LOG_ROWS = 1 << 18  # in memory; 64 bytes each
WAIT = "WAIT"
NAME = pa.dictionary(pa.int32(), pa.string())
COLUMNS = {
    "time_ns": pa.int64(),
    "thread": pa.int32(),
    "thread_name": NAME,
    "event": NAME,
    "a": pa.int64(),
    "b": pa.int64(),
    "c": pa.int64(),
    "actor": NAME,
    "lock": NAME,
    "lock_number": pa.int64(),
    "holder": pa.int32(),
    "holder_name": NAME,
    "wait_ns": pa.int64(),
    "place": NAME,
    "holder_place": NAME,
}
LOCK_BITS = 40  # of a lock's number behind its kind (records.wait_ends)


@dataclass(frozen=True)
class Written:
    """Rows in the file, and events that came faster than the log was emptied."""

    rows: int
    lost: int


def write_events(
    path: Path,
    workload: Workload,
    policy: str,
    seed: int,
    progress: Callable[[float], None] | None = None,
) -> Written:
    """Simulate with the event log on; the file takes its place when the run has ended.

    Raises FaultlockError: the simulation fails, the file cannot be written.
    """
    simulation = prepare(workload, policy, seed, LOG_ROWS)
    scalars = simulation.engine.scalars
    limit = int(scalars[a.FINISH_LIMIT])
    table = EventTable(simulation)
    rows = 0
    with (
        atomic_write(path, "wb") as stream,
        pq.ParquetWriter(stream, schema(workload, policy, seed), compression="zstd") as writer,
    ):
        for until in (workload.duration_ns, limit):
            reached = False
            while not reached:
                finished = advance(simulation, until, progress)
                reached = finished or int(scalars[a.NOW]) >= until
                count = int(scalars[a.LOG_LENGTH])
                if count:
                    batch = table.batch(simulation.engine.log[:count])
                    writer.write_batch(batch, row_group_size=count)
                scalars[a.LOG_LENGTH] = 0
                rows += count
                if progress:
                    progress(min(int(scalars[a.NOW]) / workload.duration_ns, 1.0))
    return Written(rows, int(scalars[a.LOG_LOST]))


def schema(workload: Workload, policy: str, seed: int) -> pa.Schema:
    """Columns and metadata of the file."""
    about = {
        "schema_version": SCHEMA_VERSION,
        "workload": workload.name,
        "policy": policy,
        "seed": seed,
        "duration_ns": workload.duration_ns,
    }
    metadata = {METADATA_KEY: json.dumps(about).encode()}
    return pa.schema(list(COLUMNS.items()), metadata=metadata)


class EventTable:
    """Turns rows of the engine's log (arrays.LOG_COLUMNS) into columns."""

    def __init__(self, simulation: Simulation) -> None:
        program = simulation.program
        self._schema = schema(simulation.workload, simulation.policy, simulation.seed)
        self._threads = Names(simulation.prepared.names)
        self._events = Names([*program.event_names, WAIT])
        self._wait = len(program.event_names)
        self._actors = Names(simulation.actors)
        self._actor_of = simulation.engine.op_actor
        names = lock_names(program)
        self._places = Names(step_places(program))
        self._locks = Names([names.get(kind, "other") for kind in range(a.LOCK_KINDS + 1)])
        self._offsets = np.append(simulation.engine.kind_offset, 0)
        self._operations = self._numbers(program, "OP_BEGIN", "OP_END")
        self._lock_events = self._numbers(program, "LOCK_ACQUIRED", "LOCK_RELEASED")

    @staticmethod
    def _numbers(program: Any, *names: str) -> list[int]:
        return [program.event_names.index(name) for name in names if name in program.event_names]

    def batch(self, rows: Any) -> pa.RecordBatch:
        """The columns of these rows of the log; it copies them."""
        time, thread, event, x, y, z, label, held_label = rows.T
        waited = event == WAIT_LOGGED
        number = np.where(waited, self._wait, event)
        locking = np.isin(event, self._lock_events)
        kind = np.where(waited, y >> LOCK_BITS, x & (a.LOCK_KINDS - 1))
        kind = np.where(waited | locking, kind, 0)
        offset = np.where(waited, self._offsets[kind], 0)
        lock_number = np.where(waited, y & ((1 << LOCK_BITS) - 1), y) - offset
        operating = np.isin(event, self._operations)
        actor = self._actor_of[np.where(operating, x, 0)]
        held = waited & (z > 0)
        made = {
            "time_ns": pa.array(time),
            "thread": pa.array(thread, pa.int32()),
            "thread_name": self._threads.column(thread - 1),
            "event": self._events.column(number),
            **{name: pa.array(each, mask=waited) for name, each in (("a", x), ("b", y), ("c", z))},
            "actor": self._actors.column(actor, operating & (actor >= 0)),
            "lock": self._locks.column(kind, waited | locking),
            "lock_number": pa.array(lock_number, mask=~(waited | locking)),
            "holder": pa.array(z, pa.int32(), mask=~held),
            "holder_name": self._threads.column(z - 1, held),
            "wait_ns": pa.array(time - x, mask=~waited),
            "place": self._places.column(label, label > 0),
            "holder_place": self._places.column(held_label, held_label > 0),
        }
        return pa.record_batch([made[name] for name in COLUMNS], schema=self._schema)


class Names:
    """Names by number; a name may stand for several numbers, but is in the dictionary once."""

    def __init__(self, names: list[str]) -> None:
        unique = list(dict.fromkeys(names))
        places = {name: number for number, name in enumerate(unique)}
        self._dictionary = pa.array(unique, pa.string())
        self._place = np.array([places[name] for name in names] or [0], dtype=np.int32)

    def column(self, numbers: Any, known: Any = None) -> pa.DictionaryArray:
        """The names of these numbers; null where not `known`."""
        if known is None:
            places = pa.array(self._place[numbers])
        else:
            places = pa.array(self._place[np.where(known, numbers, 0)], mask=~known)
        return pa.DictionaryArray.from_arrays(places, self._dictionary)
