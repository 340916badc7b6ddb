# SPDX-License-Identifier: GPL-2.0-only
"""fork-fix: fork does not wait for faults on VMAs of which it copies nothing.

An addition that combines with any policy of the fault path: `hold+fork-fix`.  Variants were
proposed by Barry Song and Yang Shi in May 2026; Lorenzo Stoakes and David Hildenbrand objected
to changing fork.

dup_mmap write-locks every VMA of the parent, which waits for each fault that holds the VMA
lock.  For a file mapping in which nothing was ever copied on write, fork copies no page tables:
the child faults the pages in again.  Such a VMA needs no write lock, because

- its fields cannot change: that needs mmap_lock for write, which fork holds;
- it cannot get its first private page meanwhile: creating anon_vma needs mmap_lock
  (vmf_anon_prepare only tries it), and fork holds that for write;
- a page that a fault maps in the parent while fork runs is not copied, and need not be.

FORK_FIX_ANON_VMA=0 is the more careful variant: only shared mappings and mappings that can never
become writable are skipped, whether or not something was copied.
"""

FORK_FIX_ANON_VMA: Param = 1


@atomic
def fork_copies_nothing(vma: VMA) -> bool:
    """Will fork leave the page tables of this VMA alone, whatever its faults do meanwhile?

    Source: vma_needs_copy, mm/memory.c, 6.12, and the proposals of May 2026
    Context: mmap_lock held for write
    Returns: True if no write lock is needed
    Left out: userfaultfd write protection, PFN and mixed maps
    """
    if vma.vm_file is None:
        return False
    if FORK_FIX_ANON_VMA == 1:
        return not vma.anon_vma
    return (vma.vm_flags & VM_SHARED) != 0 or (vma.vm_flags & VM_MAYWRITE) == 0


def dup_mmap_lock_vma(vma: VMA) -> bool:
    """Keep faults out of one VMA while it is copied, if it is copied.

    Source: vma_start_write (6.12, 6.18), vma_start_write_killable (7.0) in dup_mmap, changed
    Context: mmap_lock held for write; may wait for the VMA's readers: uninterruptible before 7.0
    Returns: True; False: killed
    Left out: nothing
    """
    if fork_copies_nothing(vma):
        return True
    if KERNEL_VERSION >= 700:
        return vma_start_write_killable(vma)
    vma_start_write(vma)
    return True
