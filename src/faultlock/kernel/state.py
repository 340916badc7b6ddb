# SPDX-License-Identifier: GPL-2.0-only
"""The state of the kernel: every struct that kernel/ and policies/ use, and its sizes.

READ THIS FIRST.  A field that is neither Const nor Private is shared: each access to it is a
point at which another thread may run.  Fields under a `# ghost` comment exist for the
properties only: no function of the kernel text decides by them.

Units: addresses, indexes, sizes and i_size are in pages of 4096 bytes.
"""

# ---- sizes: a scenario or a workload sets them ----------------------------------------------

KERNEL_VERSION: Param = 618  # 612, 618 or 700
N_THREADS: Param = 2
N_MMS: Param = 1
N_VMAS: Param = 2  # of all address spaces together
N_VMAS_PER_MM: Param = 2
N_FILES: Param = 1
N_MAPPINGS: Param = 1
N_FILE_PAGES: Param = 2  # length of the longest file
N_ADDRESS_PAGES: Param = 2  # length of the longest address space
N_FOLIOS: Param = 2
N_REQUESTS: Param = 2
MAX_REFCOUNT: Param = 15  # of a folio; raise it with the threads and the folio size
MEMORY_PAGES: Param = 0  # memory for the page cache and private pages; 0: only the pools limit
MAX_WINDOW_PAGES: Param = 32  # the longest readahead window
LARGE_FOLIOS: Param = 0  # 1: some file system makes folios of several pages (simulator)

# ---- switches: which optional behaviour is explored -----------------------------------------

RWSEM_STEAL: Param = 0  # 1: a released lock may be taken by others before the woken writer runs
RWSEM_SPIN: Param = 0  # 1: writers spin optimistically before they queue (simulator)
RWSEM_HANDOFF: Param = 0  # 1: a writer that waited 4 ms forbids stealing (choice by time)
PAGE_LOCK_UNFAIRNESS: Param = 5  # how often a folio lock waiter may lose before a handoff
IO_ERRORS: Param = 0  # 1: a read may fail
FAULT_AROUND_PAGES: Param = 16  # fault_around_bytes / 4096
FAULT_AROUND_HITS: Param = 0  # 0: every page counts as a hit (6.12 to 7.0); 1: see mmap_miss_hits
MMAP_LOTSAMISS: Param = 100
IO_PAGES: Param = 32  # optimal request size of the device
MAX_BIO_PAGES: Param = 256  # longest single request
EXEC_FOLIO_ORDER: Param = 0  # the architecture's; 4 on arm64 with 4 KiB pages
LRU: Param = 0  # 0: reclaim may choose any folio; 1: one list; 2: active and inactive list
ZONE: Param = 0  # 1: allocations look at the watermarks of the zone (simulator)
WMARK_MIN_PAGES: Param = 0  # with this many free pages or fewer an allocation reclaims first
KSWAPD_LOW_PAGES: Param = 0  # kswapd is woken when fewer pages are free
KSWAPD_HIGH_PAGES: Param = 0  # and sleeps when as many are
STALE_ACTIVE_PAGES: Param = 0  # the active list by statistics from before the start
PCP_BATCH: Param = 0  # pages that the per-CPU list takes from the zone at once
PCP_HIGH_MIN: Param = 0  # how long the per-CPU list may become, at least
PCP_HIGH_MAX: Param = 0  # and at most
FORK_CHILD: Param = 1  # 0: fork does everything but to make the child's address space
DIRECT_RECLAIM: Param = 0  # 1: an allocation that fails reclaims first (try_to_free_pages)
NOWAIT_STRICT: Param = 1  # 0: a RETRY_NOWAIT fault that sleeps is counted, no error (simulator)
TLB: Param = 0  # 1: there is a TLB (simulator)
DIRTY_EXCEEDED: Param = 0  # 1: writers are throttled (balance_dirty_pages)

Index = Range[0, N_FILE_PAGES]
Address = Range[0, N_ADDRESS_PAGES]
ThreadCount = Range[0, N_THREADS]
WindowPages = Range[0, MAX_WINDOW_PAGES]
WindowStart = Range[0, N_FILE_PAGES + MAX_WINDOW_PAGES]
FolioOrder = Range[0, 9]
N_PAGE_TABLES = N_ADDRESS_PAGES // PTRS_PER_PTE + 1
gup_t = Range[-64, N_ADDRESS_PAGES]  # pages done, or a negative error
N_SHADOWS = 1 + (N_FILE_PAGES - 1) * (LRU == 2)
AGE_MASK = (1 << 30) - 1
VMSCAN = ZONE | MEMCG  # 1: isolated folios are counted, statistics of the lists are late
Age = Range[0, AGE_MASK]
FolioCount = Range[0, min(N_FOLIOS * (1 << 9), (1 << 31) - 1)]  # of pages in folios


