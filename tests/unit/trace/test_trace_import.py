# SPDX-License-Identifier: GPL-2.0-only
"""Text of three tracers, compressed and damaged, becomes one and the same recording."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
import zstandard

from faultlock.errors import FaultlockError, LimitReached
from faultlock.trace import importer, source
from faultlock.trace.importer import import_text
from faultlock.trace.store import Trace
from tests.paths import shared
from tests.unit.trace.trace_samples import FTRACE, PERF, TRACE_CMD


def imported(tmp_path: Path, text: str | bytes) -> importer.Imported:
    path = tmp_path / "trace.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return import_text(path)


def rows(trace: Trace, event: str) -> list[dict[str, object]]:
    return trace.table(event).to_dicts()


@pytest.mark.parametrize("text", [FTRACE, PERF, TRACE_CMD], ids=["ftrace", "perf", "trace-cmd"])
def test_the_three_tracers_print_the_same_recording(tmp_path: Path, text: str) -> None:
    trace = imported(tmp_path, text).trace
    fault = rows(trace, "page_fault_user")[0]
    assert (fault["time_ns"], fault["tid"], fault["comm"]) == (10_000_001_000, 41, "my-app [1] x")
    assert (fault["address"], fault["ip"], fault["error_code"]) == (
        0x7F00DEAD1000,
        0x7F00BEEF0000,
        6,
    )
    file_fault = rows(trace, "mm_filemap_fault")[0]
    assert (file_fault["dev"], file_fault["ino"], file_fault["index"]) == (254 << 20, 0xFF, 2)
    away, back = rows(trace, "sched_switch")
    assert (away["prev_tid"], away["prev_state"], away["next_tid"]) == (41, "D", 0)
    assert (back["prev_tid"], back["prev_state"], back["next_tid"]) == (0, "R", 41)
    mmap = rows(trace, "sys_enter_mmap")[0]
    assert (mmap["length"], mmap["prot"], mmap["flags"], mmap["fd"]) == (0x2000, 3, 0x22, -1)
    assert rows(trace, "sys_exit_mmap")[0]["result"] == 0x7FEB66DE1000
    assert rows(trace, "sys_exit_munmap")[0]["result"] == -12
    assert trace.event_count == 8
    assert trace.header.cpu_count == 2
    assert trace.header.unparseable_lines == 0


def test_facts_lost_and_unknown_events_are_counted(tmp_path: Path) -> None:
    ftrace = imported(tmp_path, FTRACE).trace.header
    assert ftrace.lost_events == 3 + 5
    assert ftrace.unknown_events == {"my_own_event": 1}
    perf = imported(tmp_path, PERF).trace.header
    assert (perf.kernel_version, perf.lost_events) == ("6.18.44", 5)


def test_the_process_of_a_thread_is_unknown_when_the_text_does_not_say(tmp_path: Path) -> None:
    assert rows(imported(tmp_path, FTRACE).trace, "sched_switch")[1]["tgid"] is None
    assert rows(imported(tmp_path, FTRACE).trace, "sched_switch")[0]["tgid"] == 40
    assert rows(imported(tmp_path, PERF).trace, "sched_switch")[0]["tgid"] is None


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_compressed_text(tmp_path: Path, compress: object) -> None:
    assert callable(compress)
    assert imported(tmp_path, compress(FTRACE.encode())).trace.event_count == 8


def test_the_first_ten_unparseable_lines_are_kept(tmp_path: Path) -> None:
    garbage = "".join(f"garbage {number}\n" for number in range(25))
    result = imported(tmp_path, FTRACE + garbage)
    assert result.trace.header.unparseable_lines == 25
    first_garbage = FTRACE.count("\n") + 1
    assert result.unparseable == [(first_garbage + n, f"garbage {n}") for n in range(10)]


def test_a_known_event_with_other_arguments_is_unparseable(tmp_path: Path) -> None:
    line = " app-41 (  40) [001] ..... 10.000003: mm_filemap_fault: dev=254 ofs=banana\n"
    result = imported(tmp_path, FTRACE + line)
    assert result.trace.header.unparseable_lines == 1
    assert len(result.trace.table("mm_filemap_fault")) == 1


def test_lines_out_of_order_are_sorted_by_time(tmp_path: Path) -> None:
    late, early = (
        f" a-1 (  1) [000] ..... {seconds}.5: mm_filemap_fault: dev=1:2 ino=3 ofs=0\n"
        for seconds in (20, 9)
    )
    trace = imported(tmp_path, late + FTRACE + early).trace
    assert trace.span_ns == (9_500_000_000, 20_500_000_000)
    merged = pl.concat(
        [trace.table(name).select("time_ns", "sequence") for name in trace.tables]
    ).sort("sequence")
    assert merged["time_ns"].is_sorted()
    assert merged["sequence"].to_list() == list(range(trace.event_count))


def test_blocks_are_cut_at_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trace.txt"
    path.write_text(FTRACE)
    for size in (1, 7, 100, 1000):
        lines = [
            line for block in source.text_blocks(path, size) for line in block.lines if line != ""
        ]
        assert lines == FTRACE.splitlines()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "no event that is used"),
        (b"hello\nworld\n", "no event that is used"),
        (b"\0" * 10_000, "no event that is used"),
        (b"PAR1....", "is a recording already"),
        (b"PERFILE2", "perf script"),
        (b"\x17\x08\x44tracing6", "trace-cmd report"),
        (gzip.compress(FTRACE.encode() * 50)[:200], "damaged or cut off"),
        (zstandard.compress(FTRACE.encode() * 50)[:200] + b"xxxx", "damaged or cut off"),
        (b"\x1f\x8bnot gzip", "damaged or cut off"),
    ],
)
def test_what_is_no_trace_is_refused_in_one_line(tmp_path: Path, text: bytes, message: str) -> None:
    with pytest.raises(FaultlockError, match=message) as caught:
        imported(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_absurd_times_are_refused(tmp_path: Path) -> None:
    line = " a-1 (  1) [000] ..... {}.5: mm_filemap_fault: dev=1:2 ino=3 ofs=0\n"
    with pytest.raises(FaultlockError, match="span 10"):
        imported(tmp_path, FTRACE + line.format(86_400 * 10))
    overflowing = imported(tmp_path, FTRACE + line.format(9_999_999_999))
    assert overflowing.trace.header.unparseable_lines == 1


def test_a_line_longer_than_the_limit_is_counted_not_kept(tmp_path: Path) -> None:
    head, tail = FTRACE[: FTRACE.index(" my-app")], FTRACE[FTRACE.index(" my-app") :]
    result = imported(tmp_path, head + "x" * 20_000_000 + "\n" + tail)
    assert result.trace.event_count == 8
    assert result.trace.header.unparseable_lines == 1
    number, text = result.unparseable[0]
    assert number == head.count("\n") + 1
    assert len(text) <= 200


def test_too_many_events_or_too_much_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "MAX_EVENTS", 7)
    with pytest.raises(LimitReached, match="more than 7 events"):
        imported(tmp_path, FTRACE)
    monkeypatch.setattr(source, "MAX_TEXT_BYTES", 1000)
    with pytest.raises(LimitReached, match="GiB of text"):
        imported(tmp_path, FTRACE * 10)


@pytest.mark.parametrize("before", ["", FTRACE])
def test_text_without_events_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    monkeypatch.setattr(importer, "_MAX_LINES_WITHOUT", 1000)
    monkeypatch.setattr(source, "MAX_BLOCK_LINES", 500)
    path = tmp_path / "trace.txt"
    path.write_text(before + "x\n" * 2_000_000)
    first = 501 if before else 1
    with pytest.raises(FaultlockError, match=f":{first}: no event in the next 1,[0-9]+ lines"):
        import_text(path)


def test_blocks_have_a_bounded_number_of_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_BLOCK_LINES", 4)
    path = tmp_path / "trace.txt"
    path.write_text("".join(f"{number}\n" for number in range(10)))
    blocks = list(source.text_blocks(path))
    assert [block.first_line for block in blocks] == [1, 5, 9]
    assert [line for block in blocks for line in block.lines] == [str(n) for n in range(10)]


def test_names_and_files_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FaultlockError, match="cannot be read: No such file"):
        import_text(tmp_path / "absent")
    with pytest.raises(FaultlockError, match="cannot be read: Is a directory"):
        import_text(tmp_path)


@pytest.mark.parametrize(
    ("name", "events", "counts"),
    [
        ("chromium", 230_982, {"page_fault_user": 58_293, "mm_filemap_fault": 13_707}),
        ("java", 41_238, {"page_fault_user": 22_165, "mm_filemap_fault": 2_744}),
    ],
)
def test_the_recorded_applications_are_read_whole(
    name: str, events: int, counts: dict[str, int]
) -> None:
    result = import_text(shared(f"traces/{name}-cold-start.ftrace.txt.gz"))
    assert result.trace.event_count == events
    assert result.trace.header.unparseable_lines == 0
    assert result.trace.header.lost_events == 0
    assert {event: len(result.trace.table(event)) for event in counts} == counts
