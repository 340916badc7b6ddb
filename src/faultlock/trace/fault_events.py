# SPDX-License-Identifier: GPL-2.0-only
"""Faults and the page cache: which page, which mapping, which open file, what was read for it."""

from __future__ import annotations

from collections.abc import Callable

from faultlock.trace.address_space import PAGE, PROT_EXEC, AddressSpace, Vma
from faultlock.trace.fault_index import index_in
from faultlock.trace.recording import FAULT, GUP, Operation
from faultlock.trace.thread_state import ThreadState
from faultlock.trace.world import World


class FaultEvents:
    """Handlers of the exceptions, filemap and readahead events."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._populated: set[tuple[int, int]] = set()
        self.handlers: dict[str, Callable[..., None]] = {
            "page_fault_user": self._page_fault,
            "page_fault_kernel": self._kernel_page_fault,
            "mm_filemap_fault": self._filemap_fault,
            "mm_filemap_map_pages": self._map_pages,
            "mm_filemap_get_pages": self._get_pages,
            "mm_filemap_add_to_page_cache": self._page_added,
            "page_cache_sync_ra": self._readahead_request,
            "page_cache_async_ra": self._readahead_request,
            "page_cache_ra_order": self._readahead_order,
            "page_cache_ra_unbounded": self._readahead_unbounded,
        }

    def _page_fault(
        self,
        thread: ThreadState,
        address: int,
        ip: int,
        ip_symbol: str | None,
        error_code: int,
        kernel: bool = False,
    ) -> None:
        self._world.finish_fault(thread)
        fault = thread.begin_fault(FAULT, self._world.now_ns)
        fault.address = address
        fault.kernel = kernel
        fault.present = bool(error_code & 1)
        fault.write = bool(error_code & 2)
        fault.fetch = bool(error_code & 16)

    def _kernel_page_fault(
        self, thread: ThreadState, address: int, ip: int, ip_symbol: str | None, error_code: int
    ) -> None:
        self._page_fault(thread, address, ip, ip_symbol, error_code, kernel=True)

    def _filemap_fault(self, thread: ThreadState, dev: int, ino: int, index: int) -> None:
        self._file_event(thread, self._world.file(dev, ino, index), index, index, True)

    def _map_pages(
        self, thread: ThreadState, dev: int, ino: int, index: int, last_index: int
    ) -> None:
        # The range may reach beyond the end of the file: it says nothing of the file's size.
        file = self._world.file(dev, ino, -1)
        self._file_event(thread, file, index, last_index, False)
        fault = thread.fault
        if fault is not None and fault.kind == FAULT and fault.vma >= 0 and file >= 0:
            pages = self._world.recording.files[file].pages
            self._mapped_around(fault, index, last_index)
            self._world.boundaries.mapped_around(fault, index, last_index, pages)

    def _mapped_around(self, fault: Operation, first: int, last: int) -> None:
        """Fault-around stays within the mapping: it holds all of the range."""
        space = self._world.spaces[fault.mm]
        vma = space.find(fault.address)
        if (
            vma is not None
            and vma.number == fault.vma
            and first <= fault.index <= last < first + 16
        ):
            start = (fault.address // PAGE + first - fault.index) * PAGE
            space.observe_range(vma, start, start + (last + 1 - first) * PAGE)

    def _file_event(
        self, thread: ThreadState, file: int, first: int, last: int, is_fault: bool
    ) -> None:
        before = thread.fault
        guess = -1 if before is None else before.index
        thread.file_event(self._world.now_ns, file, first, last, is_fault)
        fault = thread.fault
        if before is not None and fault is not before:
            self._world.resolve(thread, before)
        assert fault is not None
        if fault.kind == GUP and fault is not before:
            self._populates(thread, fault.file, first)
        if fault.kind == FAULT and (fault.vma < 0 or guess not in (-1, fault.index)):
            self._explain(thread, fault, first, last, is_fault)

    def _populates(self, thread: ThreadState, file: int, index: int) -> None:
        """A fault without a trap tells the file of the mapping that mmap or mlock populates."""
        if thread.call is not None and thread.call.kind == "mmap":
            thread.call.file = file  # MAP_POPULATE: mmap has not returned yet
            return
        if (thread.mm, file) in self._populated:
            return
        self._populated.add((thread.mm, file))
        newest: Vma | None = None
        for vma in self._world.spaces[thread.mm].vmas:
            unknown = vma.open_file is not None and vma.open_file.file is None
            holds = 0 <= index * PAGE - vma.offset < vma.end - vma.start
            if unknown and holds and (newest is None or vma.created_ns > newest.created_ns):
                newest = vma
        if newest is not None and newest.open_file is not None:
            self._world.open_files.identify(newest.open_file, file)

    def _explain(
        self, thread: ThreadState, fault: Operation, first: int, last: int, is_fault: bool
    ) -> None:
        """The first file event of a fault: which mapping, which open file, which page."""
        space = self._world.spaces[fault.mm]
        vma = space.find(fault.address)
        if vma is not None and not self._explained_by(space, vma, fault, first, last, is_fault):
            vma = None
        if vma is None:
            index = first if is_fault else index_in(space, fault, first, last)
            if index < 0:
                return
            fault.index = index
            vma = space.observe_file(
                self._world.now_ns,
                fault.address,
                index,
                self._world.open_files.loaded(fault.mm, fault.file),
            )
        if vma.inferred:
            vma.anchored = vma.anchored or is_fault
            vma.prot |= PROT_EXEC if fault.fetch else 0
        fault.vma, fault.open_file = vma.number, vma.open_file.number if vma.open_file else -1
        # Fault-around served the page, so it is within the file, whatever else is.
        self._world.within(fault.file, fault.index)

    def _explained_by(
        self, space: AddressSpace, vma: Vma, fault: Operation, first: int, last: int, exact: bool
    ) -> bool:
        """Does what is known of the mapping at the address agree with the fault's file event?"""
        if vma.open_file is None or vma.open_file.file not in (None, fault.file):
            return False
        expected = vma.index_of(fault.address)
        if exact and expected != first and vma.inferred and not vma.anchored:
            # What was guessed from fault-around's ranges was wrong.
            distance = (expected - first) * PAGE
            if not space.shift(vma, distance):
                return False
            self._world.boundaries.shifted(vma, distance)
            expected = vma.index_of(fault.address)
        if not first <= expected <= last or not vma.start <= fault.address < vma.end:
            return False
        fault.index = expected
        self._world.open_files.identify(vma.open_file, fault.file)
        return True

    def _readahead_request(
        self, thread: ThreadState, dev: int, ino: int, index: int, req_count: int, *state: int
    ) -> None:
        operation = self._readahead(thread, dev, ino, index, req_count, asked=True)
        thread.expected = range(index, index + req_count)
        prev_pos = state[-1]
        if operation.kind == FAULT and operation.open_file >= 0 and prev_pos == -1:
            self._world.recording.unread_until_ns[operation.open_file] = self._world.now_ns

    def _readahead_unbounded(
        self, thread: ThreadState, dev: int, ino: int, index: int, nr_to_read: int, _: int
    ) -> None:
        # It is cut at the end of the file.
        file = self._world.file(dev, ino, index + nr_to_read - 1)
        fault, window = thread.fault, range(index, index + nr_to_read)
        wanted = fault is not None and fault.kind in (FAULT, GUP)
        if (
            file < 0
            or wanted
            or (window and window[0] in thread.expected and window[-1] in thread.expected)
        ):
            operation = self._readahead(thread, dev, ino, index, 0)
        else:
            operation = thread.forced_readahead(self._world.now_ns, file, index, nr_to_read)
            if fault is not None and fault is not operation:
                self._world.resolve(thread, fault)
        operation.windows += 1

    def _readahead_order(
        self,
        thread: ThreadState,
        dev: int,
        ino: int,
        index: int,
        order: int,
        size: int,
        async_size: int,
        ra_pages: int,
    ) -> None:
        operation = self._readahead(thread, dev, ino, index, 0)
        operation.windows += 1
        thread.expected = range(index, index + size)
        if operation.kind == FAULT and operation.vma >= 0:
            self._world.boundaries.window(operation, index, size, async_size, ra_pages)

    def _readahead(
        self,
        thread: ThreadState,
        dev: int,
        ino: int,
        index: int,
        pages: int,
        asked: bool = False,
    ) -> Operation:
        before = thread.fault
        operation = thread.readahead_event(
            self._world.now_ns, self._world.file(dev, ino, -1), index, pages, asked
        )
        if before is not None and before is not operation:
            self._world.resolve(thread, before)
        return operation

    def _get_pages(
        self, thread: ThreadState, dev: int, ino: int, index: int, last_index: int
    ) -> None:
        pages = max(0, last_index + 1 - index)
        operation = self._readahead(thread, dev, ino, index, pages, asked=True)
        operation.length = max(operation.length, last_index + 1 - operation.index)

    def _page_added(
        self,
        thread: ThreadState,
        dev: int,
        ino: int,
        index: int,
        order: int | None,
    ) -> None:
        pages = 1 << (order or 0)
        file = self._world.file(dev, ino, index + pages - 1)
        before = thread.fault
        if before is not None and before.file == file and index <= before.index < index + pages:
            before.missed = True
            before.position = before.pages_added + before.index - index
        thread.page_added(self._world.now_ns, file, pages)
        if file >= 0 and thread.fault is not None:
            self._world.known_reads.added(file, index, pages, thread.fault, self._world.now_ns)
        if before is not None and before is not thread.fault:
            self._world.resolve(thread, before)
