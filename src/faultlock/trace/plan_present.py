# SPDX-License-Identifier: GPL-2.0-only
"""Which pages a process had mapped before the recording began, as far as it matters.

The processor says with a fault whether the page was mapped (error code, bit 0): a write to a page
that fork shares, or that was only read so far. If nothing recorded had touched the page before,
it was mapped when the recording began. Pages that nobody faults on need not be known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from faultlock.trace.address_space import PAGE
from faultlock.trace.recording import FAULT, Recording

_AROUND = 16


def mapped_before(
    recording: Recording, rows: Sequence[dict[str, Any]], family: Sequence[int]
) -> dict[int, set[int]]:
    """mm that existed when the recording began -> addresses of pages that it had of its own.

    family: mm -> the mm that it was forked from in the end.
    """
    touched: dict[int, set[int]] = {}
    found: dict[int, set[int]] = {}
    for row in sorted(rows, key=lambda row: row["start_ns"]):
        if row["kind"] != FAULT or row["vma"] < 0:
            continue
        root, page = family[row["mm"]], row["address"] // PAGE
        known = touched.setdefault(root, set())
        begun = recording.mms[root].origin == "start"
        if row["present"] and page not in known and begun and not recording.vmas[row["vma"]].shared:
            found.setdefault(root, set()).add(page * PAGE)
        known.add(page)
        if row["map_pages"]:
            known.update(range(page - _AROUND, page + _AROUND))
    return found
