# SPDX-License-Identifier: GPL-2.0-only
"""Which operations come after which of other threads, against a page-by-page account."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from faultlock.trace.address_space import PAGE
from faultlock.trace.dependencies import dependencies

PAGES = 12


def page_by_page(rows: list[dict[str, Any]]) -> dict[int, int]:
    """The same answer, with a dictionary of pages instead of ranges."""
    made: dict[int, int] = {}
    touched: dict[tuple[int, int], int] = {}
    needs = {}
    for position, row in enumerate(rows):
        first = row["address"] // PAGE
        if row["kind"] == "fault":
            candidates: set[int] = {made.get(first, -1)}
            if first in made:
                touched[made[first], first] = position
        else:
            pages = range(first, first + row["length"] // PAGE)
            candidates = {made.get(page, -1) for page in pages}
            known = [page for page in pages if page in made]
            candidates |= {touched.get((made[page], page), -1) for page in known}
            made.update(dict.fromkeys(pages, position))
        others = [n for n in candidates if n >= 0 and rows[n]["thread"] != row["thread"]]
        if others:
            needs[position] = max(others)
    return needs


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["fault", "mmap", "munmap", "mprotect"]),
        st.integers(0, 2),
        st.integers(0, PAGES - 1),
        st.integers(1, PAGES),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=200)
@given(ROWS)
def test_ranges_give_what_pages_give(found: list[tuple[str, int, int, int]]) -> None:
    rows = [
        {
            "kind": kind,
            "thread": thread,
            "mm": 0,
            "address": page * PAGE,
            "length": 0 if kind == "fault" else length * PAGE,
            "result": 0,
            "start_ns": 10 * number,
            "end_ns": 10 * number + 1,
        }
        for number, (kind, thread, page, length) in enumerate(found)
    ]
    got, wanted = dependencies(rows), page_by_page(rows)
    # A range remembers its last touch as a whole: at least as late as that of its pages.
    assert {n for n in wanted} <= {n for n in got}
    for position, needed in got.items():
        if rows[position]["kind"] == "fault":
            assert needed == wanted[position]
        else:
            assert needed >= wanted.get(position, 0)
            assert rows[needed]["thread"] != rows[position]["thread"]


def test_failed_calls_and_operations_that_overlap_in_time_are_no_cause() -> None:
    base = {"mm": 0, "address": 0x1000, "length": 0x1000, "result": 0}
    late = {**base, "kind": "mmap", "thread": 0, "start_ns": 0, "end_ns": 50}
    failed = {**base, "kind": "munmap", "thread": 1, "start_ns": 60, "end_ns": 61, "result": -12}
    touch = {**base, "kind": "fault", "thread": 2, "start_ns": 50, "end_ns": 51}
    assert dependencies([late, failed, touch]) == {}
    assert dependencies([late, failed, {**touch, "start_ns": 70, "end_ns": 70}]) == {2: 0}
