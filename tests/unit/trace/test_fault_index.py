# SPDX-License-Identifier: GPL-2.0-only
"""Which page a fault was about, and what is mapped where, when only fault-around tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from faultlock.trace.address_space import PAGE, PROT_WRITE
from faultlock.trace.recording import Recording
from tests.unit.trace.trace_script import Script

BASE = 0x555500000000


def faults(recording: Recording) -> list[dict[str, Any]]:
    return recording.operations.filter(pl.col("kind") == "fault").to_dicts()


def around(script: Script, at_us: int, address: int, first: int, last: int, code: int = 4) -> None:
    """A fault that fault-around serves with the pages [first, last] of the file."""
    script.fault(at_us, address, code)
    text = f"ofs={first * PAGE}-{(last + 1) * PAGE - 1}"
    script.file(at_us + 1, "mm_filemap_map_pages", text)


def certain(script: Script, at_us: int, address: int, index: int) -> None:
    """A fault that gets to filemap_fault, which names the page."""
    script.fault(at_us, address, 4)
    script.file(at_us + 1, "mm_filemap_fault", f"ofs={index * PAGE}")


def test_the_block_is_aligned(tmp_path: Path) -> None:
    script = Script()
    around(script, 0, BASE + 5 * PAGE, 32, 47)
    assert faults(script.recording(tmp_path))[0]["index"] == 37


def test_the_program_headers_are_on_the_first_page(tmp_path: Path) -> None:
    """The mapping begins inside of the block; its range has less than 16 pages."""
    script = Script()
    around(script, 0, BASE + 14 * PAGE + 0x40, 0, 3)
    recording = script.recording(tmp_path)
    assert faults(recording)[0]["index"] == 0
    (vma,) = recording.vmas
    assert (vma.start, vma.end) == (BASE + 14 * PAGE, BASE + 18 * PAGE)


def test_a_known_page_of_the_file_tells_where_it_lies(tmp_path: Path) -> None:
    """The mapping begins two pages below: 16 pages from there, not an aligned block."""
    script = Script()
    certain(script, 0, BASE + 40 * PAGE, 32)  # the file would begin at page 8
    around(script, 10, BASE + 10 * PAGE, 0, 15)
    assert [fault["index"] for fault in faults(script.recording(tmp_path))] == [32, 2]


def test_a_wrong_guess_is_moved_by_a_certain_page(tmp_path: Path) -> None:
    script = Script()
    around(script, 0, BASE + 14 * PAGE + 0x123, 0, 3)  # taken to end with the aligned block
    certain(script, 10, BASE + 15 * PAGE, 1)
    recording = script.recording(tmp_path)
    assert faults(recording)[1]["index"] == 1
    alive = [vma for vma in recording.vmas if vma.removed_ns < 0]
    assert [vma.index_of(BASE + 15 * PAGE) for vma in alive] == [1]
    assert alive[0].start <= BASE + 14 * PAGE < alive[0].end


def test_a_mapping_holds_all_that_was_mapped_around(tmp_path: Path) -> None:
    script = Script()
    around(script, 0, BASE + 3 * PAGE, 16, 31)
    (vma,) = script.recording(tmp_path).vmas
    assert (vma.start, vma.end, vma.offset) == (BASE, BASE + 16 * PAGE, 16 * PAGE)


def test_a_write_to_a_page_that_was_read_makes_the_mapping_writable(tmp_path: Path) -> None:
    script = Script()
    around(script, 0, BASE + 3 * PAGE, 16, 31)
    script.fault(10, BASE + 3 * PAGE, 7)
    (vma,) = script.recording(tmp_path).vmas
    assert vma.prot & PROT_WRITE
