# SPDX-License-Identifier: GPL-2.0-only
"""Random programs mean the same in the reference interpreter, Python text and native code."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from faultlock.lang import evaluate, native
from faultlock.lang import program as ir
from faultlock.lang.evaluate import Key, Machine, Outcome, Record
from faultlock.lang.layout import Layout
from faultlock.lang.listing import listing
from faultlock.lang.python_program import PythonProgram
from tests.property.random_programs import programs

ACTIONS = 60
STUCK = (evaluate.BLOCKED, evaluate.FINISHED, evaluate.FAILED, evaluate.ERROR)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Thousands of small programs do not belong into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAULTLOCK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def outcome_of(code: int, out: Any) -> Outcome:
    """The Outcome in an out buffer, with the words that this code defines."""
    words = {native.BLOCKED: 3, native.CHOICE: 3, native.FAILED: 1, native.ERROR: 1}
    used = words.get(code, {native.CPU: 2, native.SLEEP: 1}.get(code, 0))
    a, b, c = (int(out[1 + word]) if word < used else 0 for word in range(3))
    records: list[Record] = []
    for first in range(8, 8 + 4 * int(out[0]), 4):
        event, *values = (int(word) for word in out[first : first + 4])
        records.append((event, values[0], values[1], values[2]))
    return Outcome(code, a, b, c, tuple(records))


class Native:
    """The native engine behind the test's interface."""

    def __init__(
        self, program: ir.Program, mode: str, checks: bool = True, effort: str = "quick"
    ) -> None:
        self.program = native.compile_native(program, mode, checks=checks, effort=effort)
        self.layout = self.program.layout
        self.state = self.program.new_state()

    def step(self, thread: int, choice: int | None) -> Outcome:
        """One step."""
        out = self.program.new_out()
        given_ = native.NO_CHOICE if choice is None else choice
        return outcome_of(self.program.step(self.state, thread, out, given_), out)

    def bytes(self) -> bytes:
        """The state."""
        return bytes(self.state)

    def put(self, key: Key, value: int) -> None:
        """Set a pc or a local."""
        if key[0] == "pc":
            self.layout.set_pc(self.state, key[1], value)
        else:
            self.layout.set_local(self.state, key[1], key[2], key[3], value)


class Text:
    """The Python text behind the test's interface."""

    def __init__(self, program: ir.Program, mode: str) -> None:
        self.layout = Layout(program, mode=mode)
        self.program = PythonProgram(program, mode=mode)
        self.state = self.program.new_state()

    def step(self, thread: int, choice: int | None) -> Outcome:
        """One step."""
        out = [0] * native.OUT_WORDS
        return outcome_of(self.program.step(self.state, thread, choice, out), out)

    def bytes(self) -> bytes:
        """The state."""
        return self.program.to_bytes(self.layout, self.state)

    def put(self, key: Key, value: int) -> None:
        """Set a pc or a local."""
        self.state[self.program.slots.of(key)] = value


def restart(program: ir.Program, engines: list[Any], thread: int, label: int) -> None:
    """Let a thread that stands still go on elsewhere in `main`, in all engines."""
    for engine in engines:
        for function in ("helper_a", "helper_b"):
            for name in program.functions[function].locals:
                engine.put(("local", thread, function, name), 0)
        engine.put(("pc", thread), label)


def compare(
    program: ir.Program, mode: str, seed: int, actions: int = ACTIONS, restarts: bool = True
) -> set[int]:
    """Run all engines side by side on one random schedule; the codes that occurred.

    restarts: let threads that stand still go on elsewhere (programs of random_programs only)."""
    machine = Machine(program, mode=mode)
    text = Text(program, mode)
    checked = Native(program, mode)
    best = Native(program, mode, effort="best")  # the same with LLVM's optimiser
    unchecked = Native(program, mode, checks=False)
    schedule = random.Random(seed)
    codes: set[int] = set()
    wanted: tuple[int, int] | None = None
    for _ in range(actions):
        thread, choice = wanted or (schedule.randint(1, len(program.threads)), None)
        expected = machine.step(thread, choice)
        codes.add(expected.code)
        engines: list[Native | Text] = [text, checked, best, unchecked]
        if expected.code == evaluate.ERROR:  # without checks anything may happen: leave it out
            engines.pop()
        for engine in engines:
            assert engine.step(thread, choice) == expected, engine
            assert engine.bytes() == machine.to_bytes(engine.layout), engine
        unchecked.state[:] = checked.state
        wanted = None
        if expected.code == evaluate.CHOICE:
            wanted = (thread, schedule.randint(expected.a - 1, expected.b))
        elif restarts and expected.code in STUCK and schedule.random() < 0.7:
            label = schedule.choice(program.functions["main"].labels)
            restart(program, [machine, text, checked, best, unchecked], thread, label)
    copy = Machine(program, mode=mode)
    copy.from_bytes(checked.layout, checked.state)
    assert copy.to_bytes(checked.layout) == checked.bytes()
    return codes


@pytest.mark.parametrize("mode", ["check", "simulate"])
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs(), seed=st.integers(0, 2**32))
def test_engines_agree_on_random_programs(mode: str, program: ir.Program, seed: int) -> None:
    note(listing(program))
    compare(program, mode, seed)
