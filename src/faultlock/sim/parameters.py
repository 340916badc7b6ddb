# SPDX-License-Identifier: GPL-2.0-only
"""A workload's parameters of the model, and the model's numbers for words of the workload file."""

from __future__ import annotations

from math import isqrt

from faultlock.sim.memory_plan import PTRS_PER_PTE, Plan
from faultlock.workload.schema import Threads, Workload

PAGE_BYTES = 4096
VMAS_PER_ARENA = 3  # writable, reserved, and what is unmapped again
VMA_SPARE = 64  # for mmap, split and the like
MAX_REFCOUNT = (1 << 31) - 1
MAX_SIMULATED_CPUS = 1024
# Memory that is not free when the threads start, if the workload does not say: /proc/zoneinfo of a
# guest of 128 MiB (MEMMAP_SHARE: struct page), and what a thread takes (kernel stack, task, stack).
KERNEL_SHARE_PAGES = 5_950
MEMMAP_SHARE = 64
THREAD_PAGES = 13
# include/linux/xarray.h; max_nodes in count_shadow_nodes, mm/workingset.c; /proc/slabinfo with the
# pointer to the cgroup
XA_CHUNK_SIZE = 64
SHADOW_SHARE = 8
XA_NODE_BYTES = 584
NOT_MANAGED_PAGES = 1_900  # allocated after boot: free and these together are what the zone manages

KINDS = {
    "touch": "TOUCH",
    "kernel_mode_fault": "KERNEL_MODE_FAULT",
    "anon_touch": "ANON_TOUCH",
    "fork": "FORK",
    "mmap_munmap": "MMAP_MUNMAP",
    "mprotect": "MPROTECT",
    "read_proc": "READ_PROC",
    "sleep": "SLEEP",
    "compute": "COMPUTE",
    "madvise": "MADVISE",
    "populate": "POPULATE",
    "populate_read": "POPULATE_READ",
    "willneed": "MADVISE",
    "gup": "GUP",
    "mmap": "MMAP",
    "munmap": "MUNMAP",
    "vcpu": "VCPU",
    "fuse_receive": "FUSE_RECEIVE",
    "fuse_reply": "FUSE_REPLY",
}
PROC_FILES = {
    "maps": 0,
    "smaps": 1,
    "smaps_rollup": 2,
    "cmdline": 3,
    "environ": 4,
    "status": 6,
    "stat": 6,
}
ADVICE = {"normal": 0, "random": 1, "sequential": 2, "willneed": 3, "dontneed": 4}


def _spare(count: int) -> int:
    return max(count, 1)


def expanded(workload: Workload) -> list[tuple[Threads, int, int]]:
    """(group, number within its process, number within the group) of each thread."""
    numbers: dict[str, int] = {}
    found = []
    for group in workload.threads:
        for index in range(group.count):
            number = numbers.get(group.process, 0)
            numbers[group.process] = number + 1
            found.append((group, number, index))
    return found


def ops_of(group: Threads) -> set[str]:
    """Names of the operations of a group's loop."""
    return {operation.op for operation in group.loop}


