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
