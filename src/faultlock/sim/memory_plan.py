# SPDX-License-Identifier: GPL-2.0-only
"""Where a workload's memory lies: files, and the VMAs of each process in address order.

An address space holds, from low to high addresses as Linux lays it out: program text and data,
heaps of the C library (the main one, and room for one for each of the first threads), what
threads mapped anonymously, thread stacks with their guard pages, room for mmap, the mappings of
the workload, the main stack.  The order matters: fork write-locks VMAs in address order.
Units: pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from faultlock.workload.schema import Mapping, Workload

PTRS_PER_PTE = 512
TEXT_VMAS = 4  # read-only, text, read-only data, data of a static program
STACK_PAGES = 2048  # 8 MiB
HEAP_PAGES = 33  # what the C library makes writable first of a heap of 64 MiB
HEAP_CHUNK_BYTES = 32784  # of 4,096 results (kernel/roles_malloc.py)
HEAP_CHUNKS_PER_THREAD = 3  # the second size is copied from the first
HEAP_SPAN = 1024  # Model: the PROT_NONE rest of a heap is shorter than the real 16,384 pages
HEAPS_PER_CPU = 8  # NARENAS_FROM_NCORES: the C library's limit, with the main one,
ARENA_TEST = 8  # which it knows only when there are more than so many (kernel/roles_arena.py)
MMAP_ROOM_PAGES = 1 << 18


@dataclass
class PlannedVma:
    """One VMA: file 0 is anonymous memory; `written` pages at `written_at` are private copies."""

    start: int
    pages: int
    file: int = 0
    offset: int = 0
    write: bool = False
    execute: bool = False
    shared: bool = False
    advice: str = "normal"
    written: int = 0
    written_at: int = 0
    no_access: bool = False


@dataclass
class Region:
    """The VMAs of one mapping: equal sizes at equal distances."""

    start: int
    pages: int
    stride: int
    count: int
    vmas: list[PlannedVma] = field(default_factory=list)  # those that only mmap makes


@dataclass
class Process:
    """One address space."""

    name: str
    vmas: list[PlannedVma] = field(default_factory=list)
    regions: dict[str, Region] = field(default_factory=dict)
    anonymous: dict[tuple[int, int], int] = field(default_factory=dict)
    stacks: list[int] = field(default_factory=list)  # page each thread writes
    arenas: list[int] = field(default_factory=list)  # first pages of the C library's arenas
    main_heap: int = -1
    heap_chunks: int = 0  # most that a heap has room for
    heap_span: int = 64  # pages that are reserved for an arena
    shared_data: int = -1  # the page of its data that all its threads write
    shared_stack: int = -1  # the page of the main thread's stack that all its threads write
    mmap_base: int = 0  # below it nobody has a fixed place; 0: nobody unmaps his
    end: int = 0


@dataclass
class PlannedFile:
    """One open file: which page cache it reads (1-based), and its mapping's size."""

    mapping: int


@dataclass
class Plan:
    """All processes, page caches (pages, share cached) and open files."""

    processes: dict[str, Process]
    caches: list[tuple[int, float]]
    files: list[PlannedFile]
    first_cache: dict[str, int]  # name of a file -> number of its first instance

    def first_mapping(self, process: str) -> int:
        """Number of the page cache of a process's first VMA of a file; 0: it has none."""
        for vma in self.processes[process].vmas:
            if vma.file:
                return self.files[vma.file - 1].mapping
        return 0


