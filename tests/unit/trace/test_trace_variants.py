# SPDX-License-Identifier: GPL-2.0-only
"""The same recording printed in other ways, and recordings that lack some kinds of events."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from faultlock.errors import FaultlockError
from faultlock.trace.gaps import gaps, unknown_figures
from faultlock.trace.importer import import_text
from faultlock.trace.replay import plan_replay
from faultlock.trace.replay_plan import KINDS
from faultlock.trace.store import Trace
from tests.unit.trace.test_trace_reconstruct import cold_fault
from tests.unit.trace.trace_samples import FTRACE
from tests.unit.trace.trace_script import Script

LINE = re.compile(r"^ ?(.*)-(\d+) +(\( *[\d-]+\)) (\[\d+\]) (\S+) +(\S+): (.*)$")
NAMES = [
    "a-b-12", "x [1] y", "中文应用", "my app (2)", "foo-12 [0]", '<b>&"x"', "-dash-", "a: b: c",
    "12345", "( 41)", "sys_mmap(x)", "tab\there", "e\x1b[31mred", "ü" * 15, "x", "a ==> b",
]  # fmt: skip


def rewritten(line: Callable[..., str]) -> str:
    """FTRACE with every event line written by `line(name, tid, tgid, cpu, flags, time, event)`."""
    found = []
    for text in FTRACE.splitlines():
        match = LINE.match(text)
        found.append(line(*match.groups()) if match else text)
    return "\n".join(found) + "\n"


def no_flags(name: str, tid: str, tgid: str, cpu: str, _: str, time: str, event: str) -> str:
    return f"{name}-{tid} {tgid} {cpu} {time}: {event}"


def no_tgid(name: str, tid: str, _: str, cpu: str, flags: str, time: str, event: str) -> str:
    return f"{name:>16}-{tid:<7} {cpu} {flags} {time}: {event}"


def neither(name: str, tid: str, _: str, cpu: str, __: str, time: str, event: str) -> str:
    return f"{name:>16}-{tid:<7} {cpu} {time}: {event}"


def nanoseconds(n: str, tid: str, tgid: str, cpu: str, flags: str, time: str, event: str) -> str:
    return f"{n}-{tid} {tgid} {cpu} {flags} {time}000: {event}"


def imported(tmp_path: Path, data: str | bytes) -> Trace:
    path = tmp_path / "variant"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    result = import_text(path)
    assert result.unparseable == []
    return result.trace


def assert_same(trace: Trace, tmp_path: Path, but: tuple[str, ...] = ()) -> None:
    base = imported(tmp_path, FTRACE)
    assert trace.tables.keys() == base.tables.keys()
    for event, table in base.tables.items():
        kept = [name for name in table.columns if name not in but]
        texts = pl.col(pl.Categorical).cast(pl.String)
        assert trace.table(event).select(kept).with_columns(texts).equals(
            table.select(kept).with_columns(texts)
        ), event  # fmt: skip


@pytest.mark.parametrize("line", [no_flags, nanoseconds])
def test_columns_that_may_be_missing(tmp_path: Path, line: Callable[..., str]) -> None:
    assert_same(imported(tmp_path, rewritten(line)), tmp_path)


@pytest.mark.parametrize("line", [no_tgid, neither])
def test_without_processes(tmp_path: Path, line: Callable[..., str]) -> None:
    assert_same(imported(tmp_path, rewritten(line)), tmp_path, but=("tgid",))


@pytest.mark.parametrize("name", NAMES)
def test_names_of_threads(tmp_path: Path, name: str) -> None:
    text = FTRACE.replace("my-app [1] x", name[:15])
    trace = imported(tmp_path, text)
    assert_same(trace, tmp_path, but=("comm",))
    assert trace.table("page_fault_user")["comm"].cast(pl.String).to_list() == [name[:15].strip()]
    for line in (no_flags, no_tgid, neither):
        bare = re.sub(r"\( +40\) ", "", text) if line is not no_flags else text
        assert_same(imported(tmp_path, bare), tmp_path, but=("comm", "tgid"))


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("pack", [gzip.compress, zstd, lambda data: data.replace(b"\n", b"\r\n")])
def test_packed_and_with_other_line_ends(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    assert_same(imported(tmp_path, pack(FTRACE.encode())), tmp_path)


def test_cpus_one_after_the_other(tmp_path: Path) -> None:
    lines = FTRACE.splitlines()
    moved = [line for line in lines if "[000]" in line] + [x for x in lines if "[000]" not in x]
    assert_same(imported(tmp_path, "\n".join(moved) + "\n"), tmp_path)


def test_a_clock_without_seconds_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "counter"
    path.write_text(re.sub(r" (\d+)\.(\d+): ", r" \1\2: ", FTRACE))
    with pytest.raises(FaultlockError, match="echo mono > trace_clock"):
        import_text(path)


def script(without: tuple[str, ...] = ()) -> Script:
    made = Script()
    made.call(0, "sys_mmap(addr: 0, len: 0x20000, prot: 1, flags: 2, fd: 3, off: 0)", 5, 0x700000)
    cold_fault(made, 100, 0x705123)
    made.fault(1500, 0x900000, 0x6)
    made.lines = [line for line in made.lines if not any(word in line for word in without)]
    return made


@pytest.mark.parametrize(
    ("without", "said", "unknown"),
    [
        ((), None, set()),
        (("sched_switch",), "no sched_switch", {"blocked_s"}),
        (("add_to_page",), "what was read", {"major_faults", "pages_read", "blocked_s"}),
        (("page_cache_ra",), "longest read", set()),
        (("sys_mmap",), "mappings are guessed", set()),
    ],
)
def test_missing_events_are_named(
    tmp_path: Path, without: tuple[str, ...], said: str | None, unknown: set[str]
) -> None:
    trace = script(without).trace(tmp_path)
    assert [said in gap for gap in gaps(trace) if said] == ([True] if said else [])
    assert unknown_figures(trace) == unknown
    plan = plan_replay(trace, "script")
    assert plan.gaps == gaps(trace)
    assert plan.readahead_pages == 32


def test_without_switches_threads_sleep_between_their_events(tmp_path: Path) -> None:
    operations = plan_replay(script(("sched_switch",)).trace(tmp_path), "script").operations
    assert int(operations["compute_ns"].sum()) == 0
    slept_us = int(operations["sleep_us"][operations["kind"] == KINDS["sleep"]].sum())
    assert 900 <= slept_us <= 1000  # besides the fault itself


def test_without_faults_there_is_nothing_to_replay(tmp_path: Path) -> None:
    trace = script(("page_fault",)).trace(tmp_path)
    with pytest.raises(FaultlockError, match="nothing to replay"):
        plan_replay(trace, "script")


def test_the_number_of_cpus_is_at_least_what_events_name(tmp_path: Path) -> None:
    made = script()
    made.lines[-1] = made.lines[-1].replace("[000]", "[003]")
    assert plan_replay(made.trace(tmp_path), "script").cpus == 4


def test_populated_pages_are_touched_where_they_are_mapped(tmp_path: Path) -> None:
    """Faults without a trap: MAP_POPULATE, mlock."""
    made = script()
    made.event(2000, "sys_madvise(start: 0x700000, len_in: 0x20000, behavior: 16)")
    made.file(2001, "mm_filemap_fault", f"ofs={7 * 4096}")
    made.file(2002, "mm_filemap_fault", f"ofs={9 * 4096}")
    plan = plan_replay(made.trace(tmp_path), "script")
    operations = plan.operations
    kernel = operations["address"][operations["kind"] == KINDS["kernel_fault"]].tolist()
    user = operations["address"][operations["kind"] == KINDS["fault"]].tolist()
    assert [page - user[0] for page in kernel] == [2, 4]
    assert plan.recorded["filemap_faults"] == 3


def test_map_populate_tells_its_file_before_mmap_returns(tmp_path: Path) -> None:
    made = Script()
    made.event(0, "sys_mmap(addr: 0, len: 0x20000, prot: 1, flags: 0x8001, fd: 3, off: 0x4000)")
    for number, page in enumerate((4, 9)):
        made.file(2 + 2 * number, "mm_filemap_fault", f"ofs={page * 4096}")
    made.event(20, "sys_mmap -> 0x700000")
    made.call(30, "sys_mmap(addr: 0, len: 0x9000, prot: 1, flags: 1, fd: 4, off: 0)", 31, 0x800000)
    made.event(40, "mm_filemap_fault: dev=254:0 ino=ee ofs=8192")  # mlock
    made.fault(50, 0x900000, 0x6)
    made.switch(60, 41, "S", 0)
    plan = plan_replay(made.trace(tmp_path), "script")
    assert plan.open_files[:2] == [0, 1]
    operations = plan.operations
    calls = operations["address"][operations["kind"] == KINDS["mmap"]].tolist()
    touched = operations["address"][operations["kind"] == KINDS["kernel_fault"]].tolist()
    assert [touched[0] - calls[0], touched[1] - calls[0]] == [0, 5]
    assert touched[2] - calls[1] == 2


def test_trace_cmd_names_the_buffer_when_there_are_several(tmp_path: Path) -> None:
    def line(name: str, tid: str, _: str, cpu: str, flags: str, time: str, event: str) -> str:
        return f"my-buffer:  {name:>16}-{tid} {cpu} {time}: {event}"

    path = tmp_path / "trace-cmd.txt"
    path.write_text(rewritten(line))
    imported = import_text(path, "6.18")
    plain = tmp_path / "plain.txt"
    plain.write_text(FTRACE)
    assert imported.trace.event_count == import_text(plain, "6.18").trace.event_count
    assert imported.trace.header.source == "trace-cmd"
