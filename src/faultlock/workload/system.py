# SPDX-License-Identifier: GPL-2.0-only
"""What a workload runs on: kernel, machine, device, page cache (part of `schema.py`)."""

# ruff: noqa: RUF009 - key() only returns dataclasses.field()

from __future__ import annotations

from dataclasses import dataclass

from faultlock.workload.distribution import Distribution, constant
from faultlock.workload.fields import key

KERNEL_VERSIONS = ("6.12", "6.18", "7.0")


@dataclass(frozen=True)
class Kernel:
    """Which kernel the workload runs on. Empty values follow from `version`."""

    version: str = key("6.18", "choice", "kernel whose rules apply", choices=KERNEL_VERSIONS)
    vma_lock: str = key(
        "",
        "choice",
        "form of the per-VMA lock; empty: rwsem in 6.12, refcount later",
        choices=("", "rwsem", "refcount"),
    )
    readahead_rules: str = key(
        "", "choice", "readahead rules; empty: those of version", choices=("", *KERNEL_VERSIONS)
    )
    readahead_pages: int = key(
        32, "int", "ra_pages of a freshly opened file", minimum=0, maximum=65536
    )
    fault_around_pages: int = key(
        16, "int", "pages mapped around a fault that hits the page cache", minimum=1, maximum=512
    )
    reader_stealing: bool = key(
        True, "bool", "readers take a released rwsem past queued writers (Linux 5.11 and later)"
    )

    @property
    def number(self) -> int:
        """612, 618 or 700: the model's parameter KERNEL_VERSION."""
        major, minor = self.version.split(".")
        return int(major) * 100 + int(minor)

    @property
    def effective_vma_lock(self) -> str:
        """`rwsem` or `refcount`."""
        return self.vma_lock or ("rwsem" if self.version == "6.12" else "refcount")

    @property
    def effective_readahead_rules(self) -> str:
        """`6.12`, `6.18` or `7.0`."""
        return self.readahead_rules or self.version


@dataclass(frozen=True)
class Machine:
    """CPUs, their clock and memory."""

    cpus: int = key(2, "int", "number of CPUs", minimum=1, maximum=4096)
    clock: str = key(
        "per-cpu",
        "choice",
        "per-cpu: each CPU runs at full speed; shared-instructions: all busy CPUs "
        "share one instruction clock of 1 ns per instruction (QEMU -icount)",
        choices=("per-cpu", "shared-instructions"),
    )
    memory_bytes: int = key(8 << 30, "size", "memory of the machine", minimum=16 << 20)
    costs: str = key(
        "native-6.18", "text", "name of the shipped CPU cost table, or path of a cost file"
    )


@dataclass(frozen=True)
class Device:
    """The storage below every file that names none of its own."""

    kind: str = key("model", "text", "free text for reports: null_blk, ufs, nvme ...")
    latency: Distribution = key(
        constant(1_000_000), "distribution", "time from issue to completion of a request"
    )
    queue_depth: int = key(
        128,
        "int",
        "requests in service at once; more wait in FIFO order",
        minimum=1,
        maximum=1 << 20,
    )
    submit_queues: int = key(
        1, "int", "hardware queues (each has queue_depth requests)", minimum=1, maximum=4096
    )
    bandwidth_bytes_per_s: int = key(
        0, "rate", "bytes per second over all requests; 0: no limit", minimum=0
    )
    error_rate: float = key(
        0.0, "float", "share of read requests that fail", minimum=0.0, maximum=1.0
    )


@dataclass(frozen=True)
class PageCache:
    """How much page cache there is and when it is reclaimed."""

    limit_bytes: int = key(
        0, "size", "page cache that fits; 0: what the machine's memory leaves over", minimum=0
    )
    high_bytes: int = key(
        0,
        "size",
        "above this the faulting task reclaims and may have to sleep (memory.high); 0: only limit",
        minimum=0,
    )
    scope: str = key(
        "memory",
        "choice",
        "who reclaims: memory (kswapd and direct reclaim) or memcg (the faulting task)",
        choices=("memory", "memcg"),
    )
    kernel_bytes: int = key(
        0,
        "size",
        "memory the kernel itself needs, not available to the page cache; "
        "0: the simulator's default",
        minimum=0,
    )
    stale_active_bytes: int = key(
        0,
        "size",
        "how long the active list is at the start by statistics not flushed since another workload "
        "ended (the kernel flushes those of memory cgroups every two seconds)",
        minimum=0,
    )
    flush_stats_ns: int = key(
        2_000_000_000,
        "time",
        "how often these statistics are flushed: more often if somebody reads memory.stat",
        minimum=10_000_000,
        maximum=2_000_000_000,
    )
