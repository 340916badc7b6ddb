# SPDX-License-Identifier: GPL-2.0-only
"""The engine's own state: flat numpy arrays, so that compiled functions can share them.

Times are nanoseconds of virtual time.  Threads are numbered from 1 (row 0 is unused); CPUs,
operations, locks and events from 0.  `scalars` holds what is one number; its indices are the
constants below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from faultlock.lang.llvm_module import OUT_WORDS

# indices into Engine.scalars
(
    NOW,
    SEQUENCE,
    HEAP_LENGTH,
    CPUS,
    THREADS,
    END,
    STOPPED,
    SHARED_CLOCK,
    TICK_NS,
    SLACK_NS,
    SLICE_NS,
    IRQ_THREAD,
    STATE_ADDRESS,
    OUT_ADDRESS,
    STOP_ADDRESS,
    COST_IRQ_ENTRY,
    COST_IRQ_EXIT,
    COST_TIMER,
    COST_TICK,
    COST_WAKE,
    COST_SWITCH,
    COST_BLOCK,
    COST_IDLE_EXIT,
    QUEUE_DEPTH,
    IN_SERVICE,
    QUEUED_FIRST,
    QUEUED_LAST,
    BANDWIDTH,
    DEVICE_FREE_AT,
    ERROR_PPM,
    DEVICE_DISTRIBUTION,
    EVENTS_DONE,
    RUNNING_THREADS,
    IN_IRQ,
    IRQ_CPU,
    IRQ_TIME,
    LOG_LENGTH,
    LOG_LIMIT,
    ERROR,
    ERROR_DETAIL,
    FINISH_LIMIT,
    FOLIO_KIND,
    LOG_LOST,
    WORK,
    BUSY,
    RCU_CALLBACKS,
    RCU_THREAD,
    RCU_ADDRESS,
    WORKER_THREAD,
    EVENT_LIMIT,
    COST_WAKE_BUSY,
    COST_QUEUE_LEVEL,
    FRAME_BYTES,
    SPIN_UNTIL,
    N_SCALARS,
) = range(55)

# states of a thread
NEW, RUNNABLE, RUNNING, BLOCKED, ASLEEP, FINISHED = range(6)

# Engine.life of a thread that stands for one child after the other
ALIVE, TO_BE_BORN, DEAD = range(3)

RCU_TICKS = 2  # ticks that a callback keeps the grace-period thread busy: it starts, it ends

# kinds of timer events
EVENT_IO, EVENT_SLEEP, EVENT_TICK, EVENT_STOP = range(4)

# meaning of Engine.event_role (what the engine does with a record of the model)
(
    RECORD_COUNT,
    RECORD_OP_BEGIN,
    RECORD_OP_END,
    RECORD_IO_SUBMIT,
    RECORD_ACQUIRED,
    RECORD_RELEASED,
    RECORD_TASK_NEW,
    RECORD_ROUND_BEGIN,
    RECORD_ROUND_END,
    RECORD_IO_TIME,
    RECORD_TASK_DEAD,
    RECORD_CALL_RCU,
    RECORD_RWSEM_QUEUED,
) = range(13)

# meaning of Engine.choice_role
(
    CHOICE_UNIFORM,
    CHOICE_IO,
    CHOICE_IO_ERROR,
    CHOICE_THINK,
    CHOICE_TIME,
    CHOICE_LOWEST,
    CHOICE_ZIPF,
    CHOICE_OWN,
    CHOICE_HANDOFF,
    CHOICE_CPU,
) = range(10)

# kinds of distributions (columns of Engine.distributions: kind, low, high, sigma, first, count)
CONSTANT, UNIFORM, EXPONENTIAL, LOGNORMAL, HISTOGRAM = range(5)

# log buckets: 128 per doubling up to 2**47 ns; a bucket is at most 0.8 % wide
BUCKETS_PER_DOUBLING = 128
N_BUCKETS = 42 * BUCKETS_PER_DOUBLING

LOCK_KINDS = 16  # lock structs of the model, by struct number
ROOT_KINDS = 16
CHAIN_LINKS = 8
# thread, lock struct, lock reference, since, label, holder, held since, labels: of the caller that
# waits, of the caller that took the lock
CHAIN_COLUMNS = 9
WORST_CHAINS = 10
LOG_COLUMNS = 8  # time, thread, event, a, b, c, label; WAIT: label that took the lock
NEVER = 1 << 62
KNOWN_READS = 8  # of one operation whose times are known (recorded); further ones are the device's
HELD_SLOTS = 8  # holders kept for each lock (further ones are not told apart)


class Engine(NamedTuple):
    """Everything the compiled engine reads and writes; made by `make_engine`."""

    scalars: np.ndarray[Any, np.dtype[np.int64]]
    memory: np.ndarray[Any, np.dtype[np.uint8]]
    out: np.ndarray[Any, np.dtype[np.int64]]
    # timer heap
    heap_time: np.ndarray[Any, Any]
    heap_order: np.ndarray[Any, Any]
    heap_soft: np.ndarray[Any, Any]
    heap_kind: np.ndarray[Any, Any]
    heap_who: np.ndarray[Any, Any]
    # threads
    state: np.ndarray[Any, Any]
    cpu_of: np.ndarray[Any, Any]
    vruntime: np.ndarray[Any, Any]
    deadline: np.ndarray[Any, Any]
    vlag: np.ndarray[Any, Any]
    on_rq: np.ndarray[Any, Any]
    delayed: np.ndarray[Any, Any]  # 1: asleep, but its dequeue is delayed
    life: np.ndarray[Any, Any]
    queued_since: np.ndarray[Any, Any]  # when it queued for an rwsem as a writer
    left: np.ndarray[Any, Any]
    unit: np.ndarray[Any, Any]
    random: np.ndarray[Any, Any]
    op: np.ndarray[Any, Any]
    op_since: np.ndarray[Any, Any]
    io_time: np.ndarray[Any, Any]  # [thread, read]: of the operation in progress, ns; 0: no more
    io_index: np.ndarray[Any, Any]  # [thread, read]: up to the request of this page, ascending
    op_ended: np.ndarray[Any, Any]  # when its last operation ended
    thread_ops: np.ndarray[Any, Any]  # [thread, operation]: n, sum, max, blocked; ns
    round_since: np.ndarray[Any, Any]
    wait_since: np.ndarray[Any, Any]
    wait_struct: np.ndarray[Any, Any]
    wait_reference: np.ndarray[Any, Any]
    wait_label: np.ndarray[Any, Any]
    wait_caller: np.ndarray[Any, Any]  # label outside of the lock functions (callers.py)
    wait_root: np.ndarray[Any, Any]
    wait_chain: np.ndarray[Any, Any]  # [thread, link, column]
    wait_depth: np.ndarray[Any, Any]
    # cpus
    current: np.ndarray[Any, Any]
    resched: np.ndarray[Any, Any]
    overhead: np.ndarray[Any, Any]  # ns of switches and interrupts before the burst goes on
    burst: np.ndarray[Any, Any]  # ns left of the current thread's burst
    burst_unit: np.ndarray[Any, Any]
    debt: np.ndarray[Any, Any]  # ns of wake-ups, charged with the next burst
    exec_start: np.ndarray[Any, Any]
    ticking: np.ndarray[Any, Any]
    queue: np.ndarray[Any, Any]  # [cpu, ring] threads by deadline, without the current
    queue_first: np.ndarray[Any, Any]  # [cpu]: where position 0 is in the ring
    queue_length: np.ndarray[Any, Any]
    vruntime_sum: np.ndarray[Any, Any]
    busy_ns: np.ndarray[Any, Any]
    settled: np.ndarray[Any, Any]  # see bursts.py
    ends: np.ndarray[Any, Any]  # NEVER: idle
    # model tables
    cost_ns: np.ndarray[Any, Any]
    cost_unit: np.ndarray[Any, Any]  # ns between preemption points; 1 user mode, 0 none
    cost_free: np.ndarray[Any, Any]  # when its spin lock is free; -1: none; bursts.ANSWERED
    event_role: np.ndarray[Any, Any]
    event_count: np.ndarray[Any, Any]  # [event]: n and sum of the first argument; both at END
    choice_role: np.ndarray[Any, Any]
    distributions: np.ndarray[Any, Any]
    bins: np.ndarray[Any, Any]  # [row, 2]: upper bound ns, cumulated share
    return_cell: np.ndarray[Any, Any]  # [label] in a lock function: see callers.py; else 0
    call_label: np.ndarray[Any, Any]  # by return site
    # operations
    op_think: np.ndarray[Any, Any]
    op_time: np.ndarray[Any, Any]
    op_zipf: np.ndarray[Any, Any]
    op_actor: np.ndarray[Any, Any]
    buckets: np.ndarray[Any, Any]  # [actor, bucket]
    totals: np.ndarray[Any, Any]  # [actor]: n, sum, min, max
    # device
    request_next: np.ndarray[Any, Any]
    request_pages: np.ndarray[Any, Any]
    request_cpu: np.ndarray[Any, Any]
    request_time: np.ndarray[Any, Any]
    # locks
    kind_struct: np.ndarray[Any, Any]  # lock kind of the model -> struct number
    kind_offset: np.ndarray[Any, Any]  # ... -> what is added to the reference
    lock_key: np.ndarray[Any, Any]  # hash table: key + 1, 0 = empty
    lock_holder: np.ndarray[Any, Any]  # [slot, HELD_SLOTS]
    lock_since: np.ndarray[Any, Any]  # [slot, HELD_SLOTS]: when the holder took it
    lock_label: np.ndarray[Any, Any]  # [slot, HELD_SLOTS]: ... and where
    waits: np.ndarray[Any, Any]  # [lock kind, root kind]: n, sum, max; last: other
    wait_buckets: np.ndarray[Any, Any]  # [lock kind, bucket]
    actor_waits: np.ndarray[Any, Any]  # [actor, root kind]: ns
    chains: np.ndarray[Any, Any]  # [worst, link, column]
    chain_size: np.ndarray[Any, Any]  # [worst]: duration, depth, root
    log: np.ndarray[Any, Any]  # [row]: LOG_COLUMNS


# Every array but memory: fields by shape.  A word is a count that make_engine is told.
SHAPES: tuple[tuple[tuple[str | int, ...], str], ...] = (
    ((N_SCALARS,), "scalars"),
    ((OUT_WORDS,), "out"),
    (("timer",), "heap_time heap_order heap_soft heap_kind heap_who"),
    (
        ("thread",),
        "state cpu_of vruntime deadline vlag on_rq delayed life left unit random op op_since "
        "queued_since op_ended round_since wait_since wait_struct wait_reference wait_label "
        "wait_caller wait_root wait_depth",
    ),
    (("thread", KNOWN_READS), "io_time io_index"),
    (("thread", CHAIN_LINKS, CHAIN_COLUMNS), "wait_chain"),
    (("thread", "thread_operation", 4), "thread_ops"),
    (
        ("cpu",),
        "current resched overhead burst burst_unit debt exec_start ticking queue_first "
        "queue_length vruntime_sum busy_ns settled",
    ),
    (("tree",), "ends"),
    (("cpu", "ring"), "queue"),
    (("cost",), "cost_ns cost_unit cost_free"),
    (("event",), "event_role"),
    (("event", 4), "event_count"),
    (("label",), "return_cell"),
    (("site",), "call_label"),
    (("choice",), "choice_role"),
    (("distribution", 6), "distributions"),
    (("bin", 2), "bins"),
    (("operation",), "op_think op_time op_actor op_zipf"),
    (("actor", N_BUCKETS), "buckets"),
    (("actor", 4), "totals"),
    (("request",), "request_next request_pages request_cpu request_time"),
    ((LOCK_KINDS,), "kind_struct kind_offset"),
    (("slot",), "lock_key"),
    (("slot", HELD_SLOTS), "lock_holder lock_since lock_label"),
    ((LOCK_KINDS + 1, ROOT_KINDS, 3), "waits"),
    ((LOCK_KINDS + 1, N_BUCKETS), "wait_buckets"),
    (("actor", ROOT_KINDS), "actor_waits"),
    ((WORST_CHAINS, CHAIN_LINKS, CHAIN_COLUMNS), "chains"),
    ((WORST_CHAINS, 3), "chain_size"),
    (("row", LOG_COLUMNS), "log"),
)
TYPES: dict[str, type[np.generic]] = {
    "random": np.uint64,
    "cost_ns": np.float64,
    "distributions": np.float64,
    "bins": np.float64,
    "op_zipf": np.float64,
}


def make_engine(
    *,
    memory: np.ndarray[Any, np.dtype[np.uint8]],
    threads: int,
    cpus: int,
    requests: int,
    costs: int,
    events: int,
    choices: int,
    distributions: int,
    bins: int,
    operations: int,
    actors: int,
    log_rows: int = 0,
    thread_operations: int = 0,
    labels: int = 0,
    sites: int = 0,
) -> Engine:
    """Zeroed arrays for a model of these sizes (all counts, not bytes).

    thread_operations: so many of the operations are counted for each thread, too.
    labels, sites: see callers.table_sizes().
    """
    rows = threads + 1
    sizes = {
        "thread": rows,
        "cpu": cpus,
        "timer": threads + requests + cpus + 16,
        "ring": _power_of_two(rows),
        "tree": 2 * _power_of_two(cpus),
        "slot": _power_of_two(4 * rows),
        "request": requests + 1,
    }
    counts = {
        "cost": costs, "event": events, "choice": choices, "distribution": distributions,
        "bin": bins, "operation": operations, "actor": actors, "row": log_rows,
        "thread_operation": thread_operations, "label": labels, "site": sites,
    }  # fmt: skip
    sizes |= {name: max(count, 1) for name, count in counts.items()}
    engine = Engine(memory=memory, **_zeroed(sizes))
    scalars = engine.scalars
    scalars[CPUS], scalars[THREADS], scalars[LOG_LIMIT] = cpus, threads, log_rows
    scalars[FOLIO_KIND], scalars[EVENT_LIMIT] = -1, NEVER
    engine.ends[:] = NEVER
    engine.op_since[:] = -1  # in no operation
    scalars[STATE_ADDRESS] = memory.ctypes.data
    scalars[OUT_ADDRESS] = engine.out.ctypes.data
    return engine


def _zeroed(sizes: Mapping[str, int]) -> dict[str, np.ndarray[Any, Any]]:
    return {
        name: np.zeros(
            tuple(sizes[part] if isinstance(part, str) else part for part in shape),
            dtype=TYPES.get(name, np.int64),
        )
        for shape, names in SHAPES
        for name in names.split()
    }


def _power_of_two(least: int) -> int:
    size = 1
    while size < least:
        size *= 2
    return size
