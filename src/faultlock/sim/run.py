# SPDX-License-Identifier: GPL-2.0-only
"""One simulation: a workload under a policy with a seed gives a SimResult."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from faultlock.errors import FaultlockError, LimitReached
from faultlock.lang.llvm_module import DROPPED, RECORD_LIMIT
from faultlock.lang.model import compile_model, load_model
from faultlock.lang.native import compile_native
from faultlock.lang.program import Program
from faultlock.sim import arrays as a
from faultlock.sim.callers import table_sizes
from faultlock.sim.cost import load_costs
from faultlock.sim.engine import (
    run_events,
    seed_streams,
)
from faultlock.sim.handle import make_handle
from faultlock.sim.model_tables import fill_tables
from faultlock.sim.result import SimResult, collect
from faultlock.sim.setup import Builder, Prepared
from faultlock.sim.start import queued_threads, start_delays
from faultlock.sim.starting import (
    start_interrupt_thread,
    start_main_thread,
    start_queued_thread,
    start_thread,
    start_waiting_thread,
)
from faultlock.sim.thread_steps import ASSERTION, BROKEN_MODEL, ENDLESS, STUCK
from faultlock.sim.timers import push
from faultlock.workload.distribution import Distribution
from faultlock.workload.schema import Workload

FINISH_NS = 2_000_000_000  # how long threads may need after the end for their last operation
SLICE_EVENTS = 2_000_000  # about 0.3 s
LONG_RUN_EVENTS = 40_000_000  # about 6 s: from here on better code pays for its compilation
KINDS = {"constant": 0, "uniform": 1, "exponential": 2, "lognormal": 3, "histogram": 4}


@lru_cache(maxsize=32)
def program_of(policy: str) -> Program:
    """The compiled model of a policy, with costs and statistics.  Raises LanguageErrors."""
    return compile_model(load_model(policy), statistics=True)


@dataclass
class Simulation:
    """A prepared run: the engine's arrays and everything that must stay alive with them."""

    workload: Workload
    policy: str
    seed: int
    program: Program
    prepared: Prepared
    engine: a.Engine
    handle: Any
    native: Any
    step: Any  # addresses of the model's code
    run: Any
    actors: list[str]
    faster: bool = False  # the model's code was replaced during the run


def prepare(workload: Workload, policy: str, seed: int, log_rows: int = 0) -> Simulation:
    """Compile, lay out, and start the threads; virtual time is 0.

    Raises FaultlockError: a cost without a value, something the model cannot do."""
    program = program_of(policy)
    costs = load_costs(workload.machine.costs)
    builder = Builder(program, workload, workload.machine.cpus)
    prepared = builder.build()
    delays = start_delays([group for group, _, _ in builder.threads], seed)
    for number, delay_us in enumerate(delays, start=1):
        builder.set("Task", number, "start_after_us", delay_us)
    native = compile_native(program, "simulate", prepared.layout)
    rows = [workload.device.latency, *builder.distributions]
    bins = sum(len(row.counts) for row in rows)
    engine = a.make_engine(
        memory=prepared.memory,
        threads=len(prepared.roles),
        cpus=workload.machine.cpus,
        requests=prepared.layout.counts["Request"],
        costs=len(program.cost_names),
        events=len(program.event_names),
        choices=len(program.choice_names),
        distributions=len(rows),
        bins=bins,
        operations=len(prepared.operations),
        actors=len(prepared.actors),
        log_rows=log_rows,
        **table_sizes(program),
    )
    missing = fill_tables(engine, program, prepared.layout, costs)
    if missing:
        raise FaultlockError(
            f"cost table {costs.name}: no cost for {', '.join(sorted(missing))}; "
            "add them to its [costs]"
        )
    _fill_distributions(engine, rows)
    _fill_operations(engine, prepared)
    _fill_machine(engine, workload, prepared)
    seed_streams(engine, seed)
    handle = make_handle(engine)
    step, run = native.step_address, native.run_address
    simulation = Simulation(
        workload, policy, seed, program, prepared, engine, handle, native, step, run,
        prepared.actors,
    )  # fmt: skip
    _start(simulation)
    return simulation


def _fill_distributions(engine: a.Engine, rows: list[Distribution]) -> None:
    first = 0
    for number, row in enumerate(rows):
        count = len(row.counts)
        engine.distributions[number] = (
            KINDS[row.kind],
            row.low_ns,
            row.high_ns,
            row.sigma,
            first,
            count,
        )
        if count:
            shares = np.cumsum(row.counts) / sum(row.counts)
            engine.bins[first : first + count, 0] = row.upper_bounds_ns
            engine.bins[first : first + count, 1] = shares
        first += count


def _fill_operations(engine: a.Engine, prepared: Prepared) -> None:
    actors = {name: number for number, name in enumerate(prepared.actors)}
    for number, operation in enumerate(prepared.operations):
        engine.op_think[number] = operation.think
        engine.op_time[number] = operation.time
        engine.op_zipf[number] = operation.zipf
        engine.op_actor[number] = actors.get(operation.actor, -1)


