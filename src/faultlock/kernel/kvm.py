# SPDX-License-Identifier: GPL-2.0-only
"""KVM's asynchronous page faults on x86 (virt/kvm, arch/x86/kvm/mmu; spec 8.11).

A guest touches memory whose host page is absent.  With FOLL_NOWAIT the host fault is to give up
instead of waiting; a worker then faults the page in, and the guest runs another task meanwhile.
"""

N_VCPUS: Param = 0
N_ASYNC_PF: Param = 0  # of all vCPUs together: each waits for one worker thread
ASYNC_PF_PER_VCPU: Param = 64


class VCPU(Struct, count=N_VCPUS):
    """A virtual CPU (kernel: struct kvm_vcpu)."""

    queued: Range[0, N_ASYNC_PF]  # vcpu->async_pf.queued
    can_inject: bool  # the guest enabled asynchronous faults and has interrupts on
    halted: Thread  # its thread, asleep until an asynchronous fault completes


class AsyncPf(Struct, count=N_ASYNC_PF):
    """An asynchronous page fault (kernel: struct kvm_async_pf)."""

    vcpu: VCPU
    mm: MM
    address: Address
    is_queued: bool  # waits for a worker, or is with one
    is_running: bool


class kvm_workqueue(Struct, count=1):
    """Workers that sleep (kernel: system_wq)."""

    idle: Thread


class RetPf(Enum):
    """How a guest fault ended."""

    FIXED = 0  # the page is mapped into the guest
    ASYNC = 1  # a worker fetches it, the guest runs another task
    HALTED = 2  # an asynchronous fault for this page was outstanding: the vCPU slept
    ERROR = 3
    INTERRUPTED = 4


@atomic
def hva_to_pfn_fast(address: Address, write: bool) -> bool:
    """Take the page if it is mapped already.

    Source: hva_to_pfn_fast, get_user_page_fast_only, virt/kvm/kvm_main.c, mm/gup.c, 6.12
    Context: no lock; never sleeps
    Returns: True: current.gup_folio holds a reference
    Left out: nothing
    """
    flags: foll_t = FOLL_GET
    if write:
        flags = FOLL_GET | FOLL_WRITE
    return follow_page_pte(current.mm, address, flags)


def hva_to_pfn(address: Address, write: bool, asynchronous: bool) -> RetPf:
    """Find the host page of a guest address.

    Source: hva_to_pfn, hva_to_pfn_slow, virt/kvm/kvm_main.c, 6.12
    Context: nothing held; takes mmap_lock for read (killable in GUP, then uninterruptible)
    Returns: FIXED: current.gup_folio holds a reference; ASYNC: needs I/O; INTERRUPTED; ERROR
    Left out: VM_IO and VM_PFNMAP mappings, hardware poison
    """
    if hva_to_pfn_fast(address, write):  # 8.11.1
        return RetPf.FIXED
    flags: foll_t = FOLL_GET
    if write:
        flags |= FOLL_WRITE
    if asynchronous:
        flags |= FOLL_NOWAIT  # 8.11.2
    else:
        flags |= FOLL_INTERRUPTIBLE
    pages = get_user_pages_unlocked(address, 1, flags)
    if pages == 1:
        return RetPf.FIXED
    if pages == -EINTR:
        return RetPf.INTERRUPTED
    mmap_read_lock(current.mm)
    vma = vma_lookup(current.mm, address)
    result = RetPf.ERROR
    if vma is not None and asynchronous:
        if not access_error(vma, write):
            result = RetPf.ASYNC  # 8.11.3
    mmap_read_unlock(current.mm)
    return result


@atomic
def kvm_find_async_pf_gfn(vcpu: VCPU, address: Address) -> bool:
    """Is an asynchronous fault for this page outstanding?

    Source: kvm_find_async_pf_gfn, arch/x86/kvm/x86.c, 6.12
    Context: vCPU thread
    Returns: True if so
    Left out: nothing
    """
    for work in each(AsyncPf):
        if work.is_queued and work.vcpu == vcpu and work.address == address:
            return True
    return False


@atomic
def kvm_setup_async_pf(vcpu: VCPU, address: Address) -> bool:
    """Queue the fault for a worker.

    Source: kvm_setup_async_pf, virt/kvm/async_pf.c, 6.12
    Context: vCPU thread
    Returns: True; False: the guest is not ready for it, or the limit is reached
    Left out: nothing
    """
    if not vcpu.can_inject or vcpu.queued >= ASYNC_PF_PER_VCPU:
        return False
    for work in each(AsyncPf):
        if not work.is_queued:
            work.is_queued = True
            work.is_running = False
            work.vcpu = vcpu
            work.mm = current.mm
            work.address = address
            vcpu.queued += 1
            if kvm_workqueue.idle is not None:
                kvm_workqueue.idle.wait_woken = True
                kvm_workqueue.idle = None
            return True
    return False


