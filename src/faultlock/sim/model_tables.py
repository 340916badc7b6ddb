# SPDX-License-Identifier: GPL-2.0-only
"""Connects a compiled model to the engine: what its events, choices, costs and locks mean."""

from __future__ import annotations

from typing import Any

from faultlock.lang import program as ir
from faultlock.lang.layout import Layout
from faultlock.sim import arrays as a
from faultlock.sim.bursts import ANSWERED
from faultlock.sim.callers import fill_caller_tables
from faultlock.sim.cost import CostTable

EVENT_ROLES = {
    "OP_BEGIN": a.RECORD_OP_BEGIN,
    "OP_END": a.RECORD_OP_END,
    "IO_SUBMIT": a.RECORD_IO_SUBMIT,
    "IO_TIME": a.RECORD_IO_TIME,
    "LOCK_ACQUIRED": a.RECORD_ACQUIRED,
    "LOCK_RELEASED": a.RECORD_RELEASED,
    "TASK_NEW": a.RECORD_TASK_NEW,
    "TASK_DEAD": a.RECORD_TASK_DEAD,
    "CALL_RCU": a.RECORD_CALL_RCU,
    "RWSEM_QUEUED": a.RECORD_RWSEM_QUEUED,
    "ROUND_BEGIN": a.RECORD_ROUND_BEGIN,
    "ROUND_END": a.RECORD_ROUND_END,
}
CHOICE_ROLES = {
    "io_completion": a.CHOICE_IO,
    "io_error": a.CHOICE_IO_ERROR,
    "think_time_us": a.CHOICE_THINK,
    "operation_time_us": a.CHOICE_TIME,
    "rwsem_handoff_due": a.CHOICE_HANDOFF,
    "rwsem_owner_on_cpu": a.CHOICE_LOWEST,
    "zipf_page": a.CHOICE_ZIPF,
    "own_number": a.CHOICE_OWN,
    "smp_processor_id": a.CHOICE_CPU,
}
# constant of the model -> (struct, field) whose embedded lock it names
LOCKS = {
    "LOCK_MMAP": ("MM", "mmap_lock"),
    "LOCK_VMA": ("VMA", "vm_lock"),
    "LOCK_INVALIDATE": ("Mapping", "invalidate_lock"),
    "LOCK_I_RWSEM": ("Mapping", "i_rwsem"),
    "LOCK_I_MMAP": ("Mapping", "i_mmap_rwsem"),
    "LOCK_FOLIO": ("Folio", ""),
    "LOCK_MALLOC": ("Futex", ""),
}
VMA_REFCOUNT_SINCE = 615  # KERNEL_VERSION from which a VMA's lock is no rw_semaphore


_references: dict[str, list[ir.OwnRef]] = {}  # by the program's digest


def own_references(program: ir.Program) -> list[ir.OwnRef]:
    """All OwnRef expressions of a program, found once: it is a walk over the whole of it."""
    if program.digest and program.digest in _references:
        return _references[program.digest]
    found: list[ir.OwnRef] = []

    def visit(node: Any) -> None:
        if isinstance(node, ir.OwnRef):
            found.append(node)
        for value in getattr(node, "__dict__", {}).values():
            if isinstance(value, tuple | list):
                for item in value:
                    if hasattr(item, "__dataclass_fields__"):
                        visit(item)
            elif hasattr(value, "__dataclass_fields__"):
                visit(value)

    for step in program.steps:
        visit(step)
    for function in program.atomics.values():
        for statement in function.body:
            visit(statement)
    if program.digest:
        _references[program.digest] = found
    return found


def embedded_firsts(program: ir.Program, layout: Layout) -> dict[tuple[str, str], tuple[str, int]]:
    """(struct, Own field) -> (struct of the embedded instances, number before the first one).

    The instances of a pool that is embedded are numbered in the order in which the compiler
    placed the fields; the numbers are taken from the OwnRef expressions of the program."""
    return {
        (node.struct, node.field): (node.target, layout.constant(node.first))
        for node in own_references(program)
    }


def fill_tables(
    engine: a.Engine, program: ir.Program, layout: Layout, costs: CostTable
) -> list[str]:
    """Roles of events and choices, costs and lock kinds.  Returns names of unknown costs."""
    for number, name in enumerate(program.event_names):
        engine.event_role[number] = EVENT_ROLES.get(name, a.RECORD_COUNT)
    for number, name in enumerate(program.choice_names):
        engine.choice_role[number] = CHOICE_ROLES.get(name, a.CHOICE_UNIFORM)
    missing = []
    for number, name in enumerate(program.cost_names):
        cost = costs.costs.get(name)
        if cost is None:
            missing.append(name)
            continue
        engine.cost_ns[number] = cost.ns
        engine.cost_unit[number] = cost.unit_ns
        engine.cost_free[number] = 0 if cost.spin_lock else (ANSWERED if cost.answered else -1)
    firsts = embedded_firsts(program, layout)
    for constant, (struct, field) in LOCKS.items():
        kind = program.constants.get(constant)
        if kind is None or struct not in program.structs:
            continue
        target, offset = firsts.get((struct, field), (struct, 0))
        version = layout.parameters.get("KERNEL_VERSION", 0)
        if constant == "LOCK_VMA" and version >= VMA_REFCOUNT_SINCE:
            target, offset = struct, 0
        if constant == "LOCK_FOLIO":
            engine.scalars[a.FOLIO_KIND] = kind
        engine.kind_struct[kind] = program.structs[target].number
        engine.kind_offset[kind] = offset
    fill_caller_tables(engine, program, layout)
    return missing + engine_costs(engine, costs)


def engine_costs(engine: a.Engine, costs: CostTable) -> list[str]:
    """The costs that no line of the model names: interrupts, wake-ups, switches.  Returns names
    of unknown costs."""
    scalars, missing = engine.scalars, []
    for index, name in (
        (a.COST_IRQ_ENTRY, "engine_irq_entry"),
        (a.COST_IRQ_EXIT, "engine_irq_exit"),
        (a.COST_TIMER, "engine_timer"),
        (a.COST_TICK, "engine_tick"),
        (a.COST_WAKE, "engine_wake"),
        (a.COST_WAKE_BUSY, "engine_wake_busy"),
        (a.COST_QUEUE_LEVEL, "engine_queue_level"),
        (a.COST_SWITCH, "engine_switch"),
        (a.COST_BLOCK, "engine_block"),
        (a.COST_IDLE_EXIT, "engine_idle_exit"),
    ):
        if name in costs.costs:
            scalars[index] = round(costs.costs[name].ns)
        else:
            missing.append(name)
    scalars[a.TICK_NS] = costs.tick_ns
    scalars[a.SLACK_NS] = costs.timer_slack_ns
    # get_update_sysctl_factor(), kernel/sched/fair.c: 1 + ilog2(CPUs, eight at most)
    scalars[a.SLICE_NS] = costs.slice_ns * min(int(scalars[a.CPUS]), 8).bit_length()
    return missing
