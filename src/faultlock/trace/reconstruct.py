# SPDX-License-Identifier: GPL-2.0-only
"""A recording -> what every thread did: faults, calls, reads, sleeps, the time between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl

from faultlock.trace.events import EVENTS
from faultlock.trace.fault_events import FaultEvents
from faultlock.trace.process_events import ProcessEvents
from faultlock.trace.recording import OPERATION_COLUMNS, Operation, Recording
from faultlock.trace.segments import split_segments
from faultlock.trace.store import Trace
from faultlock.trace.thread_state import ThreadState
from faultlock.trace.world import World

_EVENTS_AT_A_TIME = 1 << 17


def _names_of(table: pl.DataFrame) -> pl.DataFrame:
    """Categories as text: rows become Python objects."""
    categories = [name for name, kind in table.schema.items() if kind == pl.Categorical]
    return table.with_columns(pl.col(categories).cast(pl.String)) if categories else table


def events_in_order(trace: Trace) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """(event, row) in order; a row: time_ns, cpu, tid, tgid, comm, own columns, sequence."""
    for first in range(0, trace.event_count, _EVENTS_AT_A_TIME):
        slots: list[tuple[str, tuple[Any, ...]] | None] = [None] * _EVENTS_AT_A_TIME
        for event, table in trace.tables.items():
            bounds = np.searchsorted(
                table["sequence"].to_numpy(), [first, first + _EVENTS_AT_A_TIME]
            )
            low, high = int(bounds[0]), int(bounds[1])
            part = _names_of(table.slice(low, high - low))
            for row in part.select(
                "time_ns", "cpu", "tid", "tgid", "comm", *EVENTS[event], "sequence"
            ).iter_rows():
                slots[row[-1] - first] = (event, row)
        for slot in slots:
            if slot is not None:
                yield slot


_TYPES = {"int": pl.Int64(), "str": pl.String(), "bool": pl.Boolean()}
_SCHEMA = {name: _TYPES[str(field.type)] for name, field in Operation.__dataclass_fields__.items()}
_UNSIGNED = ("address", "length", "flags", "new_address", "new_length")
_SCHEMA |= {name: pl.UInt64() for name in _UNSIGNED}

Observer = Callable[[World, ThreadState | None, str, tuple[Any, ...]], None]


def reconstruct(trace: Trace, observe: Observer | None = None) -> Recording:
    """Rebuild what every thread of a recording did.

    `observe` is called after each event with the state, the event's thread (None for
    sched_switch; its `fault` is the operation the event belongs to), its type, and its row as in
    events_in_order. Works for any recording: what it does not hold stays unknown (-1), nothing
    raises.
    """
    world = World(trace)
    processes = ProcessEvents(world)
    handlers = {**FaultEvents(world).handlers, **processes.handlers}
    for event, row in events_in_order(trace):
        world.now_ns = row[0]
        if event == "sched_switch":
            processes.switch(row)
            if observe is not None:
                observe(world, None, event, row)
            continue
        handler = handlers.get(event)
        thread = world.thread(row[2], row[3], row[4])
        thread.seen(row[0])
        if handler is not None:
            handler(thread, *row[5:-1])
        if observe is not None:
            observe(world, thread, event, row)
    for thread in list(world.threads.values()):
        world.finish_fault(thread)
    for space in world.spaces:
        space.join_segments()
    return _result(world)


def _result(world: World) -> Recording:
    recording = world.recording
    recording.event_cost_ns = world.event_cost.ns
    order = sorted(range(len(world.operations)), key=lambda i: (world.operations[i].start_ns, i))
    rows = [world.operations[i] for i in order]
    split_segments(recording.vmas, rows, world.boundaries)
    for row in rows:
        if row.open_file >= 0:
            row.open_file = world.open_files.final(row.open_file)
        if row.file < 0 and row.open_file >= 0:
            file = recording.open_files[row.open_file].file
            row.file = -1 if file is None else file
    recording.joined_open_files = world.open_files.joined()
    recording.operations = pl.DataFrame(
        {name: [getattr(row, name) for row in rows] for name in OPERATION_COLUMNS},
        schema=_SCHEMA,
    )
    return recording
