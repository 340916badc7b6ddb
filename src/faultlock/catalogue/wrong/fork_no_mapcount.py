# SPDX-License-Identifier: GPL-2.0-only
"""fork-no-mapcount: fork copies an entry and does not count it in the mapcount.

Must be found as: S3 in cow+fork+child
"""

base = "drop-retry"


@atomic
def copy_present_pte(mm: MM, child: MM, address: Address):
    """Give the child one entry.

    Source: copy_present_pte, mm/memory.c, 6.12
    Context: both PTLs
    Returns: nothing
    Left out: nothing
    """
    folio = mm.pte[address]
    if folio is None:
        memory_charge(1)
    else:
        folio.refcount += 1
    pte_alloc(child, address)
    child.pte[address] = folio
    child.pte_flags[address] = mm.pte_flags[address]
    child.page_table[address // PTRS_PER_PTE] += 1
