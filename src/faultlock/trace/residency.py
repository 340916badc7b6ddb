# SPDX-License-Identifier: GPL-2.0-only
"""Which file pages were in the page cache before the recording began.

Nothing says so directly. A page was there if it was used without having been inserted: a fault
found it (or fault-around mapped it), or a readahead window that covered it left it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from faultlock.errors import LimitReached
from faultlock.trace.reconstruct import reconstruct
from faultlock.trace.recording import FAULT, READ, Operation, Recording
from faultlock.trace.store import Trace
from faultlock.trace.thread_state import ThreadState
from faultlock.trace.world import World

MAX_PAGES = 1 << 22  # that are followed, 16 GiB of files
_LONGEST = 1 << 16
MAX_WINDOW_PAGES = 1 << 28  # of all windows together: bounds the work


class Residency:
    """An observer of a reconstruction; `resident` maps a file's number to its pages.

    `written` has the pages that appeared without any readahead: write(2) made them.
    """

    def __init__(self) -> None:
        self.resident: dict[int, set[int]] = {}
        self.written: dict[int, set[int]] = {}
        self._inserted: dict[int, set[int]] = {}
        self._missed_again = 0
        self._not_inserted: list[tuple[int, int]] = []  # looked up by filemap_fault
        self._fault: dict[int, Operation] = {}
        self._used: dict[int, set[int]] = {}
        self._windows: dict[int, list[tuple[int, int, int]]] = {}
        self._pages = self._window_pages = 0

    def observe(
        self, world: World, thread: ThreadState | None, event: str, row: tuple[Any, ...]
    ) -> None:
        """One event; when a thread's operation changes, the previous one is judged."""
        if thread is None:
            return
        operation = thread.fault
        previous = self._fault.get(thread.number)
        if previous is not None and previous is not operation:
            self._judge(thread.number, previous)
        if operation is None:
            self._fault.pop(thread.number, None)
        else:
            self._fault[thread.number] = operation
        if event == "mm_filemap_add_to_page_cache":
            dev, ino, index, order = row[5:9]
            pages = range(index, index + (1 << (order or 0)))
            file = world.file(dev, ino, -1)
            inserted = self._inserted.setdefault(file, set())
            written = operation is not None and operation.kind == READ and not operation.length
            again = index in inserted
            if written and not again:
                self._keep(self.written.setdefault(file, set()), pages)
            elif again and operation is not None and file >= 0 and not written:
                _dropped(world.recording, operation, file, pages)
                self._missed_again += operation.kind != READ and operation.index in pages
            self._keep(inserted, pages)
        elif event in ("mm_filemap_map_pages", "mm_filemap_get_pages"):
            file, first, last = world.file(row[5], row[6], -1), row[7], row[8]
            if file >= 0 and 0 <= last - first < _LONGEST:
                last = min(last, max(world.recording.files[file].pages - 1, first))
                self._follow(last + 1 - first)
                self._keep(self._used.setdefault(file, set()), range(first, last + 1))
        elif event == "mm_filemap_fault":
            file, page = world.file(row[5], row[6], -1), row[7]
            if page not in self._inserted.get(file, ()):
                self._not_inserted.append((file, page))
        elif event == "page_cache_ra_unbounded":
            dev, ino, index, nr_to_read = row[5:9]
            window = (world.file(dev, ino, -1), index, nr_to_read)
            self._windows.setdefault(thread.number, []).append(window)

    def _follow(self, pages: int) -> None:
        """So many pages are looked at.  Raises LimitReached when it becomes too much work."""
        self._window_pages += pages
        if self._window_pages > MAX_WINDOW_PAGES:
            raise LimitReached(
                f"windows and reads of more than {MAX_WINDOW_PAGES:,} pages; too large to replay"
            )

    def _keep(self, known: set[int], pages: Iterable[int]) -> None:
        """Add pages to a set.  Raises LimitReached when there are too many of all kinds."""
        before = len(known)
        known.update(pages)
        self._pages += len(known) - before
        if self._pages > MAX_PAGES:
            raise LimitReached(
                f"more than {MAX_PAGES:,} pages of files were used; too large to replay"
            )

    def finish(self, recording: Recording) -> dict[int, set[int]]:
        """Judge what is open; the pages by file."""
        for thread, operation in list(self._fault.items()):
            self._judge(thread, operation)
        for file, pages in self._used.items():
            # Ranges of fault-around and of read(2). What was not there was read, or not needed.
            self.resident.setdefault(file, set()).update(pages - self._inserted.get(file, set()))
        limits = {file.number: file.pages for file in recording.files}
        return {
            file: {page for page in pages if page < max(limits[file], 1)}
            for file, pages in self.resident.items()
        }

    def lookups_that_missed(self) -> int:
        """How often filemap_fault found no folio (kernel: pgmajfault); call after `finish`."""
        first = sum(page not in self.resident.get(file, ()) for file, page in self._not_inserted)
        return first + self._missed_again

    def _judge(self, thread: int, operation: Operation) -> None:
        """What an operation that is over says about pages that were never inserted."""
        for file, index, pages in self._windows.pop(thread, []):
            self._found(file, range(index, index + min(pages, _LONGEST)))
        used = operation.kind == FAULT and operation.file >= 0 and operation.index >= 0
        inserted = self._inserted.get(operation.file, ())
        if used and not operation.missed and operation.index not in inserted:
            self._keep(self.resident.setdefault(operation.file, set()), (operation.index,))

    def _found(self, file: int, pages: range) -> None:
        self._follow(len(pages))
        if file >= 0:
            inserted = self._inserted.get(file, set())
            found = (page for page in pages if page not in inserted)
            self._keep(self.resident.setdefault(file, set()), found)


def _dropped(recording: Recording, operation: Operation, file: int, pages: range) -> None:
    """An operation reads pages again that had been read: they left the page cache in between."""
    if operation.dropped < 0:
        operation.dropped = len(recording.dropped)
        recording.dropped.append([])
    ranges = recording.dropped[operation.dropped]
    if ranges and ranges[-1][0] == file and ranges[-1][2] == pages.start:
        ranges[-1] = (file, ranges[-1][1], pages.stop)
    else:
        ranges.append((file, pages.start, pages.stop))


def shared_memory_files(trace: Trace, recording: Recording) -> set[int]:
    """Files (numbers) of shmem: memfd, /dev/shm, MAP_SHARED|MAP_ANONYMOUS.

    shmem has its own ->fault and inserts pages on its own, but maps around with filemap_map_pages:
    its files show in that event alone, on a device without a major number.
    """
    others: set[tuple[int, int]] = set()
    for event, table in trace.tables.items():
        if "ino" in table.columns and event not in ("mm_filemap_map_pages", "vma_snapshot"):
            others.update(table.select("dev", "ino").unique().rows())
    return {
        file.number
        for file in recording.files
        if file.dev >> 20 == 0 and (file.dev, file.ino) not in others
    }


def initial_residency(trace: Trace) -> dict[int, set[int]]:
    """File number (of reconstruct(trace)) -> pages that were cached when recording began."""
    residency = Residency()
    return residency.finish(reconstruct(trace, residency.observe))
