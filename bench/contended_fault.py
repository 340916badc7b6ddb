# SPDX-License-Identifier: GPL-2.0-only
"""A contended fault path, for ever: three threads of one mm fault on the pages of one file, a
fourth punches them out of the page cache and a fifth changes the protection of the mapping; the
disk reads them again.  (A scenario in the model language, for bench/steps.py.)
"""

N_THREADS: Param = 6
N_FOLIOS: Param = 8
N_REQUESTS: Param = 8
N_FILE_PAGES: Param = 8
N_ADDRESS_PAGES: Param = 16
N_VMAS: Param = 4
N_VMAS_PER_MM: Param = 4


@setup
def one_file():
    """Eight pages of a file, mapped for reading and writing; nothing is cached."""
    mm = boot_mm()
    boot_map(mm, boot_file(boot_mapping(8), 0), 0, 8, 0, VM_READ | VM_WRITE | VM_SHARED)


@atomic
def the_mapping() -> Mapping:
    """The page cache of the file."""
    for vma in each(VMA):
        if vma.vm_file is not None:
            return vma.vm_file.f_mapping
    return None


@thread("reader", count=2)
def reader():
    page = 0
    while True:
        touch(page, False, True)
        page = (page + 1) % 8


@thread("writer")
def writer():
    page = 0
    while True:
        touch(page, True, True)
        page = (page + 3) % 8


@thread("puncher")
def puncher():
    mapping = the_mapping()
    while True:
        ext4_punch_hole(mapping, 0, 8)


@thread("protector")
def protector():
    while True:
        do_mprotect(0, 8, VM_READ)
        do_mprotect(0, 8, VM_READ | VM_WRITE)


@thread("disk", daemon=True)
def disk():
    blk_done()