class RwSemaphore(Struct):
    """A reader/writer semaphore (kernel: struct rw_semaphore).

    The waiters bit is `first_waiter is not None`; the queue links threads by `wait_next`.
    """

    writer: Thread  # the kernel's owner word while write-locked
    readers: ThreadCount
    first_waiter: Thread
    last_waiter: Thread
    handoff: bool  # RWSEM_FLAG_HANDOFF: only the first waiter may take it
    nonspinnable: bool  # RWSEM_NONSPINNABLE


class MM(Struct, count=N_MMS):
    """One address space (kernel: struct mm_struct)."""

    mmap_lock: Own[RwSemaphore]
    mmap_base: Address  # areas without a wish lie below it; 0: the end of the address space
    map_count: Range[0, N_VMAS_PER_MM]
    vmas: Array[N_VMAS_PER_MM, VMA]  # sorted by vm_start; Model: an array for the maple tree
    pte: Array[N_ADDRESS_PAGES, Folio]  # page cache folio mapped at an address
    pte_flags: Array[N_ADDRESS_PAGES, pte_flags_t]
    page_table: Array[N_PAGE_TABLES, Range[0, PTRS_PER_PTE + 1]]  # 0: none; 1 + present PTEs
    users: Range[0, N_THREADS * 2]  # mm_users: threads and others that keep it
    tlb_flush_pending: Range[0, VMSCAN * 65535]  # tlb_flush_batched: times reclaim removed entries
    tlb_flush_flushed: Range[0, VMSCAN * 65535]  # tlb_flush_batched: how many of them are flushed
    live_children: Range[0, TLB * 65535]  # forked address spaces that still share its private pages
    write_locked_vmas: VMA  # list by next_write_locked, ended together (see vma_end_write_all)
    vma_writer_wait: Thread  # 6.15+: the one writer that waits for VMA readers
    unstable: bool  # MMF_UNSTABLE: the OOM reaper has been here
    oom_skip: bool  # MMF_OOM_SKIP: nothing left for the OOM reaper
    first_sleeper: Thread  # policy hold-until-writer: readers asleep with mmap_lock
    writers_announced: ThreadCount  # policy hold-until-writer


class VMA(Struct, count=N_VMAS):
    """One mapping of an address range (kernel: struct vm_area_struct)."""

    vm_mm: Const[MM]
    vm_start: Address
    vm_end: Address
    vm_file: Const[File]  # None: anonymous
    vm_pgoff: Index  # file index of vm_start
    vm_flags: vm_flags_t
    anon_vma: bool  # something was copied on write here
    map_pages: Const[bool]  # vm_ops->map_pages exists
    page_mkwrite: Const[bool]  # vm_ops->page_mkwrite exists
    vm_lock: Own[RwSemaphore]  # 6.12: vm_lock->lock
    vm_refcnt: Range[0, N_THREADS + 1]  # 6.15+: 0 detached, 1 + readers
    exclude_readers: bool  # 6.15+: bit 30 of vm_refcnt
    detached: bool  # 6.12
    write_locked: bool  # vm_lock_seq == mm_lock_seq
    next_write_locked: VMA
    next_in_mapping: VMA  # mapping.i_mmap list
    next_detached: VMA  # munmap's list of what it took out of the tree
    rcu_readers: ThreadCount  # threads between lookup and lock, or in a walk under RCU
    freed: bool  # freed, but an RCU reader still sees it
    first_sleeper: Thread  # policy hold-until-writer: readers asleep with this VMA's lock


class File(Struct, count=N_FILES):
    """An open file and its readahead state (kernel: struct file, file_ra_state)."""

    f_count: Range[0, MAX_REFCOUNT]
    f_mapping: Const[Mapping]
    f_mode_random: bool  # FMODE_RANDOM
    ra_start: WindowStart
    ra_size: WindowPages
    ra_async_size: WindowPages
    ra_order: Range[0, HPAGE_PMD_ORDER + 2]  # limited to the mapping's when it is used
    ra_pages: WindowPages
    mmap_miss: Range[0, MMAP_LOTSAMISS * 10]
    prev_read: Range[0, N_FILE_PAGES + 1]  # 1 + page of prev_pos, 0: none; read(2) only


