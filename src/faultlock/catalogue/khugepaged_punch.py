# SPDX-License-Identifier: GPL-2.0-only
"""khugepaged+punch: khugepaged holds folio locks and wants invalidate_lock; a hole punch has it.

Both pages are cached; khugepaged collapses them; T2 punches a hole; the disk completes.
"""

N_THREADS: Param = 3
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 2
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 3
N_REQUESTS: Param = 2
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1
COLLAPSE_ORDER: Param = 1


@setup
def pages_cached():
    """One file of two pages, mapped for reading; both are cached."""
    mm = boot_mm()
    mapping = boot_mapping(2)
    boot_map(mm, boot_file(mapping, 1), 0, 2, 0, VM_READ)
    boot_cache(mapping, 0, 0)
    boot_cache(mapping, 1, 0)


@thread("khugepaged")
def collapsing():
    with atomic:
        trap_enter()
        file = open_file(1)
    collapse_file(file, 0)
    trap_exit()


@thread("punch")
def punching():
    trap_enter()
    ext4_punch_hole(file_mapping(), 0, 2)
    trap_exit()



@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the range is collapsed")
def range_gets_collapsed() -> bool:
    """Some run makes one folio of both pages."""
    folio = file_mapping().pages[0]
    if folio is None:
        return False
    return folio.order > 0
