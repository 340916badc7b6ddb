# SPDX-License-Identifier: GPL-2.0-only
"""The readahead code of the kernel text, called one fault or read at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from faultlock.lang.layout import Layout
from faultlock.lang.model import compile_model, load_model
from faultlock.lang.native import (
    BLOCKED,
    CPU,
    ERROR,
    FAILED,
    FINISHED,
    compile_native,
    failure_text,
)

PROBE = Path(__file__).with_name("readahead_probe.py")
FAULT_MISS, FAULT_HIT, READ_MISS, READ_HIT = range(4)
FILE, MAPPING, VMA, RESIDENT, FOLIO_AT_INDEX = 1, 1, 1, 1, 2
VM_EXEC, VM_RAND_READ, VM_SEQ_READ, VM_HUGEPAGE = 1 << 2, 1 << 6, 1 << 7, 1 << 8


@dataclass
class ReadaheadState:
    """struct file_ra_state; pages."""

    start: int = 0
    size: int = 0
    async_size: int = 0
    order: int = 0
    ra_pages: int = 0
    prev_read: int = 0  # 1 + page of prev_pos, 0: none


@dataclass
class Call:
    """One call into readahead. `cached` has one byte per page of the file."""

    kind: int
    index: int
    req_count: int
    file_pages: int
    cached: np.ndarray[Any, np.dtype[np.bool_]]
    state: ReadaheadState
    vm_flags: int = 0
    vma_first: int = 0  # file page of the mapping's first page
    vma_pages: int = 0
    folio: tuple[int, int] = (0, 0)  # first page and order of the folio that was found


@dataclass
class Answer:
    """What the code did: its trace points in order, what it inserted, the new state."""

    events: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    added: list[tuple[int, int, bool]] = field(default_factory=list)  # index, pages, marked
    state: ReadaheadState = field(default_factory=ReadaheadState)


class ReadaheadModel:
    """Compiled once for the longest file; each call runs in a fresh state."""

    def __init__(self, kernel_version: int, longest_file_pages: int, max_order: int) -> None:
        model = load_model("drop-retry", [PROBE])
        window = 1 << 14
        self._program = compile_model(model, {}, statistics=True)
        parameters = {
            "KERNEL_VERSION": kernel_version,
            "N_FILE_PAGES": longest_file_pages + window,
            "N_ADDRESS_PAGES": longest_file_pages + window,
            "N_FOLIOS": window,
            "N_REQUESTS": window,
            "MAX_REFCOUNT": 1 << 20,
            "MAX_WINDOW_PAGES": window,
            "MAX_BIO_PAGES": window,
        }
        self._layout = Layout(self._program, parameters, mode="simulate")
        self._native = compile_native(self._program, "simulate", self._layout)
        self._max_order = max_order

    def call(self, call: Call) -> Answer:
        """Run one call to its end."""
        layout = self._layout
        state = layout.new_state()

        def put(struct: str, instance: int, **values: int) -> None:
            for name, value in values.items():
                layout.set(state, struct, instance, name, value)

        put("page_cache", 1, resident=RESIDENT)
        layout.set_allocated(state, "Folio", RESIDENT, True)
        put("Mapping", MAPPING, i_size=call.file_pages, max_order=self._max_order)
        put("Mapping", MAPPING, uses_invalidate_lock=1)
        before = call.state
        put("File", FILE, f_count=1, f_mapping=MAPPING, ra_start=before.start, ra_size=before.size)
        put("File", FILE, ra_async_size=before.async_size, ra_order=before.order)
        put("File", FILE, ra_pages=before.ra_pages, prev_read=before.prev_read)
        put("VMA", VMA, vm_file=FILE, vm_pgoff=call.vma_first, vm_end=call.vma_pages)
        put("VMA", VMA, vm_flags=call.vm_flags)
        put("Thread", 1, vmf_vma=VMA, vmf_pgoff=call.index, pinned_file=FILE)
        put("Probe", 1, kind=call.kind, req_count=call.req_count)
        self._put_pages(state, call, put)
        return self._run(state)

    def _put_pages(self, state: Any, call: Call, put: Callable[..., None]) -> None:
        place = self._layout.place("Mapping", "pages", MAPPING, 0)
        pages = state[place.offset : place.offset + 4 * len(call.cached)].view(np.int32)
        pages[:] = np.where(call.cached, RESIDENT, 0)
        if call.kind in (FAULT_HIT, READ_HIT):
            first, order = call.folio
            put("Folio", FOLIO_AT_INDEX, mapping=MAPPING, index=first, order=order)
            put("Folio", FOLIO_AT_INDEX, refcount=2, uptodate=1, readahead=1)
            self._layout.set_allocated(state, "Folio", FOLIO_AT_INDEX, True)
            pages[first : first + (1 << order)] = FOLIO_AT_INDEX
            put("Thread", 1, holds_folio=FOLIO_AT_INDEX)

    def _run(self, state: Any) -> Answer:
        answer, out = Answer(), self._native.new_out()
        names = self._program.event_names
        folios: list[tuple[int, int, int]] = []
        while True:
            out[0] = 0
            code = self._native.run(state, 1, out, 1_000_000)
            if code in (FAILED, ERROR):
                raise AssertionError(failure_text(self._program, code, int(out[1])))
            assert code != BLOCKED, out[:8]
            for record in range(int(out[0])):
                event, *values = (int(word) for word in out[8 + 4 * record : 12 + 4 * record])
                name = names[event] if event >= 0 else ""
                if name.startswith("READAHEAD"):
                    answer.events.append((name, tuple(values)))
                elif name == "PAGE_CACHE_ADD":
                    folios.append((values[0], values[1], values[2]))
            if code == FINISHED:
                break
            assert code == CPU or out[0] > 0, code
        get = self._layout.get
        for folio, index, pages in folios:
            answer.added.append((index, pages, bool(get(state, "Folio", folio, "readahead"))))
        fields = ("start", "size", "async_size", "order", "pages")
        start, size, async_size, order, ra_pages = (
            get(state, "File", FILE, f"ra_{name}") for name in fields
        )
        prev_read = get(state, "File", FILE, "prev_read")
        answer.state = ReadaheadState(start, size, async_size, order, ra_pages, prev_read)
        return answer
