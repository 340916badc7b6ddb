# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: F821
# mypy: ignore-errors
"""One call into the readahead code of the kernel text, as a fault or a read(2) makes it."""


class ProbeKind(Enum):
    """Who calls."""

    FAULT_MISS = 0
    FAULT_HIT = 1
    READ_MISS = 2
    READ_HIT = 3


class Probe(Struct, count=1):
    """What the one thread does; written by the test before it runs."""

    kind: ProbeKind
    req_count: int


@thread("probe")
def probe():
    """The call.

    Source: filemap_fault, filemap_get_pages, mm/filemap.c, 6.18
    Context: no other thread
    Returns: nothing
    Left out: everything but readahead
    """
    with atomic:
        kind = Probe.kind
        file = current.pinned_file
        folio = current.holds_folio
        index = current.vmf_pgoff
        req_count = Probe.req_count
    if kind == ProbeKind.FAULT_MISS:
        do_sync_mmap_readahead(file)
    elif kind == ProbeKind.FAULT_HIT:
        do_async_mmap_readahead(file, folio)
    elif kind == ProbeKind.READ_MISS:
        page_cache_sync_ra(file, index, req_count)
    else:
        page_cache_async_ra(file, index, folio, req_count)
