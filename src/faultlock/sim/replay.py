# SPDX-License-Identifier: GPL-2.0-only
"""Simulate a recorded application: the state from a ReplayPlan, the run, what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from faultlock.errors import FaultlockError
from faultlock.lang.native import compile_native
from faultlock.sim import arrays as a
from faultlock.sim.callers import table_sizes
from faultlock.sim.cost import Cost, CostTable, load_costs
from faultlock.sim.engine import (
    seed_streams,
)
from faultlock.sim.handle import make_handle
from faultlock.sim.model_tables import fill_tables
from faultlock.sim.replay_state import ReplayBuilder
from faultlock.sim.result import SimResult, collect
from faultlock.sim.run import (
    Simulation,
    _fill_distributions,
    _fill_machine,
    advance,
    program_of,
)
from faultlock.sim.starting import start_interrupt_thread, start_thread, start_waiting_thread
from faultlock.trace.replay_plan import (
    KIND_NAMES,
    KINDS,
    OperationTimes,
    ReplayPlan,
    ThreadTimes,
)
from faultlock.workload.schema import Device, Kernel, Machine, Workload

LIMIT_FACTOR = 20  # a replay that takes so many times the recorded time is given up


@dataclass
class Replayed:
    """One run: the simulator's result and what is compared with the recording.

    `errors`: signal -> touches that ended with it. The recorded program got none: its mapping was
    made later here (another thread made it), or the recording does not tell all of its mappings.
    """

    result: SimResult
    figures: dict[str, float]
    finished: bool
    errors: dict[str, int] = field(default_factory=dict)
    threads: list[ThreadTimes] = field(default_factory=list)


def scaled(costs: CostTable, factor: float) -> CostTable:
    """The same costs on a machine that is faster by 1 / factor; recorded time is kept."""
    table = {
        name: cost
        if name == "replay_compute_ns"
        else Cost(
            cost.ns * factor, cost.unit_ns if cost.unit_ns == 1 else round(cost.unit_ns * factor)
        )
        for name, cost in costs.costs.items()
    }
    return replace(costs, costs=table)


def simulate_replay(
    plan: ReplayPlan,
    policy: str,
    device: Device,
    costs: str = "qemu-icount",
    cost_factor: float = 1.0,
    seed: int = 1,
    varied: bool = False,
) -> Replayed:
    """Run the recorded threads under a policy.  Raises FaultlockError, LanguageErrors.

    varied: with recorded times that differ by chance, which the seed decides.
    """
    table = scaled(load_costs(costs), cost_factor)
    simulation = _prepare(plan, policy, device, table, seed, varied)
    finished = advance(simulation, int(simulation.engine.scalars[a.END]))
    result = collect(simulation)
    figures = {**_figures(simulation, plan), **blocked(result)}
    threads = _thread_times(simulation, plan)
    return Replayed(result, figures, finished, _errors(simulation), threads)


def _thread_times(simulation: Simulation, plan: ReplayPlan) -> list[ThreadTimes]:
    """The threads of the plan, in its order."""
    engine, found = simulation.engine, []
    for number, thread in enumerate(plan.threads, start=1):
        times = ThreadTimes(thread.name, thread.tid, int(engine.op_ended[number]))
        for kind, totals in zip(KIND_NAMES, engine.thread_ops[number].tolist(), strict=True):
            if totals[0] and kind != "none":
                times.operations[kind] = OperationTimes(*totals)
        found.append(times)
    return found


def _errors(simulation: Simulation) -> dict[str, int]:
    """Signal (EFAULT in kernel mode) -> touches that ended with it."""
    found = {}
    for number, name in enumerate(simulation.program.event_names):
        count = int(simulation.engine.event_count[number, 0])
        if name in ("REPLAY_SIGSEGV", "REPLAY_SIGBUS", "REPLAY_EFAULT") and count:
            found[name.removeprefix("REPLAY_")] = count
    return found


def blocked(result: SimResult) -> dict[str, float]:
    """Seconds asleep in faults."""
    actors = (result.blocked_by_actor.get(name, {}) for name in ("fault", "kernel_fault"))
    return {"blocked_s": sum(us for roots in actors for us in roots.values()) / 1e6}


def _prepare(
    plan: ReplayPlan,
    policy: str,
    device: Device,
    costs: CostTable,
    seed: int,
    varied: bool = False,
) -> Simulation:
    program = program_of(policy)
    workload = Workload(
        name=plan.name,
        duration_ns=LIMIT_FACTOR * plan.elapsed_ns + 10**9,
        kernel=Kernel(),
        machine=Machine(cpus=plan.cpus),
        device=device,
    )
    prepared = ReplayBuilder(program, plan, device, costs, seed if varied else None).build()
    native = compile_native(program, "simulate", prepared.layout)
    engine = a.make_engine(
        memory=prepared.memory,
        threads=len(prepared.roles),
        cpus=plan.cpus,
        requests=prepared.layout.counts["Request"],
        costs=len(program.cost_names),
        events=len(program.event_names),
        choices=len(program.choice_names),
        distributions=1,
        bins=len(device.latency.counts),
        operations=len(KINDS),
        thread_operations=len(KINDS),
        actors=len(KINDS),
        **table_sizes(program),
    )
    missing = fill_tables(engine, program, prepared.layout, costs)
    if missing:
        raise FaultlockError(f"cost table {costs.name}: no cost for {', '.join(sorted(missing))}")
    _fill_distributions(engine, [device.latency])
    engine.op_actor[: len(KINDS)] = np.arange(len(KINDS))
    _fill_machine(engine, workload, prepared)
    engine.scalars[a.SLACK_NS] = 0  # a recorded sleep lasted as long as it did, slack included
    engine.scalars[a.RUNNING_THREADS] = len(plan.threads)
    seed_streams(engine, seed)
    handle = make_handle(engine)
    step, run = native.step_address, native.run_address
    simulation = Simulation(
        workload, policy, seed, program, prepared, engine, handle, native, step, run, list(KINDS)
    )
    _start(simulation, plan)
    return simulation


def _start(simulation: Simulation, plan: ReplayPlan) -> None:
    """The interrupt thread, the recorded threads that nobody starts, and the RCU thread."""
    handle, step, run = simulation.handle, simulation.step, simulation.run
    start_interrupt_thread(handle, step, run, simulation.prepared.interrupt)
    for number, thread in enumerate(plan.threads, start=1):
        if thread.waits_for_parent:
            start_waiting_thread(handle, step, run, number, (number - 1) % plan.cpus)
        else:
            start_thread(handle, number, (number - 1) % plan.cpus)
    start_waiting_thread(handle, step, run, len(plan.threads) + 1, 0)  # rcu_gp_kthread


def _figures(simulation: Simulation, plan: ReplayPlan) -> dict[str, float]:
    """What the recording has too, in the same units."""
    engine, program = simulation.engine, simulation.program
    counts = {name: int(engine.event_count[n, 0]) for n, name in enumerate(program.event_names)}
    layout = simulation.prepared.layout
    read, dropped = 0, 0
    if "REPLAY_DROPPED" in program.event_names:  # it sums the pages
        dropped = int(engine.event_count[program.event_names.index("REPLAY_DROPPED"), 1])
    for number, pages in enumerate(plan.file_pages):
        place = layout.place("Mapping", "pages", number + 1, 0)
        view = simulation.prepared.memory[place.offset : place.offset + 4 * pages].view("<i4")
        before = sum(page < pages for page in plan.resident.get(number, ()))
        read += int(np.count_nonzero(view)) - before
    return {
        "filemap_faults": float(counts.get("FILEMAP_FAULT", 0)),
        "major_faults": float(counts.get("PGMAJFAULT", 0)),
        "pages_read": float(read + dropped),
        "elapsed_s": int(engine.scalars[a.NOW]) / 1e9,
    }
