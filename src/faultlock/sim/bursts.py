# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return,operator"
"""How time passes on the CPUs: what each still has to do, and which is done first.

A CPU is looked at only when something happens to it.  scalars[WORK] is how much every busy CPU
has worked so far (less than the time that passed while CPUs share one clock); a CPU's overhead
and burst are as they were when that stood at settled[cpu].  A tree of minima over the CPUs
(`ends`: node n has the children 2n and 2n + 1, the CPUs are its leaves) holds the amount of work
at which each is done.
"""

from __future__ import annotations

from faultlock.sim.arrays import BUSY, CPUS, NEVER, NOW, SHARED_CLOCK, SPIN_UNTIL, WORK, Engine
from faultlock.sim.compiled import compiled

ANSWERED = -2  # Engine.cost_free of a cost that takes until other CPUs have answered


@compiled
def settle(engine: Engine, cpu: int) -> None:
    """Bring overhead and burst of a CPU up to now; before anything about the CPU changes."""
    work = engine.scalars[WORK]
    passed = work - engine.settled[cpu]
    engine.settled[cpu] = work
    if passed <= 0 or (engine.current[cpu] == 0 and engine.overhead[cpu] == 0):
        return
    engine.busy_ns[cpu] += passed
    from_overhead = min(passed, engine.overhead[cpu])
    engine.overhead[cpu] -= from_overhead
    engine.burst[cpu] = max(engine.burst[cpu] - (passed - from_overhead), 0)


@compiled
def settle_all(engine: Engine) -> None:
    """All CPUs, for whoever reads the arrays."""
    for cpu in range(engine.scalars[CPUS]):
        settle(engine, cpu)


@compiled
def is_idle(engine: Engine, cpu: int) -> bool:
    """Nothing runs, nothing waits to run, and no switch or interrupt is under way."""
    if engine.current[cpu] != 0 or engine.overhead[cpu] != 0:
        return False
    return engine.queue_length[cpu] == 0


@compiled
def touch(engine: Engine, cpu: int) -> None:
    """Note when a settled CPU is done; after anything about it has changed."""
    ends = engine.ends
    at = ends.shape[0] // 2 + cpu
    end = NEVER
    if not is_idle(engine, cpu):
        end = engine.scalars[WORK] + engine.overhead[cpu] + engine.burst[cpu]
    engine.scalars[BUSY] += (1 if end != NEVER else 0) - (1 if ends[at] != NEVER else 0)
    ends[at] = end
    while at > 1:
        at >>= 1
        first = min(ends[2 * at], ends[2 * at + 1])
        if ends[at] == first:
            return
        ends[at] = first


@compiled
def next_done(engine: Engine) -> tuple[int, int]:
    """(time, CPU) of the CPU that is done first, the lowest of several; CPU -1: all are idle."""
    scalars, ends = engine.scalars, engine.ends
    leaves = ends.shape[0] // 2
    while True:
        end = ends[1]
        if end == NEVER:
            return scalars[NOW], -1
        at = 1
        while at < leaves:
            at = 2 * at + (0 if ends[2 * at] == end else 1)
        cpu = at - leaves
        if end > scalars[WORK]:
            rate = scalars[BUSY] if scalars[SHARED_CLOCK] else 1
            return scalars[NOW] + (end - scalars[WORK]) * rate, cpu
        settle(engine, cpu)
        if not is_idle(engine, cpu):
            return scalars[NOW], cpu
        touch(engine, cpu)  # its overhead ended together with something else


@compiled
def pass_time(engine: Engine, until: int) -> None:
    """Virtual time goes on to `until`; busy CPUs work, each slower if they share a clock."""
    scalars = engine.scalars
    passed = until - scalars[NOW]
    scalars[NOW] = until
    if passed <= 0 or scalars[BUSY] == 0:
        return
    if scalars[SHARED_CLOCK]:
        passed //= scalars[BUSY]
    scalars[WORK] += passed


@compiled
def _begins(engine: Engine, cpu: int) -> int:
    """When a CPU gets to its next burst."""
    return engine.scalars[NOW] + engine.overhead[cpu] + engine.debt[cpu]


@compiled
def spin_lock(engine: Engine, cpu: int, cost: int, ns: int) -> int:
    """How long a CPU takes for `ns` under the spin lock of a cost: who asked before comes first.

    Where CPUs share one clock they take turns anyway: no wait then."""
    scalars = engine.scalars
    if scalars[SHARED_CLOCK]:
        return ns
    begin = _begins(engine, cpu)
    start = max(begin, engine.cost_free[cost])
    engine.cost_free[cost] = start + ns
    scalars[SPIN_UNTIL] = max(scalars[SPIN_UNTIL], start + ns)
    return start + ns - begin


@compiled
def wait_for_answers(engine: Engine, cpu: int, ns: int) -> int:
    """How long a CPU takes for `ns` of interrupts to others and their answers: those that spin
    with interrupts off answer once they have had their lock, and the locks are fair."""
    scalars = engine.scalars
    if scalars[SHARED_CLOCK]:
        return ns
    begin = _begins(engine, cpu)
    return max(ns, scalars[SPIN_UNTIL] - begin)
