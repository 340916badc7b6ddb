# SPDX-License-Identifier: GPL-2.0-only
"""How the scheduler finds the threads of a workload when the run starts.

The measuring programs (gt.c, measure/driver) start thread after thread; each waits for the start
in a loop of sched_yield(2), and each of these calls forfeits what is left of its slice
(yield_task_fair(), kernel/sched/fair.c, 6.12.117), so those threads go round in the order of their
deadlines, which lie within one slice.  The main thread is done with eleven threads when its turn
ends; they stay together.  Those of its last turn have not run yet when it gives the start.  Then it
sleeps, ahead of all others by what it ran, and stays in the queue until they have caught up
(DELAY_DEQUEUE).
Seen in guests with 2 to 256 threads: in traces who begins first, and when; in
/sys/kernel/debug/sched/debug, read before the start, where each of them stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faultlock.units import LONGEST_MODEL_TIME
from faultlock.workload.schema import Threads

FIRST_TURN_THREADS = 13
TURN_THREADS = 11
THREAD_START_NS = 300_000  # pthread_create(3): of a turn of about 3.5 ms
LAST_NS = 900_000  # reading /proc/vmstat before the start
START_AFTER_STREAM = 1  # of random numbers, apart from that of the turns


@dataclass
class Queued:
    """One thread in a queue: its virtual run time, and how far off its deadline is (ns)."""

    vruntime: int
    deadline: int


def threads_of_last_turn(count: int) -> int:
    """How many of `count` threads have not run yet when the start is given."""
    if count <= FIRST_TURN_THREADS:
        return count
    return (count - FIRST_TURN_THREADS) % TURN_THREADS


def turn_of(number: int) -> int:
    """In which turn of the main thread its thread `number` (from 0) was made."""
    return max(0, number - FIRST_TURN_THREADS + TURN_THREADS) // TURN_THREADS


def queued_threads(count: int, slice_ns: int, seed: int) -> tuple[list[Queued], int]:
    """`count` threads as the start finds them, and the main thread's virtual run time in ns.

    Those that have yielded have it in common with the threads of the same turn of the main thread;
    turns lie anywhere within one slice (as if drawn from the seed)."""
    new = threads_of_last_turn(count)
    yielded = count - new
    turns = [turn_of(number) for number in range(yielded)]
    random = np.random.default_rng(seed)
    times = [int(time) for time in random.integers(slice_ns, size=max(turns, default=0) + 1)]
    queue = [Queued(times[turn], slice_ns) for turn in turns]
    total = sum(thread.vruntime for thread in queue)
    main = total // yielded if yielded else 0
    for number in range(yielded, count):
        main += THREAD_START_NS
        average = (total + main) // (number + 1)  # place_entity(): where the others are on average
        total += average
        queue.append(Queued(average, slice_ns // 2))
    return queue, main + LAST_NS


def start_delays(groups: list[Threads], seed: int) -> list[int]:
    """start_after of each thread, given the group of each, in microseconds."""
    random = np.random.default_rng([seed, START_AFTER_STREAM])
    fractions = random.random(len(groups))
    return [
        min(round(group.start_after.quantile_ns(fraction)) // 1000, LONGEST_MODEL_TIME)
        for group, fraction in zip(groups, fractions.tolist(), strict=True)
    ]
