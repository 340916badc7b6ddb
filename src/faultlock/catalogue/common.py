# SPDX-License-Identifier: GPL-2.0-only
"""What several scenarios share; loaded with every scenario."""


@atomic
def task(number: ThreadCount) -> Thread:
    """The thread with that number (threads are numbered in the order of the scenario's file)."""
    rest: int = number
    for thread in each(Thread):
        rest -= 1
        if rest == 0:
            return thread
    return None


@atomic
def kill_task(number: ThreadCount):
    """Send SIGKILL to the thread with that number."""
    send_sigkill(task(number))


@atomic
def signal_task(number: ThreadCount):
    """Send an ordinary signal to the thread with that number."""
    send_signal(task(number))


@atomic
def move_task(number: ThreadCount):
    """Set-up: the thread is a process of its own, with an empty address space."""
    thread = task(number)
    thread.mm.users -= 1
    thread.mm = None
    boot_mm()


@atomic
def kernel_thread(number: ThreadCount):
    """Set-up: the thread belongs to the kernel, it has no address space."""
    thread = task(number)
    thread.mm.users -= 1
    thread.mm = None


@atomic
def file_mapping() -> Mapping:
    """The page cache of the first file."""
    for mapping in each(Mapping):
        return mapping
    return None


@atomic
def open_file(number: Range[1, N_FILES]) -> File:
    """The open file with that number."""
    rest: int = number
    for file in each(File):
        rest -= 1
        if rest == 0:
            return file
    return None


@atomic
def is_mapped(address: Address) -> bool:
    """Does a page table entry map a file page at that address, in any address space?"""
    for mm in each(MM):
        if mm.pte[address] is not None:
            return True
    return False


@atomic
def is_being_read(index: Index) -> bool:
    """Is a read of that page of the first file in flight?"""
    folio = file_mapping().pages[index]
    if folio is None:
        return False
    return folio.reading


class scenario(Struct, count=1):
    """What the properties of scenarios need to know."""

    ended: Range[0, 255]  # a bit per thread that called thread_ends


@atomic
def thread_ends(number: ThreadCount):
    """The thread with that number has done what the scenario asks of it."""
    scenario.ended |= 1 << number


@atomic
def has_ended(number: ThreadCount) -> bool:
    """Has it?"""
    return (scenario.ended >> number & 1) == 1


# ---- one thing out of fifteen ----------------------------------------------------------------------


def cache_actors(actor: Range[0, 15]):
    """Actors 0 to 5: what fills and empties the page cache."""
    trap_enter()
    if actor == 0:
        do_user_addr_fault(0, False, True)
    if actor == 1:
        with atomic:
            file = open_file(1)
        ksys_read(file, 0, 1, -1)
    if actor == 2:
        ext4_setattr(file_mapping(), 0, False)
    if actor == 3:
        ext4_punch_hole(file_mapping(), 0, 1)
    if actor == 4:
        reclaim_once()
    if actor == 5:
        with atomic:
            file = open_file(1)
        collapse_file(file, 0)
    trap_exit()


def address_space_actors(actor: Range[0, 15]):
    """Actors 6 to 10: what changes the address space."""
    trap_enter()
    if actor == 6:
        vm_mmap_pgoff(None, -1, 1, 0, VM_READ | VM_WRITE, False)
    if actor == 7:
        __vm_munmap(0, 1)
    if actor == 8:
        do_mprotect(0, 1, 0)
    if actor == 9:
        grow = 1
        sys_mremap(0, 1, grow, True)
    if actor == 10:
        do_madvise(0, 1, MADV_DONTNEED)
    trap_exit()


def process_actors(actor: Range[0, 15]):
    """Actors 11 to 14: fork, exit, readers of /proc."""
    if actor == 11:
        sys_fork()
    if actor == 12:
        do_exit()
    if actor == 13:
        with atomic:
            mm = current.mm
        read_proc(mm, ProcFile.MAPS)
    if actor == 14:
        with atomic:
            mm = current.mm
        read_proc(mm, ProcFile.CMDLINE)


def any_actor():
    """Do one thing that meets the fault path, chosen freely."""
    actor = choose(0, 15, "actor")
    if actor < 6:
        cache_actors(actor)
    elif actor < 11:
        address_space_actors(actor)
    else:
        process_actors(actor)
