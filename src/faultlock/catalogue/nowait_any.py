# SPDX-License-Identifier: GPL-2.0-only
"""nowait+any: does any actor break a rule beside FOLL_NOWAIT, as KVM uses it?

T1 asks for page 0, which is not cached, without waiting; another thread does one thing out of fifteen.
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


@thread("T1")
def asking():
    trap_enter()
    get_user_pages_unlocked(0, 1, FOLL_NOWAIT)
    trap_exit()


@thread("actor")
def acting():
    any_actor()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)