class Mapping(Struct, count=N_MAPPINGS):
    """The page cache of one inode (kernel: struct address_space and struct inode)."""

    i_size: Index  # Model: in pages, rounded up
    pages: Array[N_FILE_PAGES, Folio]  # i_pages; may hold page_cache.resident or .shadow
    i_rwsem: Own[RwSemaphore]
    invalidate_lock: Own[RwSemaphore]
    i_mmap_rwsem: Own[RwSemaphore]
    i_mmap: VMA  # list by next_in_mapping
    uses_invalidate_lock: Const[bool]  # False: a simple file system (truncate_setsize only)
    min_order: Const[FolioOrder]
    max_order: Const[FolioOrder]  # 0: no large folios
    has_page_mkwrite: Const[bool]  # its mappings have vm_ops->page_mkwrite
    sparse: Const[bool]  # nothing was ever written: reads are of holes
    served: Const[bool]  # reads are answered by a server thread (FUSE), not by a device
    i_dio_count: Range[0, N_THREADS]  # direct I/O in flight
    i_dio_waiter: Thread  # the one truncater (it holds i_rwsem) that waits for direct I/O
    shadow_age: Array[N_SHADOWS, Age]  # lruvec.nonresident_age at eviction (LRU == 2)
    nr_thps: bool  # khugepaged made a large folio of a file without large folio support
    fuse_waiter: Thread  # first of the server threads that wait for a request in fuse_dev_read
    fuse_aborted: bool  # the connection is gone: every request fails


class page_cache(Struct, count=1):
    """Two folios that stand for what has no folio.  None in the checker.

    `resident` in mapping.pages: cached, clean, uptodate, never looked at; a lookup makes it
    a real folio.  `shadow`: evicted (kernel: shadow entry); a lookup finds nothing.
    """

    resident: Const[Folio]
    shadow: Const[Folio]
    shadow_workingset: Const[Folio]  # evicted while PG_workingset


class Folio(Struct, count=N_FOLIOS):
    """A power-of-two group of pages handled as one (kernel: struct folio)."""

    mapping: Mapping  # None: not in the page cache (truncated, reclaimed)
    index: Const[Index]
    order: Const[FolioOrder]
    refcount: Range[0, MAX_REFCOUNT]
    mapcount: Range[0, MAX_REFCOUNT]  # PTEs that map it
    locked: bool  # PG_locked
    uptodate: bool  # PG_uptodate
    readahead: bool  # PG_readahead
    workingset: bool  # PG_workingset
    dirty: bool  # PG_dirty
    writeback: bool  # PG_writeback
    writeback_waiter: Thread
    referenced: bool  # PG_referenced
    active: bool  # PG_active
    rmap_hint: VMA  # who mapped it last (LRU > 0): rmap_next looks there first
    lru: bool  # PG_lru: cleared while reclaim or khugepaged has it isolated
    lru_next: Folio  # towards the tail, the cold end (lists exist when LRU > 0)
    lru_prev: Folio
    has_buffers: Range[0, ZONE]
    first_waiter: Thread  # Model: a queue per folio for the kernel's 256 hashed queues
    last_waiter: Thread
    # ghost
    locked_by: Thread  # who took PG_locked; None while a read that was submitted owns it
    reading: bool  # a read of it is in flight
    extra_refs: Range[0, MAX_REFCOUNT]  # isolation, pages handed out by GUP, collapse


class Request(Struct, count=N_REQUESTS):
    """A read that was handed to the device or the server (kernel: struct bio, request)."""

    mapping: Const[Mapping]
    index: Const[Index]
    nr: Const[Range[0, MAX_BIO_PAGES]]
    in_flight: bool
    fuse_server: Thread  # the server thread that took it from the queue


class block_queue(Struct, count=1):
    """Threads that wait for a free request (kernel: blk_mq tags)."""

    first_waiter: Thread
    last_waiter: Thread


class memory(Struct, count=1):
    """Memory in use, counted only when MEMORY_PAGES is not 0 (kernel: struct mem_cgroup)."""

    used_pages: Range[0, MEMORY_PAGES]


class zone(Struct, count=1):
    """The zone's state when ZONE is 1 (kernel: struct zone, struct per_cpu_pages, pg_data_t)."""

    below_high: Range[0, ZONE]  # ZONE_BELOW_HIGH
    reclaim_active: Range[0, ZONE]  # ZONE_RECLAIM_ACTIVE: kswapd works
    pcp_count: Range[0, ZONE * 65535]  # free pages on the per-CPU list: not free for the watermarks
    pcp_high: Range[0, ZONE * 65535]
    pcp_alloc_factor: Range[0, ZONE * 7]
    pcp_free_count: Range[0, ZONE * 65535]
    buffer_heads: Range[0, ZONE * ((1 << 31) - 1)]
    throttled: Thread  # first of those in pfmemalloc_wait
    stalled: Thread  # first of those in reclaim_wait[VMSCAN_THROTTLE_ISOLATED]


