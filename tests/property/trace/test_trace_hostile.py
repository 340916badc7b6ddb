# SPDX-License-Identifier: GPL-2.0-only
"""Whatever a trace file holds: a recording, or one clear error. Never a traceback, never a hang."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultlock.errors import FaultlockError
from faultlock.trace.describe import describe
from faultlock.trace.importer import import_text
from faultlock.trace.printable import printable
from faultlock.trace.store import read_trace, write_trace
from tests.unit.trace.trace_samples import FTRACE, PERF, TRACE_CMD

FEW = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

_NUMBER = st.one_of(
    st.integers(0, 20), st.sampled_from([(1 << 64) - 1, 1 << 63, (1 << 31) - 1, 10**19, 10**25])
)
_EVENTS = (
    "page_fault_user: address={h} ip={h} error_code={h}",
    "page_fault_kernel: address={h} ip=copy_from_user error_code={h}",
    "mm_filemap_fault: dev={d}:{d} ino={x} ofs={d}",
    "mm_filemap_map_pages: dev={d}:{d} ino={x} ofs={d}-{d}",
    "mm_filemap_get_pages: dev={d}:{d} ino={x} ofs={d}-{d}",
    "mm_filemap_add_to_page_cache: dev {d}:{d} ino {x} pfn={h} ofs={d} order={s}",
    "page_cache_ra_order: dev={d}:{d} ino={x} index={d} order={d} size={d} async_size={d} "
    "ra_pages={d}",
    "page_cache_ra_unbounded: dev={d}:{d} ino={x} index={d} nr_to_read={d} lookahead_size={d}",
    "mmap_lock_start_locking: mm={x} memcg_id=1 write=true",
    "mmap_lock_acquire_returned: mm={x} memcg_id=1 write=true success=true",
    "mmap_lock_released: mm={x} memcg_id=1 write=true",
    "sched_switch: prev_comm=a prev_pid={s} prev_prio=1 prev_state=D ==> next_comm=b next_pid={s} "
    "next_prio=1",
    "task_newtask: pid={s} comm=x clone_flags={x} oom_score_adj=0",
    "sched_process_exec: filename=\x1b[31m<b> pid=1 old_pid=1",
    "sched_process_exit: comm=x pid=1 prio=120 group_dead=true",
    "sys_mmap(addr: {h}, len: {h}, prot: {h}, flags: {h}, fd: {h}, off: {h})",
    "sys_mmap -> {h}",
    "sys_munmap(addr: {h}, len: {h})",
    "sys_munmap -> 0x0",
    "sys_mprotect(start: {h}, len: {h}, prot: {h})",
    "sys_mprotect -> 0x0",
    "sys_mremap(addr: {h}, old_len: {h}, new_len: {h}, flags: {h}, new_addr: {h})",
    "sys_mremap -> {h}",
    "sys_brk(brk: {h})",
    "sys_brk -> {h}",
    "sys_execve(filename: 0x1, argv: 0x1, envp: 0x1)",
    "sys_clone(clone_flags: {h}, newsp: 0)",
    "sys_clone -> {h}",
)


@st.composite
def line(draw: st.DrawFn) -> str:
    """A line of ftrace text with numbers from small to absurd."""
    text = draw(st.sampled_from(_EVENTS))
    for form, make in (("{h}", hex), ("{d}", str), ("{x}", lambda n: f"{n:x}")):
        while form in text:
            text = text.replace(form, make(draw(_NUMBER)), 1)
    while "{s}" in text:
        text = text.replace("{s}", str(draw(st.integers(0, 12))), 1)
    tid, at_us = draw(st.integers(0, 5)), draw(st.integers(0, 3000))
    return f" x-{tid} ( {tid // 2}) [00{tid % 2}] ..... 1.{at_us:06d}: {text}"


def outcome(path: Path, tmp_path: Path) -> str:
    """Import, write, read, describe; the message if it is refused."""
    try:
        trace = import_text(path).trace
        target = tmp_path / "out.flt"
        write_trace(trace, target)
        again = read_trace(target)
        assert again.event_count == trace.event_count
        description = describe(again)
        assert description["recording"]["events"] == trace.event_count
    except FaultlockError as error:
        assert "\n" not in str(error)
        return str(error)
    return ""


@FEW
@given(lines=st.lists(line(), min_size=1, max_size=60))
def test_any_order_of_any_events(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    path.write_text("\n".join(lines))
    outcome(path, tmp_path)


@FEW
@given(
    text=st.sampled_from([FTRACE, PERF, TRACE_CMD]),
    cuts=st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=8)), max_size=5),
)
def test_damaged_text(text: str, cuts: list[tuple[int, bytes]], tmp_path: Path) -> None:
    data = text.encode()
    for position, replacement in cuts:
        data = data[:position] + replacement + data[position + len(replacement) :]
    path = tmp_path / "trace.txt"
    path.write_bytes(data)
    outcome(path, tmp_path)


@FEW
@given(data=st.binary(max_size=2000), kind=st.sampled_from(["plain", "gzip", "zstd"]))
def test_any_bytes(data: bytes, kind: str, tmp_path: Path) -> None:
    heads = {"plain": b"", "gzip": gzip.compress(data)[:20], "zstd": zstandard.compress(data)[:12]}
    path = tmp_path / "trace.bin"
    path.write_bytes(heads[kind] + data)
    assert outcome(path, tmp_path) != "" or kind == "plain"


@FEW
@given(position=st.floats(0, 1), replacement=st.binary(min_size=1, max_size=16), cut=st.booleans())
def test_damaged_recordings(position: float, replacement: bytes, cut: bool, tmp_path: Path) -> None:
    source = tmp_path / "trace.txt"
    source.write_text(FTRACE)
    target = tmp_path / "app.flt"
    write_trace(import_text(source).trace, target)
    data = target.read_bytes()
    place = int(position * (len(data) - 1))
    rest = b"" if cut else data[place + len(replacement) :]
    target.write_bytes(data[:place] + replacement + rest)
    try:
        describe(read_trace(target))
    except FaultlockError as error:
        assert "\n" not in str(error)


def test_a_gzip_bomb_ends_in_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 MB of zeros in 300 kB: one line without an end, memory stays small."""
    path = tmp_path / "bomb.gz"
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=6) as bomb:
        for _ in range(300):
            bomb.write(b"\0" * 1_000_000)
    path.write_bytes(stream.getvalue())
    assert "no event" in outcome(path, tmp_path)
    monkeypatch.setattr("faultlock.trace.source.MAX_TEXT_BYTES", 100_000_000)
    assert "GiB of text" in outcome(path, tmp_path)


@given(text=st.text(max_size=300))
def test_names_are_printed_without_control_characters(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    if text.isprintable() and len(text) <= 200 and "\u202a" not in text:
        assert shown == text or any("\u202a" <= c <= "\u202e" for c in text)
