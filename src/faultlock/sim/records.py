# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return,operator"
"""What is remembered of a run: latencies in log buckets, lock holders, waits and wait chains."""

from __future__ import annotations

from faultlock.sim.arrays import (
    ASLEEP,
    BLOCKED,
    BUCKETS_PER_DOUBLING,
    CHAIN_COLUMNS,
    CHAIN_LINKS,
    FOLIO_KIND,
    HELD_SLOTS,
    LOCK_KINDS,
    LOG_LENGTH,
    LOG_LIMIT,
    LOG_LOST,
    N_BUCKETS,
    NOW,
    RUNNABLE,
    WORST_CHAINS,
    Engine,
)
from faultlock.sim.callers import caller_of
from faultlock.sim.compiled import compiled

# root causes: why the last thread of a wait chain does not go on
ROOT_IO, ROOT_RUNNING, ROOT_RUNNABLE, ROOT_SLEEP, ROOT_UNKNOWN, ROOT_CYCLE = range(6)
WAIT_LOGGED = -2  # event number of a finished wait in the event log
ROOT_OWN_IO = 6  # only told apart for actors: a read that no other thread waits for or started


@compiled
def bucket_of(value: int) -> int:
    """The log bucket of a time in ns: exact below 128, then 128 buckets per doubling."""
    if value < BUCKETS_PER_DOUBLING:
        return max(value, 0)
    shift = 0
    scaled = value
    while scaled >= 2 * BUCKETS_PER_DOUBLING:
        scaled >>= 1
        shift += 1
    return min((shift + 1) * BUCKETS_PER_DOUBLING + scaled - BUCKETS_PER_DOUBLING, N_BUCKETS - 1)


@compiled
def count_time(engine: Engine, actor: int, value: int) -> None:
    """One finished operation of `actor` took `value` ns."""
    totals = engine.totals
    if totals[actor, 0] == 0 or value < totals[actor, 2]:
        totals[actor, 2] = value
    totals[actor, 0] += 1
    totals[actor, 1] += value
    totals[actor, 3] = max(totals[actor, 3], value)
    engine.buckets[actor, bucket_of(value)] += 1


@compiled
def count_operation(engine: Engine, thread: int, operation: int, value: int) -> None:
    """An operation of `thread` is over; it took `value` ns."""
    actor = engine.op_actor[operation]
    if actor >= 0:
        count_time(engine, actor, value)
    engine.op_ended[thread] = engine.scalars[NOW]
    totals = engine.thread_ops
    if operation < totals.shape[1]:
        totals[thread, operation, 0] += 1
        totals[thread, operation, 1] += value
        totals[thread, operation, 2] = max(totals[thread, operation, 2], value)


@compiled
def log_event(
    engine: Engine, thread: int, event: int, a: int, b: int, c: int, label: int, held: int
) -> None:
    """One row of the optional event log.  run_events() returns when it is half full; what one
    event of the engine writes into the other half and behind it is lost, and counted."""
    scalars = engine.scalars
    row = scalars[LOG_LENGTH]
    if row >= scalars[LOG_LIMIT]:
        scalars[LOG_LOST] += 1
        return
    scalars[LOG_LENGTH] = row + 1
    engine.log[row, 0] = scalars[NOW]
    engine.log[row, 1] = thread
    engine.log[row, 2] = event
    engine.log[row, 3] = a
    engine.log[row, 4] = b
    engine.log[row, 5] = c
    engine.log[row, 6] = label
    engine.log[row, 7] = held


@compiled
def _slot(engine: Engine, kind: int, reference: int) -> int:
    """The hash slot of a lock, made when it is new; -1 when the table is full."""
    key = (kind << 40) + reference + 1
    size = engine.lock_key.shape[0]
    at = (key * 0x9E3779B1) & (size - 1)
    for _ in range(size):
        if engine.lock_key[at] == key:
            return at
        if engine.lock_key[at] == 0:
            engine.lock_key[at] = key
            return at
        at = (at + 1) & (size - 1)
    return -1


