# SPDX-License-Identifier: GPL-2.0-only
"""mm-users-not-tested: an address space whose last user is gone is used again.

Must be found as: S0 in kvm-vcpu+worker+exit
"""

base = "drop-retry"


@atomic
def mmget_not_zero(mm: MM) -> bool:
    """Become a user of an address space that still has one.

    Source: mmget_not_zero, include/linux/sched/mm.h, 6.12
    Context: any
    Returns: True if it has
    Left out: nothing
    """
    mm.users += 1
    return True