def round_up(pages: int) -> int:
    """To whole page tables."""
    return -(-pages // PTRS_PER_PTE) * PTRS_PER_PTE


def plan_memory(workload: Workload, cpus: int) -> Plan:
    """Lay out every process of the workload."""
    caches: list[tuple[int, float]] = []
    first: dict[str, int] = {}
    for file in workload.files:
        first[file.name] = len(caches) + 1
        caches += [(file.pages, file.cached)] * file.count
    files = [PlannedFile(number + 1) for number in range(len(caches))]
    plan = Plan({}, caches, files, first)
    for name in workload.processes:
        plan.processes[name] = _process(workload, name, cpus, plan)
    return plan


def _process(workload: Workload, name: str, cpus: int, plan: Plan) -> Process:
    process = Process(name)
    cursor = PTRS_PER_PTE
    for number in range(TEXT_VMAS):
        last = number == TEXT_VMAS - 1
        process.vmas.append(
            PlannedVma(cursor, 32, write=last, execute=number == 1, written=4 if last else 0)
        )
        cursor += 33
    process.shared_data = process.vmas[-1].start
    cursor = round_up(cursor)
    threads = sum(group.count for group in workload.threads if group.process == name)
    cursor = _heaps(process, cursor, threads if workload.keep_results else 0, cpus)
    cursor = _anonymous(workload, process, cursor)
    cursor = _stacks(process, cursor, threads)
    cursor += MMAP_ROOM_PAGES
    for mapping in workload.mappings:
        if mapping.process == name:
            if process.mmap_base == 0 and _comes_and_goes(workload, mapping):
                process.mmap_base = cursor
            cursor = _mapping(workload, mapping, process, cursor, plan)
    process.vmas.append(PlannedVma(cursor, 34, write=True, written=3, written_at=31))
    process.shared_stack = cursor + 31
    process.end = round_up(cursor + 34)
    return process


def _heaps(process: Process, cursor: int, threads: int, cpus: int) -> int:
    """The main heap and an arena for each of the first threads; the others share."""
    if threads == 0:
        return cursor
    arenas = min(threads, max(HEAPS_PER_CPU * cpus - 1, ARENA_TEST))
    # While a fork is under way, all threads that have no arena yet come to the main heap.
    process.main_heap = cursor
    process.heap_chunks = HEAP_CHUNKS_PER_THREAD * max(threads - arenas, -(-threads // arenas) + 1)
    process.vmas.append(PlannedVma(cursor, HEAP_PAGES, write=True, written=1))
    used = HEAP_PAGES + process.heap_chunks * HEAP_CHUNK_BYTES // 4096
    cursor += round_up(HEAP_PAGES + used)  # brk asks for 32 pages more
    process.heap_span = max(HEAP_SPAN, round_up(used))
    for _ in range(arenas):
        process.arenas.append(cursor)
        cursor += 2 * process.heap_span
    return round_up(cursor)


def _stacks(process: Process, cursor: int, count: int) -> int:
    for _ in range(count):
        process.vmas.append(PlannedVma(cursor + PTRS_PER_PTE - 1, 1, no_access=True))
        start = cursor + PTRS_PER_PTE
        top = STACK_PAGES - 1
        stack = PlannedVma(start, STACK_PAGES, write=True, written=2, written_at=top - 1)
        process.vmas.append(stack)
        process.stacks.append(start + top)
        cursor = start + STACK_PAGES
    return cursor


def _anonymous(workload: Workload, process: Process, cursor: int) -> int:
    """Private memory of each thread that has an anon_touch operation, (thread, operation)."""
    number = 0
    for group in workload.threads:
        if group.process != process.name:
            continue
        for _ in range(group.count):
            for index, operation in enumerate(group.loop):
                if operation.op != "anon_touch":
                    continue
                pages = operation.pages or (64 << 20) // 4096
                process.vmas.append(PlannedVma(cursor, pages, write=True))
                process.anonymous[number, index] = cursor
                cursor = round_up(cursor + pages) + PTRS_PER_PTE
            number += 1
    return cursor


def _comes_and_goes(workload: Workload, mapping: Mapping) -> bool:
    """Is its place empty at times?  It is mapped there again, so nobody else may get it."""
    operations = (operation for group in workload.threads for operation in group.loop)
    unmapped = any(o.op == "munmap" and o.mapping == mapping.name for o in operations)
    return unmapped or not mapping.at_start


def _executable(mapping: Mapping, number: int) -> bool:
    return mapping.executable == "all" or (mapping.executable == "odd" and number % 2 == 1)


def _mapping(
    workload: Workload, mapping: Mapping, process: Process, cursor: int, plan: Plan
) -> int:
    pages = workload.vma_pages(mapping)
    stride = round_up(pages) + PTRS_PER_PTE
    process.regions[mapping.name] = Region(cursor, pages, stride, mapping.count)
    instances = workload.file(mapping.file).count if mapping.file else 1
    for number in range(mapping.count):
        file, offset = 0, 0
        if mapping.file:
            file = plan.first_cache[mapping.file] + number % instances
            offset = mapping.offset_bytes // 4096 + number // instances * pages
            if mapping.open_files == "each":
                plan.files.append(PlannedFile(file))
                file = len(plan.files)
        vma = PlannedVma(
            cursor + number * stride,
            pages,
            file,
            offset,
            mapping.writable,
            _executable(mapping, number),
            mapping.sharing == "shared",
            mapping.advice,
            mapping.written_bytes // 4096,
        )
        target = process.vmas if mapping.at_start else process.regions[mapping.name].vmas
        target.append(vma)
    return cursor + mapping.count * stride
