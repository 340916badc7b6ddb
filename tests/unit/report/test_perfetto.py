# SPDX-License-Identifier: GPL-2.0-only
"""The Perfetto trace, parsed back with the published protobufs."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

from faultlock.errors import FaultlockError
from faultlock.report.perfetto import Request, Slice, write_perfetto

THREADS = {1: "T1 fault", 2: "T2 fork"}
SLICES = [
    Slice(1, 0, 10_000, "fault", "operation", arguments={"address": 7, "policy": "hold"}),
    Slice(1, 100, 9_900, "I/O", "wait"),
    Slice(2, 500, 10_500, "fork", "operation"),
    Slice(2, 600, 10_000, "VMA 3", "wait", holder=1),
]
REQUESTS = [Request(100, 5_000, "read 0+4"), Request(200, 9_900, "read 9+1"),
            Request(5_000, 6_000, "read 4+4")]


def parsed(path: Path) -> Any:
    trace = Trace()
    trace.ParseFromString(path.read_bytes())
    return trace


@pytest.fixture
def trace(tmp_path: Path) -> Any:
    path = tmp_path / "run.perfetto"
    write_perfetto(path, "hold, fork-storm", THREADS, SLICES, REQUESTS)
    return parsed(path)


def slices_of(trace: Any) -> dict[int, list[tuple[int, int, str]]]:
    """Track -> (start, end, name), found by matching begins and ends as a reader does."""
    stacks: dict[int, list[tuple[int, str]]] = defaultdict(list)
    found: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for packet in trace.packet:
        if not packet.HasField("track_event"):
            continue
        event = packet.track_event
        if event.type == TrackEvent.TYPE_SLICE_BEGIN:
            stacks[event.track_uuid].append((packet.timestamp, event.name))
        elif event.type == TrackEvent.TYPE_SLICE_END:
            start, name = stacks[event.track_uuid].pop()
            found[event.track_uuid].append((start, packet.timestamp, name))
    assert not any(stacks.values())
    return found


def test_threads_are_tracks_with_names(trace: Any) -> None:
    names = {
        packet.track_descriptor.uuid: packet.track_descriptor.thread.thread_name
        for packet in trace.packet
        if packet.track_descriptor.HasField("thread")
    }
    assert names == {1001: "T1 fault", 1002: "T2 fork"}
    process = next(p for p in trace.packet if p.track_descriptor.HasField("process"))
    assert process.track_descriptor.process.process_name == "hold, fork-storm"


def test_slices_come_back_as_they_went_in(trace: Any) -> None:
    found = slices_of(trace)
    assert sorted(found[1001]) == [(0, 10_000, "fault"), (100, 9_900, "I/O")]
    assert sorted(found[1002]) == [(500, 10_500, "fork"), (600, 10_000, "VMA 3")]


def test_a_wait_has_an_arrow_from_its_holder(trace: Any) -> None:
    events = [p.track_event for p in trace.packet if p.HasField("track_event")]
    source = next(event for event in events if event.flow_ids)
    target = next(event for event in events if event.terminating_flow_ids)
    assert list(source.flow_ids) == list(target.terminating_flow_ids)
    assert (source.track_uuid, target.track_uuid, target.name) == (1001, 1002, "VMA 3")


def test_requests_that_overlap_have_tracks_of_their_own(trace: Any) -> None:
    found = slices_of(trace)
    assert found[1_000_000] == [(100, 5_000, "read 0+4"), (5_000, 6_000, "read 4+4")]
    assert found[1_000_001] == [(200, 9_900, "read 9+1")]


def test_arguments_are_kept(trace: Any) -> None:
    event = next(p.track_event for p in trace.packet if p.track_event.name == "fault")
    notes = {n.name: n.string_value or n.int_value for n in event.debug_annotations}
    assert notes == {"address": 7, "policy": "hold"}


def test_an_unknown_thread_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "run.perfetto"
    with pytest.raises(FaultlockError, match="names a thread that has no track"):
        write_perfetto(path, "x", THREADS, [Slice(9, 0, 1, "fault", "operation")])
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=12))
def test_any_requests_are_matched(spans: list[tuple[int, int]]) -> None:
    import tempfile

    requests = [Request(start, start + length + 1, "read") for start, length in spans]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.perfetto"
        write_perfetto(path, "x", THREADS, [], requests)
        found = [item for items in slices_of(parsed(path)).values() for item in items]
    assert sorted(found) == sorted((r.start_ns, r.end_ns, "read") for r in requests)


@given(st.recursive(st.just([]), lambda inner: st.lists(inner, max_size=3), max_leaves=8))
def test_nested_slices_are_matched(tree: list[Any]) -> None:
    import tempfile

    slices: list[Slice] = []

    def lay(node: list[Any], start: int) -> int:
        end = start
        for child in node:
            end = lay(child, end)
        end += 1 if not node else 0
        slices.append(Slice(1, start, end, f"{start}-{end}", "operation"))
        return end

    lay(tree, 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.perfetto"
        write_perfetto(path, "x", THREADS, sorted(slices, key=lambda s: s.start_ns - s.end_ns))
        found = slices_of(parsed(path))[1001]
    assert sorted(found) == sorted((s.start_ns, s.end_ns, s.name) for s in slices)