def memory_pages(workload: Workload) -> int:
    """Pages there are for the page cache and private memory."""
    cache = workload.page_cache
    if cache.limit_bytes:
        return cache.limit_bytes // PAGE_BYTES
    threads = sum(group.count for group in workload.threads)
    pages = workload.machine.memory_bytes // PAGE_BYTES
    share = KERNEL_SHARE_PAGES + pages // MEMMAP_SHARE + THREAD_PAGES * threads
    return max(pages - (cache.kernel_bytes // PAGE_BYTES or share), 1024)


def zone_parameters(pages: int, cpus: int, stale_active: int = 0) -> dict[str, int]:
    """Watermarks and per-CPU list of a zone with `pages` free pages at the start.

    Source: init_per_zone_wmark_min, __setup_per_zone_wmarks, zone_batchsize, zone_highsize,
    mm/page_alloc.c, 6.12.
    """
    managed = pages + NOT_MANAGED_PAGES
    least = min(max(isqrt(managed * 4 * 16), 128), 262_144) // 4
    step = max(least // 4, managed // 1000)
    batch = max(min(managed >> 12, 64), 1)
    batch = (1 << (batch + batch // 2).bit_length() - 1) - 1
    low = least + step
    return {
        "ZONE": 1,
        "MEMORY_PAGES": pages,
        "STALE_ACTIVE_PAGES": stale_active,
        "WMARK_MIN_PAGES": least,
        "KSWAPD_LOW_PAGES": low,
        "KSWAPD_HIGH_PAGES": least + 2 * step,
        "PCP_BATCH": max(batch, 1),
        "PCP_HIGH_MIN": max(low // cpus, max(batch, 1) << 2),
        "PCP_HIGH_MAX": min(max(managed // 8 // cpus, max(batch, 1) << 2), 60_000),
    }


def is_short(workload: Workload, plan: Plan) -> bool:
    """Is there less memory than the files have pages?"""
    return memory_pages(workload) < sum(pages for pages, _ in plan.caches)


def memcg_parameters(workload: Workload) -> dict[str, int]:
    """memory.high and memory.max of the cgroup that the threads are in, in pages."""
    cache = workload.page_cache
    limit = cache.limit_bytes // PAGE_BYTES
    return {
        "MEMCG": 1,
        "MEMCG_MAX_PAGES": limit,
        "MEMCG_HIGH_PAGES": min(cache.high_bytes // PAGE_BYTES or limit, limit),
    }


def memcg_kernel_pages(workload: Workload, plan: Plan) -> int:
    """Charged to the cgroup besides the page cache: threads, page tables of their mappings, and
    xarray nodes of the files (evicted pages leave shadows in them; too many of those are freed)."""
    if not has_memcg(workload, plan):
        return 0
    threads = sum(group.count for group in workload.threads)
    mapped = sum(
        mapping.count * -(-region.pages // PTRS_PER_PTE)
        for mapping in workload.mappings
        for region in [plan.processes[mapping.process].regions[mapping.name]]
    )
    given = workload.page_cache.kernel_bytes // PAGE_BYTES
    limit = workload.page_cache.limit_bytes // PAGE_BYTES
    nodes = sum(-(-pages // XA_CHUNK_SIZE) for pages, _ in plan.caches)
    kept = min(nodes, limit // SHADOW_SHARE + limit // XA_CHUNK_SIZE)
    kernel = THREAD_PAGES * threads + mapped + kept * XA_NODE_BYTES // PAGE_BYTES
    return min(given or kernel, limit // 2)


def has_memcg(workload: Workload, plan: Plan) -> bool:
    """Is it a memory cgroup's memory that is short?"""
    return is_short(workload, plan) and workload.page_cache.limit_bytes > 0


def has_kswapd(workload: Workload, plan: Plan) -> bool:
    """Is it the machine's memory that is short (and not a memory cgroup's)?"""
    cache = workload.page_cache
    return is_short(workload, plan) and cache.scope == "memory" and not cache.limit_bytes


def stat_threshold(workload: Workload) -> int:
    """Up to how much a CPU keeps its count of a node to itself (calculate_normal_threshold())."""
    blocks = workload.machine.memory_bytes >> 27
    return min(125, 2 * workload.machine.cpus.bit_length() * (1 + blocks.bit_length()))


def limit_parameters(workload: Workload, plan: Plan) -> dict[str, int]:
    """Parameters of what is short: the machine's memory, a memory cgroup's, or nothing."""
    threshold = {"STAT_THRESHOLD": stat_threshold(workload)}
    if has_memcg(workload, plan):
        return memcg_parameters(workload) | threshold
    if not has_kswapd(workload, plan):
        return {}
    available = memory_pages(workload)
    stale = min(workload.page_cache.stale_active_bytes // PAGE_BYTES, available)
    return zone_parameters(available, workload.machine.cpus, stale) | threshold


def kernel_roles(workload: Workload, plan: Plan) -> dict[str, str]:
    """Threads of the kernel by name, and what they do; the interrupt is the last.  Among them is
    the thread that has started those of the workload."""
    roles = {}
    if has_kswapd(workload, plan):
        roles = {"kswapd0": "kswapd"}
    if roles or has_memcg(workload, plan):
        roles["kworker"] = "kworker_vmpressure"
        roles["flush_memcg_stats"] = "flush_memcg_stats_dwork"
    others = {"main": "main_thread", "rcu_sched": "rcu_gp_kthread", "interrupt": "interrupt"}
    return {**roles, **others}


def parameters_of(workload: Workload, plan: Plan, threads: int, operations: int) -> dict[str, int]:
    """The model's parameters for this workload."""
    pages = max((pages for pages, _ in plan.caches), default=1)
    per_mm = [len(p.vmas) + VMAS_PER_ARENA * len(p.arenas) for p in plan.processes.values()]
    absent = sum(m.count for m in workload.mappings if not m.at_start)
    available = memory_pages(workload)
    vcpus = sum(group.count for group in workload.threads if "vcpu" in ops_of(group))
    short = is_short(workload, plan)
    device = workload.device
    in_qemu = workload.machine.clock == "shared-instructions"
    return {
        "KERNEL_VERSION": workload.kernel.number,
        "FLUSH_TIME_US": workload.page_cache.flush_stats_ns // 1000,
        "N_CPUS": min(workload.machine.cpus, MAX_SIMULATED_CPUS),
        "N_THREADS": threads,
        "N_MMS": _spare(len(plan.processes)),
        "N_VMAS": sum(per_mm) + absent + VMA_SPARE + threads,
        "N_VMAS_PER_MM": max(per_mm, default=1) + absent + VMA_SPARE + threads,
        "N_FILES": _spare(len(plan.files)),
        "N_MAPPINGS": _spare(len(plan.caches)),
        "N_FILE_PAGES": _spare(pages),
        "N_ADDRESS_PAGES": max((p.end for p in plan.processes.values()), default=512),
        "N_FOLIOS": min(available + threads, sum(pages for pages, _ in plan.caches) + 1) + 1,
        "N_REQUESTS": device.queue_depth * device.submit_queues + 1,
        "MAX_REFCOUNT": MAX_REFCOUNT,
        "MAX_WINDOW_PAGES": max(2 * workload.kernel.readahead_pages, 1024),
        "LARGE_FOLIOS": int(any(file.large_folios for file in workload.files)),
        "FAULT_AROUND_PAGES": workload.kernel.fault_around_pages,
        "MEMORY_PAGES": 0,
        "LRU": 2 if short else 0,
        "DIRECT_RECLAIM": int(short),
        "N_VCPUS": vcpus,
        "N_ASYNC_PF": 64 * vcpus,
        "FORK_CHILD": 0,
        "RETRY_VMA_MEASURED": int(in_qemu),  # else the series as it was posted
        "RWSEM_STEAL": int(workload.kernel.reader_stealing),
        "RWSEM_HANDOFF": int(workload.kernel.reader_stealing),
        "N_HEAPS": sum(1 + len(p.arenas) for p in plan.processes.values()),
        "HEAP_PAGES_MAX": max(p.heap_span for p in plan.processes.values()),
        "HEAP_CHUNKS": max(1, *(p.heap_chunks for p in plan.processes.values())),
        "NOWAIT_STRICT": 0,
        "TLB": 1,
        "TLB_SLOTS": 1024,
        "AREA_PAGES": 1024,
        "TLB_SLOTS_MIN": 64 if in_qemu else 1024,
        "TLB_FLUSHED_BY_SWITCH": int(in_qemu),
        "N_OPERATIONS": _spare(operations),
        "IO_ERRORS": int(workload.device.error_rate > 0),
        **limit_parameters(workload, plan),
    }
