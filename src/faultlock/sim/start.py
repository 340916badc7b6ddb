# SPDX-License-Identifier: GPL-2.0-only
"""How the scheduler finds the threads of a workload when the run starts.

The measuring programs (gt.c, measure/driver) start thread after thread; each waits for the start
in a loop of sched_yield(2), and each of these calls puts its deadline off by a slice
(yield_task_fair()).  The main thread is done with eleven threads when its turn ends; those of its
last turn have not run yet when it gives the start.  Then it sleeps, ahead of all others by what it
ran, and stays in the queue until they have caught up (DELAY_DEQUEUE).
Seen in traces of guests with 2 to 256 threads: who begins first, and when.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FIRST_TURN_THREADS = 13
TURN_THREADS = 11
THREAD_START_NS = 300_000  # pthread_create(3): of a turn of about 3.5 ms
LAST_NS = 900_000  # reading /proc/vmstat before the start
YIELDED_NS = 10**12  # more than any slice: by each of very many calls of sched_yield(2)


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


def queued_threads(count: int, slice_ns: int, seed: int) -> tuple[list[Queued], int]:
    """`count` threads as the start finds them, and the main thread's virtual run time in ns.

    Those that have yielded come in their order, from a random one on."""
    new = threads_of_last_turn(count)
    yielded = count - new
    first = int(np.random.default_rng(seed).integers(yielded)) if yielded else 0
    queue = [
        Queued(0, YIELDED_NS + (number - first) % yielded) for number in range(yielded)
    ]
    main, total = 0, 0
    for number in range(yielded, count):
        main += THREAD_START_NS
        average = (total + main) // (number + 1)  # place_entity(): where the others are on average
        total += average
        queue.append(Queued(average, slice_ns // 2))
    return queue, main + LAST_NS