@compiled
def lock_acquired(engine: Engine, thread: int, kind: int, reference: int, label: int) -> None:
    """`thread` holds this lock from now on; step `label` took it."""
    at = _slot(engine, kind, reference)
    if at < 0:
        return
    for place in range(HELD_SLOTS):
        if engine.lock_holder[at, place] == 0:
            engine.lock_holder[at, place] = thread
            engine.lock_since[at, place] = engine.scalars[NOW]
            engine.lock_label[at, place] = caller_of(engine, thread, label)
            return


@compiled
def _close_gap(engine: Engine, hole: int) -> None:
    """Open addressing: move later entries of the run so that `hole` can be empty."""
    size = engine.lock_key.shape[0]
    at = hole
    while True:
        engine.lock_key[hole] = 0
        while True:
            at = (at + 1) & (size - 1)
            if engine.lock_key[at] == 0:
                return
            home = (engine.lock_key[at] * 0x9E3779B1) & (size - 1)
            if ((at - home) & (size - 1)) >= ((at - hole) & (size - 1)):
                break
        engine.lock_key[hole] = engine.lock_key[at]
        for place in range(HELD_SLOTS):
            engine.lock_holder[hole, place] = engine.lock_holder[at, place]
            engine.lock_since[hole, place] = engine.lock_since[at, place]
            engine.lock_label[hole, place] = engine.lock_label[at, place]
            engine.lock_holder[at, place] = 0
        hole = at


@compiled
def lock_released(engine: Engine, thread: int, kind: int, reference: int) -> None:
    """`thread` no longer holds this lock; the entry goes when nobody is known to hold it."""
    at = _slot(engine, kind, reference)
    if at < 0:
        return
    held, own = 0, -1
    for place in range(HELD_SLOTS):
        holder = engine.lock_holder[at, place]
        if holder:
            held += 1
            if own < 0 or holder == thread:
                own = place
    # A lock that somebody else took (a folio whose read has ended) is released all the same.
    if own >= 0:
        engine.lock_holder[at, own] = 0
    if held <= 1:
        _close_gap(engine, at)


@compiled
def holder_of(engine: Engine, kind: int, reference: int, waiter: int) -> tuple[int, int, int]:
    """A holder of the lock other than the waiter, a blocked one before a running one, when it
    took the lock, and the label of the step that did; (0, 0, 0): nobody."""
    key = (kind << 40) + reference + 1
    size = engine.lock_key.shape[0]
    at = (key * 0x9E3779B1) & (size - 1)
    for _ in range(size):
        if engine.lock_key[at] == key or engine.lock_key[at] == 0:
            break
        at = (at + 1) & (size - 1)
    if engine.lock_key[at] != key:
        return 0, 0, 0
    best, since, label = 0, 0, 0
    for place in range(HELD_SLOTS):
        thread = engine.lock_holder[at, place]
        if thread == 0 or thread == waiter:
            continue
        if best == 0 or (engine.state[thread] == BLOCKED and engine.state[best] != BLOCKED):
            best, since = thread, engine.lock_since[at, place]
            label = engine.lock_label[at, place]
    return best, since, label


@compiled
def kind_of(engine: Engine, struct: int, reference: int) -> int:
    """The lock kind of an instance: that with the nearest first number below; else the last."""
    best, nearest = LOCK_KINDS, -1
    for kind in range(LOCK_KINDS):
        offset = engine.kind_offset[kind]
        if engine.kind_struct[kind] == struct and nearest < offset < reference and struct > 0:
            best, nearest = kind, offset
    return best


@compiled
def _root_without_holder(engine: Engine, who: int) -> int:
    """Nobody is known to hold what `who` waits for: a read under way, if it is no rwsem.

    Of a lock with many readers only the first HELD_SLOTS are known."""
    kind = kind_of(engine, engine.wait_struct[who], engine.wait_reference[who])
    known = kind < LOCK_KINDS and engine.scalars[FOLIO_KIND] >= 0
    return ROOT_UNKNOWN if known and kind != engine.scalars[FOLIO_KIND] else ROOT_IO


