# SPDX-License-Identifier: GPL-2.0-only
"""An engine without a model, and one that runs bench/contended.py."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy

from faultlock.lang.layout import Layout
from faultlock.lang.model import compile_model, load_model
from faultlock.lang.native import NativeProgram, compile_native
from faultlock.sim import arrays as a
from faultlock.sim.callers import table_sizes
from faultlock.sim.cost import parse_costs
from faultlock.sim.engine import (
    run_events,
    seed_streams,
)
from faultlock.sim.handle import make_handle
from faultlock.sim.model_tables import fill_tables
from faultlock.sim.starting import start_interrupt_thread, start_thread
from faultlock.sim.timers import push
from tests.paths import REPOSITORY

MACHINE = {"tick_ns": 4_000_000, "slice_ns": 750_000, "timer_slack_ns": 50_000}
ENGINE_COSTS = {
    "engine_irq_entry": 600, "engine_irq_exit": 400, "engine_timer": 150, "engine_tick": 2000,
    "engine_wake": 1300, "engine_switch": 1000, "engine_block": 1500, "engine_idle_exit": 1700,
    "engine_wake_busy": 0, "engine_queue_level": 0,
}  # fmt: skip


class Checked(numpy.ndarray[Any, Any]):
    """An array whose indices must not be negative (numpy sees to it that none is too large)."""

    def __getitem__(self, index: Any) -> Any:
        assert numpy.all(numpy.asarray(index) >= 0), index
        return super().__getitem__(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        assert numpy.all(numpy.asarray(index) >= 0), index
        super().__setitem__(index, value)


def plain_steps(native: NativeProgram) -> tuple[Any, Any]:
    """`step` and `run` of the model for an engine that the interpreter runs."""
    number = ctypes.c_int64
    types = ctypes.c_void_p, ctypes.c_int32, number
    step = ctypes.CFUNCTYPE(ctypes.c_int32, *types, ctypes.c_void_p)(native.step_address)
    run = ctypes.CFUNCTYPE(ctypes.c_int32, *types, number)(native.run_address)

    def plain(function: Any) -> Any:
        return lambda *words: function(*(int(each) for each in words))

    return plain(step), plain(run)


def bare(threads: int = 4, cpus: int = 1) -> tuple[a.Engine, Any]:
    """Arrays and their handle, with a slice of 750 us and ticks every 4 ms."""
    engine = a.make_engine(
        memory=numpy.zeros(64, dtype=numpy.uint8), threads=threads, cpus=cpus, requests=8, costs=1,
        events=1, choices=1, distributions=4, bins=4, operations=1, actors=1,
    )  # fmt: skip
    engine.scalars[a.SLICE_NS] = MACHINE["slice_ns"]
    engine.scalars[a.TICK_NS] = MACHINE["tick_ns"]
    return engine, make_handle(engine)


def contended(
    threads: int, *, cpus: int = 1, seed: int = 1, latency_ns: int = 1_000_000,
    end_ns: int = 200_000_000, shared_clock: bool = False, queue_depth: int = 32,
    plain: bool = False,
) -> a.Engine:  # fmt: skip
    """bench/contended.py run to its end; plain: by the interpreter, every index checked."""
    model = load_model(
        "", [REPOSITORY / "bench" / "contended.py"], kernel_folder=REPOSITORY / "bench" / "none"
    )
    program = compile_model(model, statistics=True)
    layout = Layout(program, {"N_THREADS": threads + 1, "N_REQUESTS": threads}, "simulate")
    native = compile_native(program, "simulate", layout)
    roles = [program.roles["worker"]] * threads + [program.roles["interrupt"]]
    engine = a.make_engine(
        memory=layout.new_state(roles), threads=threads + 1, cpus=cpus, requests=threads,
        costs=len(program.cost_names), events=len(program.event_names),
        choices=len(program.choice_names), distributions=1, bins=1, operations=1, actors=1,
        **table_sizes(program),
    )  # fmt: skip
    costs = {**ENGINE_COSTS, "compute": 5000, "critical": 1000, "complete": 500}
    assert not fill_tables(
        engine, program, layout, parse_costs({"machine": MACHINE, "costs": costs}, "test", "test")
    )
    engine.distributions[0] = (a.CONSTANT, latency_ns, latency_ns, 0, 0, 0)
    engine.scalars[a.QUEUE_DEPTH] = queue_depth
    engine.scalars[a.SHARED_CLOCK] = int(shared_clock)
    engine.scalars[a.STOP_ADDRESS] = layout.place("machine", "stop", 1, 0).offset
    engine.scalars[a.RUNNING_THREADS] = threads
    seed_streams(engine, seed)
    if plain:
        handle: Any = a.Engine(*(each.view(Checked) for each in engine))
        step, run = plain_steps(native)
    else:
        handle, step, run = make_handle(engine), native.step_address, native.run_address
    push(handle, end_ns, end_ns, a.EVENT_STOP, 0)
    start_interrupt_thread(handle, step, run, threads + 1)
    for thread in range(1, threads + 1):
        start_thread(handle, thread, (thread - 1) % cpus)
    run_events(handle, step, run, end_ns + 1_000_000_000)
    return engine
