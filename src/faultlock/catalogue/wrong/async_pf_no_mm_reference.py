# SPDX-License-Identifier: GPL-2.0-only
"""async-pf-no-mm-reference: the worker of asynchronous faults drops its reference and does not look whether it was the last.

Must be found as: S3 in kvm-vcpu+worker+exit
"""

base = "drop-retry"


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
        mm.users -= 1
    kvm_async_pf_done(work)  # 8.11.8
