# SPDX-License-Identifier: GPL-2.0-only
"""Rules between the keys: names that must exist, mappings inside their files, limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from faultlock.units import PAGE_BYTES, format_size_bytes
from faultlock.workload.operations import OPERATIONS
from faultlock.workload.schema import MAX_THREADS, MAX_VMAS, Mapping, Operation, Threads, Workload

Finding = tuple[str, str]


def check_workload(workload: Workload) -> Iterator[Finding]:
    """Yields (key, what is wrong and the cure), in the order of the file."""
    yield from _names(workload)
    yield from _files(workload)
    if workload.n_threads == 0:
        yield "threads", "the workload has no threads (add [[threads]] with op and count)"
    if workload.n_threads > MAX_THREADS:
        yield "threads", f"{workload.n_threads} threads in all (at most {MAX_THREADS})"
    n_vmas = sum(mapping.count for mapping in workload.mappings)
    if n_vmas > MAX_VMAS:
        yield "mappings", f"{n_vmas} VMAs in all (at most {MAX_VMAS})"
    cache = workload.page_cache
    if cache.limit_bytes and cache.high_bytes > cache.limit_bytes:
        yield (
            "page_cache.high",
            "lies above limit (high is where reclaim starts, limit where it must succeed)",
        )
    for index, mapping in enumerate(workload.mappings):
        yield from _mapping(workload, mapping, f"mappings[{index}]")
    for index, group in enumerate(workload.threads):
        for number, operation in enumerate(group.loop):
            place = (
                f"threads[{index}]" if len(group.loop) == 1 else f"threads[{index}].loop[{number}]"
            )
            yield from _operation(workload, group, operation, place)


def _names(workload: Workload) -> Iterator[Finding]:
    groups = {
        "files": [item.name for item in workload.files],
        "mappings": [item.name for item in workload.mappings],
        "threads": [item.name for item in workload.threads],
    }
    for where, names in groups.items():
        for index, name in enumerate(names):
            if not name:
                yield f"{where}[{index}].name", "the key name is missing (others refer to it)"
            if "." in name:
                yield (
                    f"{where}[{index}].name",
                    f"{name!r} holds a dot (dots separate keys in --set)",
                )
        for name, times in Counter(names).items():
            if name and times > 1:
                yield where, f"{times} entries are called {name!r} (give each its own name)"


def _files(workload: Workload) -> Iterator[Finding]:
    groups = {group.name: group for group in workload.threads}
    for index, file in enumerate(workload.files):
        if file.size_bytes == 0:
            yield f"files[{index}].size", 'the key size is missing (for example size = "64MiB")'
        if not file.server:
            continue
        if file.server not in groups:
            yield (
                f"files[{index}].server",
                f"there are no threads {file.server!r} (threads: {_list(groups)})",
            )
        elif "fuse_receive" not in {operation.op for operation in groups[file.server].loop}:
            yield (
                f"files[{index}].server",
                f"threads {file.server!r} never do fuse_receive (add it to their loop)",
            )


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _mapping(workload: Workload, mapping: Mapping, where: str) -> Iterator[Finding]:
    if mapping.offset_bytes % PAGE_BYTES:
        yield f"{where}.offset", "is not a multiple of the page size (4KiB)"
    if not mapping.file:
        if not mapping.size_bytes:
            yield f"{where}.size", "anonymous memory needs a size (or name a file)"
        return
    files = {file.name: file for file in workload.files}
    if mapping.file not in files:
        yield f"{where}.file", f"there is no file {mapping.file!r} (files: {_list(files)})"
        return
    file = files[mapping.file]
    if file.size_bytes == 0:
        return
    pages = workload.vma_pages(mapping)
    per_file = -(-mapping.count // file.count)
    end = mapping.offset_bytes // PAGE_BYTES + pages * per_file
    if end > file.pages:
        yield (
            f"{where}.size",
            (
                f"{per_file} VMAs of {format_size_bytes(pages * PAGE_BYTES)} end beyond file "
                f"{file.name!r} of {format_size_bytes(file.size_bytes)} "
                "(make the file larger, or size or count smaller)"
            ),
        )
    elif pages < 1:
        yield (
            f"{where}.count",
            f"file {file.name!r} has fewer pages than VMAs (make it larger or count smaller)",
        )
    if mapping.written_bytes > pages * PAGE_BYTES:
        yield f"{where}.written", "is larger than the VMA"
    if mapping.written_bytes and not (mapping.writable and mapping.sharing == "private"):
        yield (
            f"{where}.written",
            "only a writable private mapping has written pages (set writable = true)",
        )


def _operation(
    workload: Workload, group: Threads, operation: Operation, where: str
) -> Iterator[Finding]:
    kind = OPERATIONS[operation.op]
    if kind.needs == "mapping":
        yield from _operation_mapping(workload, group, operation, where)
    if kind.needs == "file":
        files = {file.name: file for file in workload.files}
        if operation.file not in files:
            yield f"{where}.file", f"there is no file {operation.file!r} (files: {_list(files)})"
        elif operation.size_bytes > files[operation.file].size_bytes:
            yield f"{where}.size", f"is larger than file {operation.file!r}"
    yield from _operation_target(workload, operation, f"{where}.target")
    if operation.op in ("compute", "sleep") and operation.time.is_zero:
        yield f"{where}.time", f'{operation.op} needs a time (for example time = "1ms")'


def _operation_mapping(
    workload: Workload, group: Threads, operation: Operation, where: str
) -> Iterator[Finding]:
    """The mapping exists, belongs to the right process and is large enough."""
    names = [mapping.name for mapping in workload.mappings]
    place = f"{where}.mapping"
    if operation.mapping and operation.mapping not in names:
        yield place, f"there is no mapping {operation.mapping!r} (mappings: {_list(names)})"
        return
    process = mapping_process(group, operation)
    mapping = resolve_mapping(workload, group, operation)
    if mapping is None:
        yield place, f"say which mapping (process {process!r} has not exactly one of a file)"
        return
    if mapping.process != process:
        yield (
            place,
            f"mapping {mapping.name!r} belongs to process {mapping.process!r}, "
            f"these threads to {process!r}",
        )
    if operation.write and not mapping.writable:
        yield (
            f"{where}.write",
            f"mapping {mapping.name!r} is not writable (set writable = true there)",
        )
    # Sizes of VMAs are known only when their file is; a missing file is reported elsewhere.
    files = [file.name for file in workload.files]
    if (mapping.size_bytes or mapping.file in files) and (
        operation.pages > workload.vma_pages(mapping)
    ):
        yield f"{where}.size", f"is larger than a VMA of mapping {mapping.name!r}"


def _operation_target(workload: Workload, operation: Operation, place: str) -> Iterator[Finding]:
    """The process that is read, or the threads that are killed, exist."""
    target, threads = operation.target, [item.name for item in workload.threads]
    if operation.op in ("read_proc", "gup") and target and target not in workload.processes:
        known = _list(workload.processes)
        yield place, f"there is no process {target!r} (processes: {known})"
    if operation.op == "kill" and target not in threads:
        yield place, f"there are no threads {target!r} (threads: {_list(threads)})"


def mapping_process(group: Threads, operation: Operation) -> str:
    """The process whose mapping an operation works on: gup may name another one."""
    return operation.target if operation.op == "gup" and operation.target else group.process


def resolve_mapping(workload: Workload, group: Threads, operation: Operation) -> Mapping | None:
    """The mapping an operation works on: the named or only one of its process, else None."""
    if operation.mapping:
        return workload.mapping(operation.mapping)
    process = mapping_process(group, operation)
    own = [mapping for mapping in workload.mappings if mapping.process == process and mapping.file]
    return own[0] if len(own) == 1 else None
