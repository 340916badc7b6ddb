# SPDX-License-Identifier: GPL-2.0-only
"""Constants of the kernel: result bits, request bits, VMA flags, errors, advice.

Values are the kernel's where somebody outside sees them (include/linux/mm_types.h, mm.h,
pagemap.h, asm-generic/errno*.h, 6.12); the rest only has to be distinct.
"""

# vm_fault_t: how a fault ended
VM_FAULT_OOM = 0x1
VM_FAULT_SIGBUS = 0x2
VM_FAULT_MAJOR = 0x4
VM_FAULT_HWPOISON = 0x10
VM_FAULT_HWPOISON_LARGE = 0x20
VM_FAULT_SIGSEGV = 0x40
VM_FAULT_NOPAGE = 0x100
VM_FAULT_LOCKED = 0x200
VM_FAULT_RETRY = 0x400
VM_FAULT_FALLBACK = 0x800
VM_FAULT_DONE_COW = 0x1000
VM_FAULT_NEEDDSYNC = 0x2000
VM_FAULT_COMPLETED = 0x4000
VM_FAULT_RETRY_VMA = 0x8000  # only set by policy retry-vma: redo under the VMA lock
VM_FAULT_ERROR = VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV | VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE | VM_FAULT_FALLBACK
vm_fault_t = Flags[16]

# fault_flag_t: what a fault may do
FAULT_FLAG_WRITE = 1 << 0
FAULT_FLAG_MKWRITE = 1 << 1
FAULT_FLAG_ALLOW_RETRY = 1 << 2
FAULT_FLAG_RETRY_NOWAIT = 1 << 3
FAULT_FLAG_KILLABLE = 1 << 4
FAULT_FLAG_TRIED = 1 << 5
FAULT_FLAG_USER = 1 << 6
FAULT_FLAG_REMOTE = 1 << 7
FAULT_FLAG_INSTRUCTION = 1 << 8
FAULT_FLAG_INTERRUPTIBLE = 1 << 9
FAULT_FLAG_UNSHARE = 1 << 10
FAULT_FLAG_ORIG_PTE_VALID = 1 << 11
FAULT_FLAG_VMA_LOCK = 1 << 12
FAULT_FLAG_DEFAULT = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE | FAULT_FLAG_INTERRUPTIBLE
fault_flag_t = Flags[13]

# FOLL_*: what get_user_pages is asked for (only those that reach the fault path)
FOLL_WRITE = 1 << 0
FOLL_NOWAIT = 1 << 1
FOLL_NOFAULT = 1 << 2
FOLL_INTERRUPTIBLE = 1 << 3
FOLL_REMOTE = 1 << 4
FOLL_TRIED = 1 << 5
FOLL_UNLOCKABLE = 1 << 6
FOLL_GET = 1 << 7
foll_t = Flags[8]

# FGP_*: how __filemap_get_folio looks up or creates
FGP_LOCK = 1 << 0
FGP_CREAT = 1 << 1
FGP_NOWAIT = 1 << 2
FGP_FOR_MMAP = 1 << 3
fgp_t = Flags[4]

# VM_*: flags of a VMA
VM_READ = 1 << 0
VM_WRITE = 1 << 1
VM_EXEC = 1 << 2
VM_SHARED = 1 << 3
VM_GROWSDOWN = 1 << 4
VM_LOCKED = 1 << 5
VM_RAND_READ = 1 << 6
VM_SEQ_READ = 1 << 7
VM_HUGEPAGE = 1 << 8
VM_DONTCOPY = 1 << 9
VM_WIPEONFORK = 1 << 10
VM_MAYWRITE = 1 << 11
vm_flags_t = Flags[12]

# bits of a page table entry; a private (anonymous or copied) page is a bit, not a folio
PTE_ACCESSED = 1 << 0
PTE_WRITE = 1 << 1
PTE_PRIVATE = 1 << 2  # Model: anonymous memory has no folios; nothing here waits for one
pte_flags_t = Flags[3]

# advice of madvise
MADV_NORMAL = 0
MADV_RANDOM = 1
MADV_SEQUENTIAL = 2
MADV_WILLNEED = 3
MADV_DONTNEED = 4
MADV_FREE = 8
MADV_REMOVE = 9
MADV_DONTFORK = 10
MADV_DOFORK = 11
MADV_HUGEPAGE = 14
MADV_NOHUGEPAGE = 15
MADV_WIPEONFORK = 18
MADV_KEEPONFORK = 19
MADV_COLD = 20
MADV_PAGEOUT = 21
MADV_POPULATE_READ = 22
MADV_POPULATE_WRITE = 23

# errors are negative, as in the kernel
EINTR = 4
EIO = 5
ESRCH = 3
EAGAIN = 11
ENOMEM = 12
EFAULT = 14
EBUSY = 16
EEXIST = 17
EINVAL = 22
AOP_TRUNCATED_PAGE = 0x80001
errno_t = Range[-64, AOP_TRUNCATED_PAGE]

# what a lock event (emit LOCK_ACQUIRED, LOCK_RELEASED) is about
LOCK_MMAP = 1
LOCK_VMA = 2
LOCK_INVALIDATE = 3
LOCK_FOLIO = 4
LOCK_I_RWSEM = 5
LOCK_I_MMAP = 6

# page tables and readahead
PTRS_PER_PTE = 512
HPAGE_PMD_NR = 512
HPAGE_PMD_ORDER = 9
MAX_READERS_WAKEUP = 256
SWAP_CLUSTER_MAX = 32


class LockMode(Enum):
    """How a reader/writer lock is held or wanted."""

    NONE = 0
    READ = 1
    WRITE = 2


class WaitKind(Enum):
    """What a queued thread waits for: an rwsem, or a folio bit."""

    NONE = 0
    READ = 1
    WRITE = 2
    EXCLUSIVE = 3  # wants the folio lock
    SHARED = 4  # wants the folio to be unlocked
    HANDOFF = 5  # wants the folio lock handed over (WQ_FLAG_CUSTOM)


class Trap(Enum):
    """What became of a page fault, as the trapping code sees it."""

    MAPPED = 0  # repeat the instruction (or go on)
    SIGNAL = 1  # returned unmapped because a signal is pending
    SIGSEGV = 2
    SIGBUS = 3
    OOM = 4
    FIXUP = 5  # kernel-mode access gave up: -EFAULT
