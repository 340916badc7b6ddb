# SPDX-License-Identifier: GPL-2.0-only
"""simulate --perfetto: the trace of a real run, parsed back."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.test_sweep import WORKLOAD
from tests.tools import faultlock
from tests.unit.report.test_perfetto import parsed, slices_of


def test_a_run_has_threads_operations_waits_holders_and_reads(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(WORKLOAD.format(duration="100ms"))
    done = faultlock("simulate", "hold", "-w", "small.toml", "--perfetto", "run.perfetto",
                     cwd=tmp_path, timeout_s=250)
    assert done.returncode == 0, done.stderr
    trace = parsed(tmp_path / "run.perfetto")
    names = {name for items in slices_of(trace).values() for _, _, name in items}
    assert {"fork", "fault", "page fault"} <= names
    assert any(name.startswith("vma_lock ") for name in names)
    assert any(name.startswith("read ") for name in names)
    notes = {
        (note.name, note.string_value)
        for packet in trace.packet
        for note in packet.track_event.debug_annotations
    }
    assert any(name == "at" and value.endswith(" filemap_read_folio") for name, value in notes)
    assert any(name == "taken at" and value.endswith(" dup_mmap") for name, value in notes)
    flows = [p.track_event for p in trace.packet if p.track_event.flow_ids]
    assert flows
    ended = {n for p in trace.packet for n in p.track_event.terminating_flow_ids}
    assert {n for event in flows for n in event.flow_ids} == ended