class lruvec(Struct, count=1):
    """The LRU lists of file folios (kernel: struct lruvec) and the thread that keeps them short."""

    inactive_head: Folio
    inactive_tail: Folio
    active_head: Folio
    active_tail: Folio
    nr_inactive: FolioCount
    nr_active: FolioCount
    nr_isolated: Range[-VMSCAN * (1 << 30), VMSCAN * (1 << 30)]  # the node's count, without those of the CPUs
    isolated: Range[0, VMSCAN * (1 << 30)]
    isolated_diff: Array[N_CPUS, Range[-VMSCAN * 1024, VMSCAN * 1024]]
    nonresident_age: Age
    activations: Range[0, VMSCAN * AGE_MASK]  # WORKINGSET_ACTIVATE_FILE
    stat_inactive: Range[0, VMSCAN * ((1 << 31) - 1)]  # what lruvec_page_state() says: as of the last flush
    stat_active: Range[0, VMSCAN * ((1 << 31) - 1)]
    stat_activations: Range[0, VMSCAN * AGE_MASK]
    seen_activations: Range[0, VMSCAN * AGE_MASK]  # lruvec.refaults
    kswapd: Thread  # asleep until woken (None: no kswapd, or it runs)
    tree_scanned: Range[0, VMSCAN * ((1 << 31) - 1)]  # since vmpressure's kworker looked last
    vmpressure_pending: bool  # that kworker has work
    vmpressure_worker: Thread  # it, while it sleeps


class Thread(Struct, count=N_THREADS):
    """A task (kernel: struct task_struct), with the fault it is in (struct vm_fault)."""

    mm: Const[MM]
    serves: Mapping  # the FUSE file whose device this thread has open
    is_unborn: bool  # waits for a fork to give it an address space
    parent: Thread  # who forked this process
    child_exited: bool  # a child is dead: waitpid returns
    fatal_signal_pending: bool
    signal_pending: bool  # an ordinary signal
    # waiting: a thread is in one queue at a time
    wait_next: Thread
    wait_kind: WaitKind
    wait_woken: bool  # WQ_FLAG_WOKEN; rwsem: waiter.task == NULL or a wake-up
    wait_granted: bool  # the waker took the lock for us (WQ_FLAG_DONE)
    wait_handoff: bool  # rwsem waiter.handoff_set
    # struct vm_fault
    pages_copied: Private[int]  # by its last fork (counted only when TLB is not 0)
    pages_mapped: Private[Range[0, TLB * 1024]]  # by the fault-around it is in
    folios_tried: Private[Range[0, TLB * 1024]]  # by the fault-around it is in
    ptes_batched: Private[Range[0, TLB * 1024]]  # entries done together with the one before: of the same folio
    lru_add: Private[Range[0, MEMCG * PAGEVEC_SIZE]]  # small folios in the batch (kernel: of the CPU)
    memalloc_nofs: Private[Range[0, VMSCAN]]  # PF_MEMALLOC_NOFS: in the middle of readahead
    memcg_nr_pages_over_high: Private[PageCount]  # charged above memory.high, not yet paid for
    tlb_ubc: Private[MM]  # reclaim has removed entries of it and not yet flushed the TLBs
    vmf_vma: Private[VMA]  # set to None when the fault lock is released: no use after that
    vmf_address: Private[Address]
    vmf_pgoff: Private[Index]
    vmf_flags: Private[fault_flag_t]
    vmf_page: Private[Folio]
    vmf_cow_page: Private[bool]  # a page for the private copy was allocated
    # get_user_pages (kernel: arguments `locked` and `pages`)
    gup_locked: Private[bool]  # the caller's mmap_lock is still held
    gup_folio: Private[Folio]  # the page that was handed out, with a reference
    read_folio: Private[Folio]  # read(2): the last folio of the batch, with a reference
    # ghost: what the thread holds
    kernel_depth: Private[Range[0, 3]]  # 0: in user mode, or dead
    holds_mmap_lock: Private[MM]
    mmap_lock_mode: Private[LockMode]
    holds_vma_lock: Private[VMA]
    holds_invalidate_lock: Private[Mapping]
    invalidate_lock_mode: Private[LockMode]
    holds_i_rwsem: Private[Mapping]
    holds_i_mmap_rwsem: Private[Mapping]
    holds_folio_lock: Private[Folio]
    holds_folio: Private[Folio]  # a reference
    holds_other_folio: Private[Folio]  # a second one
    pinned_file: Private[File]
    # ghost: what the thread has seen
    i_size_seen: Private[Index]  # largest i_size since it took the folio lock (S10)
    eof_seen: Private[bool]  # this fault found its index beyond i_size (S12)
    read_failed: Private[bool]  # this fault saw a read fail (S12)
    attempts: Private[Range[0, 7]]  # calls of handle_mm_fault in this trap (L5)
    # policy hold-until-writer (see there)
    writer_arrived: bool
    sleeper_next: Thread