def _fill_machine(engine: a.Engine, workload: Workload, prepared: Prepared) -> None:
    scalars, device = engine.scalars, workload.device
    scalars[a.END] = workload.duration_ns
    scalars[a.FINISH_LIMIT] = workload.duration_ns + FINISH_NS
    scalars[a.SHARED_CLOCK] = int(workload.machine.clock == "shared-instructions")
    scalars[a.QUEUE_DEPTH] = device.queue_depth * device.submit_queues
    scalars[a.BANDWIDTH] = device.bandwidth_bytes_per_s
    scalars[a.ERROR_PPM] = round(device.error_rate * 1e6)
    scalars[a.STOP_ADDRESS] = prepared.layout.place("machine", "stop", 1, 0).offset
    scalars[a.RUNNING_THREADS] = prepared.roles.count("workload_thread")
    scalars[a.RCU_THREAD] = prepared.roles.index("rcu_gp_kthread") + 1
    if "kworker_vmpressure" in prepared.roles:
        scalars[a.WORKER_THREAD] = prepared.roles.index("kworker_vmpressure") + 1
    wake = prepared.layout.place("Thread", "wait_granted", int(scalars[a.RCU_THREAD]), 0)
    scalars[a.RCU_ADDRESS] = wake.offset


def _start(simulation: Simulation) -> None:
    engine, handle, prepared = simulation.engine, simulation.handle, simulation.prepared
    end = int(engine.scalars[a.END])
    push(handle, end, end, a.EVENT_STOP, 0)
    start_interrupt_thread(handle, simulation.step, simulation.run, prepared.interrupt)
    cpus = simulation.workload.machine.cpus
    waiting = prepared.roles.count("workload_thread")
    queue, main = queued_threads(waiting, int(engine.scalars[a.SLICE_NS]), simulation.seed)
    for number, role in enumerate(prepared.roles, start=1):
        if role in ("child", "rcu_gp_kthread", "main_thread"):
            start_waiting_thread(handle, simulation.step, simulation.run, number, 0)
        elif role == "workload_thread":
            state, cpu = queue[number - 1], (number - 1) % cpus
            start_queued_thread(handle, number, cpu, state.vruntime, state.deadline)
        elif role != "interrupt":
            start_thread(handle, number, (number - 1) % cpus)
    start_main_thread(handle, prepared.roles.index("main_thread") + 1, main)


def advance(
    simulation: Simulation, until_ns: int, progress: Callable[[float], None] | None = None
) -> bool:
    """Simulate up to `until_ns` (or until the event log is half full, when there is one); True
    when all threads have finished.

    Raises FaultlockError when the model breaks one of its assertions or hangs."""
    scalars = simulation.engine.scalars
    while True:  # in slices, so that Ctrl-C is heard; they do not change the run
        scalars[a.EVENT_LIMIT] = scalars[a.EVENTS_DONE] + SLICE_EVENTS
        run_events(simulation.handle, simulation.step, simulation.run, until_ns)
        half_full = scalars[a.LOG_LENGTH] > scalars[a.LOG_LIMIT] // 2
        if half_full or scalars[a.EVENTS_DONE] < scalars[a.EVENT_LIMIT]:
            break
        if progress:
            progress(min(int(scalars[a.NOW]) / simulation.workload.duration_ns, 1.0))
        if scalars[a.EVENTS_DONE] > LONG_RUN_EVENTS and not simulation.faster:
            _use_faster_code(simulation)
    error = int(scalars[a.ERROR])
    dropped = int(simulation.engine.out[DROPPED])
    if dropped:
        raise LimitReached(
            f"{simulation.workload.name} under {simulation.policy}: one step of the model made "
            f"more than {RECORD_LIMIT:,} records and {dropped:,} were dropped, perhaps wake-ups; "
            "use shorter requests"
        )
    if error == STUCK and scalars[a.STOPPED]:
        return True  # who waits for ever then is counted as hung (result.py)
    if error:
        raise FaultlockError(_failure(simulation, error, int(scalars[a.ERROR_DETAIL])))
    return int(scalars[a.RUNNING_THREADS]) <= 0


def _use_faster_code(simulation: Simulation) -> None:
    """From here on, and in later runs: code that takes seconds to compile and 0.7 of the time."""
    layout = simulation.prepared.layout
    native = compile_native(simulation.program, "simulate", layout, effort="good")
    simulation.native, simulation.faster = native, True
    simulation.step, simulation.run = native.step_address, native.run_address


def _failure(simulation: Simulation, error: int, detail: int) -> str:
    place = f"{simulation.workload.name} under {simulation.policy}"
    program = simulation.program
    if error == ASSERTION and 1 <= detail <= len(program.assertions):
        item = program.assertions[detail - 1]
        return f"{place}: {item.property} violated: {item.text} ({item.file}:{item.line}); check it"
    if error == BROKEN_MODEL and 1 <= detail <= len(program.errors):
        broken = program.errors[detail - 1]
        return f"{place}: {broken.kind}: {broken.text} ({broken.file}:{broken.line})"
    if error == ENDLESS:
        return f"{place}: a thread loops without using time; look for a loop without cpu()"
    if error == STUCK:
        return f"{place}: deadlock: every thread waits and nothing is under way"
    return f"{place}: the model stopped with error {error} ({detail})"


def simulate(
    workload: Workload,
    policy: str,
    seed: int = 1,
    progress: Callable[[float], None] | None = None,
) -> SimResult:
    """Run the workload under a policy to its end.  Raises FaultlockError, LanguageErrors."""
    simulation = prepare(workload, policy, seed)
    end, limit = workload.duration_ns, int(simulation.engine.scalars[a.FINISH_LIMIT])
    advance(simulation, end, progress)
    advance(simulation, limit)
    return collect(simulation)
