# SPDX-License-Identifier: GPL-2.0-only
"""every-pair: does any pair of the actors break a rule?

Two threads of a process each do one thing out of fifteen, chosen freely; the disk completes.
"""

N_THREADS: Param = 3
N_VMAS: Param = 4
N_VMAS_PER_MM: Param = 4
N_FILE_PAGES: Param = 2
N_ADDRESS_PAGES: Param = 3
N_FOLIOS: Param = 3
N_REQUESTS: Param = 2
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1
FORK_CHILD: Param = 0
COLLAPSE_ORDER: Param = 1


@setup
def nothing_cached():
    """One file of a page, mapped for reading; nothing is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ)


@thread("actor", count=2)
def acting():
    any_actor()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)
