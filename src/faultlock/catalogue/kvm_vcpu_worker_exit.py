# SPDX-License-Identifier: GPL-2.0-only
"""kvm-vcpu+worker+exit: a process exits while a worker fetches a page for its guest.

The vCPU faults on memory that is not cached and leaves the page to a worker, then its process
exits, which is the last user of the address space; the disk completes.
"""

N_THREADS: Param = 3
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1
N_VCPUS: Param = 1
N_ASYNC_PF: Param = 1


@setup
def guest_memory():
    """Guest memory is a file mapping; nothing is cached; the guest can take asynchronous faults."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ | VM_WRITE | VM_SHARED)
    kernel_thread(2)
    kernel_thread(3)
    for vcpu in each(VCPU):
        vcpu.can_inject = True


@thread("vcpu")
def running_guest():
    trap_enter()
    with atomic:
        vcpu = the_vcpu()
    kvm_faultin_pfn(vcpu, 0, True)
    trap_exit()
    do_exit()
    thread_ends(1)


@thread("worker", daemon=True)
def working():
    trap_enter()
    kvm_worker()


@thread("disk", daemon=True)
def disk():
    blk_done()


@atomic
def the_vcpu() -> VCPU:
    """The only vCPU."""
    for vcpu in each(VCPU):
        return vcpu
    return None


@sometimes("V the worker comes too late")
def worker_comes_too_late() -> bool:
    """In some run the address space is gone before the worker looks at it."""
    for work in each(AsyncPf):
        if work.is_running:
            return work.mm.users == 0
    return False


@eventually("S3 reference balance (the last user)")
def address_space_goes() -> bool:
    """Whoever is the last user, the process or the worker, takes the address space down."""
    for mm in each(MM):
        if mm.map_count > 0:
            return False
    return True
