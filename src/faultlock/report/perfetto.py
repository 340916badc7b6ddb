# SPDX-License-Identifier: GPL-2.0-only
"""A Perfetto trace: threads as tracks, operations and waits as slices, holders as flow arrows.

ui.perfetto.dev and trace_processor open it.  The format is Perfetto's own protobuf, written
with the classes that the `perfetto` package publishes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from faultlock.errors import FaultlockError, atomic_write

SEQUENCE_ID = 1
PROCESS_TRACK = 1
FIRST_THREAD_TRACK = 1000
FIRST_REQUEST_TRACK = 1_000_000
PROCESS_ID = 1


@dataclass(frozen=True)
class Slice:
    """Something that a thread did, or a wait, in nanoseconds of virtual time.

    `holder`: the thread that held what this one waited for (0: not known, or no wait).
    Slices of one thread may nest but not overlap.
    """

    thread: int
    start_ns: int
    end_ns: int
    name: str
    category: str  # operation, wait, cpu
    holder: int = 0
    arguments: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One I/O request; requests may overlap, each gets the lowest free track."""

    start_ns: int
    end_ns: int
    name: str
    arguments: Mapping[str, int | str] = field(default_factory=dict)


def write_perfetto(
    path: Path | str,
    title: str,
    threads: Mapping[int, str],
    slices: Sequence[Slice],
    requests: Sequence[Request] = (),
) -> None:
    """Write the trace, whole or not at all.

    Raises FaultlockError when the file cannot be written or a slice names no known thread.
    """
    for piece in slices:
        if piece.thread not in threads or (piece.holder and piece.holder not in threads):
            raise FaultlockError(f"{path}: slice {piece.name!r} names a thread that has no track")
    lanes = _lanes(requests)
    with atomic_write(path, "wb") as stream:
        writer = _Writer(stream)
        writer.tracks(title, threads, 1 + max(lanes, default=-1))
        for _, _, event in sorted(_events(slices, requests, lanes), key=lambda item: item[:2]):
            writer.event(*event)


def _lanes(requests: Sequence[Request]) -> list[int]:
    """For each request the lowest lane that is free when it starts."""
    lanes = [0] * len(requests)
    busy: list[tuple[int, int]] = []
    free: list[int] = []
    used = 0
    for number in sorted(range(len(requests)), key=lambda index: requests[index].start_ns):
        while busy and busy[0][0] <= requests[number].start_ns:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lanes[number] = heapq.heappop(free)
        else:
            lanes[number], used = used, used + 1
        heapq.heappush(busy, (requests[number].end_ns, lanes[number]))
    return lanes


_END, _HOLDS, _BEGIN = 0, 1, 2
_Event = tuple[int, tuple[int, int, int], tuple[Any, ...]]


def _events(
    slices: Sequence[Slice], requests: Sequence[Request], lanes: Sequence[int]
) -> Iterable[_Event]:
    """(time, order at that time, arguments of _Writer.event): ends first, inner ends before
    outer ones, outer begins before inner ones, the holder's mark before the wait."""
    flow = 0
    for number, piece in enumerate(slices):
        track = FIRST_THREAD_TRACK + piece.thread
        length = piece.end_ns - piece.start_ns
        flows: tuple[int, ...] = ()
        if piece.holder:
            flow += 1
            flows = (flow,)
            holder = FIRST_THREAD_TRACK + piece.holder
            mark = f"holds what {piece.name} of thread {piece.thread} needs"
            yield (
                piece.start_ns, (_HOLDS, 0, number),
                (piece.start_ns, "instant", holder, mark, "holder", {}, flows, ()),
            )
        yield (
            piece.start_ns, (_BEGIN, -length, number),
            (piece.start_ns, "begin", track, piece.name, piece.category, piece.arguments, (),
             flows),
        )
        order = (_END, length, number) if length else (_BEGIN + 1, 0, number)
        yield piece.end_ns, order, (piece.end_ns, "end", track, "", "", {}, (), ())
    for number, (request, lane) in enumerate(zip(requests, lanes, strict=True)):
        track = FIRST_REQUEST_TRACK + lane
        yield (
            request.start_ns, (_BEGIN, 0, number),
            (request.start_ns, "begin", track, request.name, "io", request.arguments, (), ()),
        )
        yield request.end_ns, (_END, 0, number), (request.end_ns, "end", track, "", "", {}, (), ())


class _Writer:
    """Builds packets and writes each at once: memory does not grow with the trace."""

    def __init__(self, stream: IO[bytes]) -> None:
        from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TrackEvent
        from perfetto.trace_builder.proto_builder import StreamingTraceProtoBuilder

        self._builder = StreamingTraceProtoBuilder(stream)
        self._types = {
            "begin": TrackEvent.TYPE_SLICE_BEGIN,
            "end": TrackEvent.TYPE_SLICE_END,
            "instant": TrackEvent.TYPE_INSTANT,
        }

    def tracks(self, title: str, threads: Mapping[int, str], lanes: int) -> None:
        """Descriptors: the process, its threads, the device's requests."""
        packet = self._builder.create_packet()
        packet.trusted_packet_sequence_id = SEQUENCE_ID
        packet.sequence_flags = 1  # SEQ_INCREMENTAL_STATE_CLEARED: the sequence starts here
        packet.track_descriptor.uuid = PROCESS_TRACK
        packet.track_descriptor.process.pid = PROCESS_ID
        packet.track_descriptor.process.process_name = title
        self._builder.write_packet(packet)
        for number, name in threads.items():
            packet = self._builder.create_packet()
            packet.trusted_packet_sequence_id = SEQUENCE_ID
            packet.track_descriptor.uuid = FIRST_THREAD_TRACK + number
            packet.track_descriptor.thread.pid = PROCESS_ID
            packet.track_descriptor.thread.tid = PROCESS_ID + number
            packet.track_descriptor.thread.thread_name = name
            self._builder.write_packet(packet)
        for lane in range(lanes):
            packet = self._builder.create_packet()
            packet.trusted_packet_sequence_id = SEQUENCE_ID
            packet.track_descriptor.uuid = FIRST_REQUEST_TRACK + lane
            packet.track_descriptor.parent_uuid = PROCESS_TRACK
            packet.track_descriptor.name = f"I/O {lane + 1}"
            self._builder.write_packet(packet)

    def event(
        self,
        time_ns: int,
        kind: str,
        track: int,
        name: str,
        category: str,
        arguments: Mapping[str, int | str],
        flows: Sequence[int],
        ended_flows: Sequence[int],
    ) -> None:
        """One begin, end or instant."""
        packet = self._builder.create_packet()
        packet.trusted_packet_sequence_id = SEQUENCE_ID
        packet.timestamp = time_ns
        event = packet.track_event
        event.type = self._types[kind]
        event.track_uuid = track
        if name:
            event.name = name
        if category:
            event.categories.append(category)
        event.flow_ids.extend(flows)
        event.terminating_flow_ids.extend(ended_flows)
        for key, value in arguments.items():
            note = event.debug_annotations.add()
            note.name = key
            if isinstance(value, str):
                note.string_value = value
            else:
                note.int_value = value
        self._builder.write_packet(packet)
