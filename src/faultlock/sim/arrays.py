# SPDX-License-Identifier: GPL-2.0-only
"""The engine's own state: flat numpy arrays, so that compiled functions can share them.

Times are nanoseconds of virtual time.  Threads are numbered from 1 (row 0 is unused); CPUs,
operations, locks and events from 0.  `scalars` holds what is one number; its indices are the
constants below.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from faultlock.sim import compiled as compiled  # before any function is compiled

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
    SLICE_MIN_NS,
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
    COST_IDLE_ENTRY,
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
    CHAIN_COUNT,
    LOG_LENGTH,
    LOG_LIMIT,
    ERROR,
    ERROR_DETAIL,
    DEVICE_RANDOM,
    RUNNABLE_LIMIT,
    FINISH_LIMIT,
    FOLIO_KIND,
    N_SCALARS,
) = range(48)

# states of a thread
NEW, RUNNABLE, RUNNING, BLOCKED, ASLEEP, FINISHED = range(6)

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
) = range(9)

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
) = range(8)

# kinds of distributions (columns of Engine.distributions: kind, low, high, sigma, first, count)
CONSTANT, UNIFORM, EXPONENTIAL, LOGNORMAL, HISTOGRAM = range(5)

# log buckets: 128 per doubling up to 2**47 ns; a bucket is at most 0.8 % wide
BUCKETS_PER_DOUBLING = 128
N_BUCKETS = 42 * BUCKETS_PER_DOUBLING

LOCK_KINDS = 16  # lock structs of the model, by struct number
ROOT_KINDS = 16
CHAIN_LINKS = 8
CHAIN_COLUMNS = 6  # thread, lock struct, lock reference, since, label, holder
WORST_CHAINS = 10
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
    delayed: np.ndarray[Any, Any]
    left: np.ndarray[Any, Any]
    unit: np.ndarray[Any, Any]
    random: np.ndarray[Any, Any]
    op: np.ndarray[Any, Any]
    op_since: np.ndarray[Any, Any]
    round_since: np.ndarray[Any, Any]
    wait_since: np.ndarray[Any, Any]
    wait_struct: np.ndarray[Any, Any]
    wait_reference: np.ndarray[Any, Any]
    wait_label: np.ndarray[Any, Any]
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
    # model tables
    cost_ns: np.ndarray[Any, Any]
    cost_unit: np.ndarray[Any, Any]  # ns between preemption points; 1 user mode, 0 none
    event_role: np.ndarray[Any, Any]
    event_count: np.ndarray[Any, Any]  # [event]: n and sum of the first argument; both at END
    choice_role: np.ndarray[Any, Any]
    distributions: np.ndarray[Any, Any]
    bins: np.ndarray[Any, Any]  # [row, 2]: upper bound ns, cumulated share
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
    # locks
    kind_struct: np.ndarray[Any, Any]  # lock kind of the model -> struct number
    kind_offset: np.ndarray[Any, Any]  # ... -> what is added to the reference
    lock_key: np.ndarray[Any, Any]  # hash table: key + 1, 0 = empty
    lock_holder: np.ndarray[Any, Any]  # [slot, HELD_SLOTS]
    waits: np.ndarray[Any, Any]  # [lock kind, root kind]: n, sum, max; last: other
    wait_buckets: np.ndarray[Any, Any]  # [lock kind, bucket]
    actor_waits: np.ndarray[Any, Any]  # [actor, root kind]: ns
    chains: np.ndarray[Any, Any]  # [worst, link, column]
    chain_size: np.ndarray[Any, Any]  # [worst]: duration, depth, root
    log: np.ndarray[Any, Any]  # [row, 6]: time, thread, event, a, b, c


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
) -> Engine:
    """Zeroed arrays for a model of these sizes (all counts, not bytes)."""
    rows = threads + 1
    slots = ring = 1
    while ring < rows:
        ring *= 2
    while slots < 4 * rows:
        slots *= 2

    def zeros(*shape: int) -> np.ndarray[Any, Any]:
        return np.zeros(shape, dtype=np.int64)

    heap = threads + requests + cpus + 16
    engine = Engine(
        scalars=zeros(N_SCALARS),
        memory=memory,
        out=zeros(8 + 4 * 1100),
        heap_time=zeros(heap),
        heap_order=zeros(heap),
        heap_soft=zeros(heap),
        heap_kind=zeros(heap),
        heap_who=zeros(heap),
        state=zeros(rows),
        cpu_of=zeros(rows),
        vruntime=zeros(rows),
        deadline=zeros(rows),
        vlag=zeros(rows),
        on_rq=zeros(rows),
        delayed=zeros(rows),
        left=zeros(rows),
        unit=zeros(rows),
        random=np.zeros(rows, dtype=np.uint64),
        op=zeros(rows),
        op_since=zeros(rows),
        round_since=zeros(rows),
        wait_since=zeros(rows),
        wait_struct=zeros(rows),
        wait_reference=zeros(rows),
        wait_label=zeros(rows),
        wait_root=zeros(rows),
        wait_chain=zeros(rows, CHAIN_LINKS, CHAIN_COLUMNS),
        wait_depth=zeros(rows),
        current=zeros(cpus),
        resched=zeros(cpus),
        overhead=zeros(cpus),
        burst=zeros(cpus),
        burst_unit=zeros(cpus),
        debt=zeros(cpus),
        exec_start=zeros(cpus),
        ticking=zeros(cpus),
        queue=zeros(cpus, ring),
        queue_first=zeros(cpus),
        queue_length=zeros(cpus),
        vruntime_sum=zeros(cpus),
        busy_ns=zeros(cpus),
        cost_ns=np.zeros(max(costs, 1), dtype=np.float64),
        cost_unit=zeros(max(costs, 1)),
        event_role=zeros(max(events, 1)),
        event_count=zeros(max(events, 1), 4),
        choice_role=zeros(max(choices, 1)),
        distributions=np.zeros((max(distributions, 1), 6), dtype=np.float64),
        bins=np.zeros((max(bins, 1), 2), dtype=np.float64),
        op_think=zeros(max(operations, 1)),
        op_time=zeros(max(operations, 1)),
        op_zipf=np.zeros(max(operations, 1), dtype=np.float64),
        op_actor=zeros(max(operations, 1)),
        buckets=zeros(max(actors, 1), N_BUCKETS),
        totals=zeros(max(actors, 1), 4),
        request_next=zeros(requests + 1),
        request_pages=zeros(requests + 1),
        request_cpu=zeros(requests + 1),
        kind_struct=zeros(LOCK_KINDS),
        kind_offset=zeros(LOCK_KINDS),
        lock_key=zeros(slots),
        lock_holder=zeros(slots, HELD_SLOTS),
        waits=zeros(LOCK_KINDS + 1, ROOT_KINDS, 3),
        wait_buckets=zeros(LOCK_KINDS + 1, N_BUCKETS),
        actor_waits=zeros(max(actors, 1), ROOT_KINDS),
        chains=zeros(WORST_CHAINS, CHAIN_LINKS, CHAIN_COLUMNS),
        chain_size=zeros(WORST_CHAINS, 3),
        log=zeros(max(log_rows, 1), 6),
    )
    scalars = engine.scalars
    scalars[CPUS], scalars[THREADS], scalars[LOG_LIMIT] = cpus, threads, log_rows
    scalars[FOLIO_KIND] = -1
    engine.op_since[:] = -1  # in no operation
    scalars[STATE_ADDRESS] = memory.ctypes.data
    scalars[OUT_ADDRESS] = engine.out.ctypes.data
    return engine
