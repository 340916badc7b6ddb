# SPDX-License-Identifier: GPL-2.0-only
"""Which line took a lock or waits for one, against the frames of the model itself."""

from __future__ import annotations

from typing import Any

from faultlock.lang.labels import RETURN_SITE
from faultlock.sim import arrays as a
from faultlock.sim.callers import LOCK_FUNCTIONS, caller_of, step_places
from faultlock.sim.result import collect, without_callers
from faultlock.sim.run import Simulation, advance, prepare, program_of
from faultlock.workload.library import load, overrides


def ran(policy: str) -> Simulation:
    simulation = prepare(overrides(load("fork-storm"), ["duration=200ms"]), policy, 1)
    advance(simulation, 200_000_000)
    return simulation


def test_every_lock_function_is_one_of_the_kernel() -> None:
    functions = program_of("drop-retry").functions
    assert [name for name in LOCK_FUNCTIONS if name not in functions] == []


def test_the_callers_of_blocked_threads_are_on_their_call_chains() -> None:
    """The first function outside of the lock functions, by the layout's own walk."""
    simulation = ran("hold")
    engine, program, layout = simulation.engine, simulation.program, simulation.prepared.layout
    seen = 0
    for thread in range(1, int(engine.scalars[a.THREADS]) + 1):
        label = layout.pc(engine.memory, thread)
        if not label or program.step_at(label).function not in LOCK_FUNCTIONS:
            continue
        wanted, seen = label, seen + 1
        while program.step_at(wanted).function in LOCK_FUNCTIONS:
            function = program.step_at(wanted).function
            site = layout.get_local(engine.memory, thread, function, RETURN_SITE)
            wanted = program.return_sites[function][site - 1]
        found = program.step_at(caller_of(engine, thread, label))
        back = program.step_at(wanted)
        assert found.function == back.function not in LOCK_FUNCTIONS
        assert any(f"{name}(" in found.text for name in LOCK_FUNCTIONS), found.text
    assert seen > 2


def links_of(simulation: Simulation) -> list[dict[str, Any]]:
    return [link for chain in collect(simulation).chains for link in chain["links"]]


def test_the_links_of_chains_name_the_lines_that_wait_and_that_took_the_lock() -> None:
    links = links_of(ran("hold"))
    forks = [link for link in links if link["thread"].startswith("fork")]
    waits = {link["caller"]["in"] for link in forks}
    # Of the forking thread: its heaps' locks before its fork, its own fault after it.
    own_fault = {"lock_mm_and_find_vma", "fork_lock_heaps", "user_heap_grow", "arena_get"}
    assert waits - own_fault <= {"dup_mmap", "dup_mmap_lock_vma"} and waits - own_fault
    assert {link["in"] for link in forks} <= LOCK_FUNCTIONS
    taken = [link["taken"] for link in links if link["holder"]]
    assert taken and all(each["at"] and each["in"] not in LOCK_FUNCTIONS for each in taken)
    by_faults = {link["taken"]["in"] for link in links if link["holder"].startswith("fault")}
    assert by_faults <= {"lock_mm_and_find_vma", "fault_with_vma_lock"} and by_faults


def test_a_policy_that_replaces_a_lock_function_is_looked_through_too() -> None:
    links = links_of(ran("hold-until-writer"))
    assert links and not {link["caller"]["in"] for link in links} & LOCK_FUNCTIONS


def test_the_published_form_has_the_chains_without_the_callers() -> None:
    document = {"policies": {"hold": collect(ran("hold")).document()}}
    links = [
        link
        for chain in without_callers(document)["policies"]["hold"]["chains"]
        for link in chain["links"]
    ]
    assert links and not any({"caller", "taken"} & link.keys() for link in links)
    assert all(link["at"] for link in links)


def test_a_step_is_named_by_file_line_and_function() -> None:
    program = program_of("drop-retry")
    places = step_places(program)
    assert places[0] == "" and len(places) == len(program.steps) + 1
    step = next(each for each in program.steps if each.function == "dup_mmap")
    assert places[step.label] == f"kernel/fork.py:{step.line} dup_mmap"