@atomic
def kvm_halt_begin(vcpu: VCPU, address: Address) -> bool:
    """Halt the vCPU until the outstanding fault for the page is done.

    Source: KVM_REQ_APF_HALT, kvm_vcpu_halt, arch/x86/kvm/x86.c, 6.12
    Context: vCPU thread
    Returns: True if it sleeps now
    Left out: nothing
    """
    if not kvm_find_async_pf_gfn(vcpu, address):
        return False
    current.wait_woken = False
    vcpu.halted = current
    return True


@atomic
def kvm_async_pf_done(work: AsyncPf):
    """Tell the vCPU: inject "page ready", wake it if it is halted.

    Source: async_pf_execute (end), kvm_check_async_pf_completion, virt/kvm/async_pf.c, 6.12
    Context: worker
    Returns: nothing
    Left out: the interrupt's way into the guest
    """
    vcpu = work.vcpu
    emit("ASYNC_PF_READY", work.address)
    work.is_queued = False
    work.is_running = False
    work.vcpu = None
    work.mm = None
    work.address = 0
    vcpu.queued -= 1
    if vcpu.halted is not None:
        vcpu.halted.wait_woken = True
        vcpu.halted = None


def kvm_faultin_pfn(vcpu: VCPU, address: Address, write: bool) -> RetPf:
    """A guest access to a page that is not mapped into the guest.

    Source: kvm_faultin_pfn, arch/x86/kvm/mmu/mmu.c, 6.12
    Context: vCPU thread, nothing held
    Returns: how it ended; FIXED and INTERRUPTED may have waited for I/O, ASYNC has not
    Left out: the guest's own page tables (no second MMU here), mmu notifier retries
    """
    result = hva_to_pfn(address, write, True)
    if result != RetPf.ASYNC:
        return kvm_release_pfn(result)
    if kvm_find_async_pf_gfn(vcpu, address):
        while kvm_halt_begin(vcpu, address):  # 8.11.4
            wait(current.wait_woken, killable, on=vcpu)
            current.wait_woken = False
            if current.fatal_signal_pending:
                return RetPf.INTERRUPTED
        return RetPf.HALTED
    if kvm_setup_async_pf(vcpu, address):  # 8.11.5
        emit("ASYNC_PF_NOT_PRESENT", address)
        return RetPf.ASYNC
    result = hva_to_pfn(address, write, False)  # 8.11.6
    return kvm_release_pfn(result)


def kvm_release_pfn(result: RetPf) -> RetPf:
    """The page is mapped into the guest; the reference is given back.

    Source: kvm_release_pfn_clean, virt/kvm/kvm_main.c, 6.12
    Context: vCPU thread
    Returns: result
    Left out: nothing
    """
    if result == RetPf.FIXED:
        cpu("kvm_map_page")
        gup_put_page()
    return result


@atomic
def kvm_take_work() -> AsyncPf:
    """The next queued fault, or go to sleep.

    Source: process_one_work, kernel/workqueue.c, 6.12
    Context: worker
    Returns: the fault; None: asleep until wait_woken
    Left out: order
    """
    for work in each(AsyncPf):
        if work.is_queued and not work.is_running:
            work.is_running = True
            return work
    current.wait_woken = False
    kvm_workqueue.idle = current
    return None


def async_pf_execute(work: AsyncPf):
    """Fault the page in on behalf of the guest.

    Source: async_pf_execute, virt/kvm/async_pf.c, 6.12
    Context: worker; mmap_lock of the VMM for read, uninterruptible; FOLL_UNLOCKABLE
    Returns: nothing
    Left out: nothing
    """
    mm = work.mm
    if mmget_not_zero(mm):
        address = work.address
        mmap_read_lock(mm)  # 8.11.7
        get_user_pages_remote(mm, address, 1, FOLL_WRITE, True)
        if current.gup_locked:
            mmap_read_unlock(mm)
        mmput(mm)
    kvm_async_pf_done(work)  # 8.11.8


def kvm_worker():
    """The work queue's thread.  Run it as a daemon thread.

    Source: worker_thread, kernel/workqueue.c, 6.12
    Context: nothing held between two faults
    Returns: never
    Left out: more than one sleeping worker
    """
    while True:
        work = kvm_take_work()
        if work is None:
            wait(current.wait_woken, on=kvm_workqueue)
            current.wait_woken = False
        else:
            async_pf_execute(work)