@compiled
def wait_begins(engine: Engine, thread: int, struct: int, reference: int, label: int) -> None:
    """The thread blocks on `reference` of lock struct `struct`: note the chain at this moment."""
    engine.wait_since[thread] = engine.scalars[NOW]
    engine.wait_struct[thread] = struct
    engine.wait_reference[thread] = reference
    engine.wait_label[thread] = label
    engine.wait_caller[thread] = caller_of(engine, thread, label)
    chain = engine.wait_chain[thread]
    depth, who, root = 0, thread, ROOT_UNKNOWN
    while depth < CHAIN_LINKS:
        chain[depth, 0] = who
        chain[depth, 1] = engine.wait_struct[who]
        chain[depth, 2] = engine.wait_reference[who]
        chain[depth, 3] = engine.wait_since[who]
        chain[depth, 4] = engine.wait_label[who]
        holder, held_since, held_label = holder_of(
            engine, engine.wait_struct[who], engine.wait_reference[who], who
        )
        chain[depth, 5] = holder
        chain[depth, 6] = held_since
        chain[depth, 7] = engine.wait_caller[who]
        chain[depth, 8] = held_label
        depth += 1
        if holder == 0:
            root = _root_without_holder(engine, who)
            break
        if engine.state[holder] != BLOCKED:
            root = ROOT_RUNNABLE if engine.state[holder] == RUNNABLE else ROOT_RUNNING
            if engine.state[holder] == ASLEEP:
                root = ROOT_SLEEP
            break
        if holder == thread:
            root = ROOT_CYCLE
            break
        who = holder
    engine.wait_depth[thread] = depth
    engine.wait_root[thread] = root


@compiled
def _count_for_actor(engine: Engine, thread: int, depth: int, duration: int) -> None:
    """The wait counts for the operation that the thread is in, if that is timed."""
    operation = engine.op[thread]
    if operation < 0 or engine.op_since[thread] < 0:
        return
    if operation < engine.thread_ops.shape[1]:
        engine.thread_ops[thread, operation, 3] += duration
    actor = engine.op_actor[operation]
    if actor < 0:
        return
    root = engine.wait_root[thread]
    own = root == ROOT_IO and depth < 2
    engine.actor_waits[actor, ROOT_OWN_IO if own else root] += duration


@compiled
def wait_ends(engine: Engine, thread: int) -> None:
    """The thread's wait is over: add it to the totals and maybe to the worst chains."""
    duration = engine.scalars[NOW] - engine.wait_since[thread]
    kind = kind_of(engine, engine.wait_struct[thread], engine.wait_reference[thread])
    if engine.scalars[LOG_LIMIT]:
        lock = (kind << 40) + engine.wait_reference[thread]
        holder = engine.wait_chain[thread, 0, 5]
        since, label = engine.wait_since[thread], engine.wait_caller[thread]
        held = engine.wait_chain[thread, 0, 8]
        log_event(engine, thread, WAIT_LOGGED, since, lock, holder, label, held)
    totals = engine.waits[kind, engine.wait_root[thread]]
    totals[0] += 1
    totals[1] += duration
    totals[2] = max(totals[2], duration)
    engine.wait_buckets[kind, bucket_of(duration)] += 1
    depth = engine.wait_depth[thread]
    _count_for_actor(engine, thread, depth, duration)
    if depth < 2:
        return
    worst = 0
    for place in range(WORST_CHAINS):
        if engine.chain_size[place, 0] < engine.chain_size[worst, 0]:
            worst = place
    if duration > engine.chain_size[worst, 0]:
        engine.chain_size[worst, 0] = duration
        engine.chain_size[worst, 1] = depth
        engine.chain_size[worst, 2] = engine.wait_root[thread]
        for link in range(depth):
            for column in range(CHAIN_COLUMNS):
                engine.chains[worst, link, column] = engine.wait_chain[thread, link, column]
