# SPDX-License-Identifier: GPL-2.0-only
"""From stored states back to a run of single steps, replayed on the reference interpreter.

A schedule is a text: `1x14,2,3=1` lets thread 1 take 14 steps, thread 2 one, and thread 3 one
with choice 1.  Every step counts, local ones too, so a schedule does not depend on the
reductions that were on when it was found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faultlock.check.exploration import Exploration, renumbered
from faultlock.check.fingerprints import matcher
from faultlock.check.notes import holdings_of, note_of
from faultlock.check.reduce import fused_labels
from faultlock.check.schedule import Move, schedule_text
from faultlock.errors import FaultlockError
from faultlock.lang import program as ir
from faultlock.lang.evaluate import BLOCKED, CHOICE, ERROR, FAILED, Machine
from faultlock.lang.native import FINISHED, NO_CHOICE, RAN, NativeProgram

Array = Any


class ReplayError(Exception):
    """The reference interpreter and the native code disagree: a defect of faultlock."""




@dataclass
class PathStep:
    """One step of a run, for people.  `shown`: not a local step."""

    move: Move
    thread: str
    step: ir.Step
    note: str
    shown: bool


@dataclass
class Run:
    """A replayed run.  `outcome`: "" or what the last step failed with."""

    steps: list[PathStep] = field(default_factory=list)
    machine: Machine | None = None
    failed: int = 0  # assertion number, 0 = none
    error: int = 0  # model error number

    def schedule(self) -> str:
        """The schedule of all steps."""
        return schedule_text([step.move for step in self.steps])


# ---- from states to steps ------------------------------------------------------------------------


class _Stepper:
    """Takes transitions as the search does, and says of which single steps they consist."""

    def __init__(self, run: Exploration) -> None:
        self.run = run
        self.native = run.native
        self.machine = run.machine
        self.out = run.native.new_out()

    def take(self, state: Array, thread: int, choice: int | None) -> list[Move] | None:
        """The moves of one transition (the state is changed), None when it is not enabled."""
        number = NO_CHOICE if choice is None else choice
        code = self.native.step(state, thread, self.out, number)
        if code in (BLOCKED, CHOICE, FINISHED, FAILED, ERROR):
            return None
        return [Move(thread, choice), *self.local_steps(state, thread)]

    def local_steps(self, state: Array, thread: int) -> list[Move]:
        """Take the local steps that follow."""
        moves = []
        while self.machine.fused[self.native.layout.pc(state, thread)]:
            if self.native.step(state, thread, self.out, NO_CHOICE) != 1:
                break
            moves.append(Move(thread))
        return moves

    def choices(self, state: Array, thread: int) -> list[int | None]:
        """The choices that a thread has: [None] for a step without choose()."""
        code = self.native.step(state.copy(), thread, self.out, NO_CHOICE)
        if code == CHOICE:
            return list(range(int(self.out[1]), int(self.out[2])))
        return [None]

    def between(self, before: Array, row: int) -> tuple[int, int | None, Array, Array]:
        """(thread, choice) that lead from a stored state to that of a row, for every thread the
        number that it has then, and that state."""
        is_it = matcher(self.run, row)
        for thread in range(1, self.machine.threads + 1):
            if self.native.layout.pc(before, thread) == 0:
                continue
            for choice in self.choices(before, thread):
                state = before.copy()
                if self.take(state, thread, choice) is None:
                    continue
                found, numbers = renumbered(self.machine, state)
                if is_it(found):
                    return thread, choice, numbers, found
        raise ReplayError("no thread leads from one state of the path to the next")

    def follow(self, rows: list[int], state: Array) -> tuple[list[list[Move]], Array]:
        """The moves of a path of rows from a state that the first one stands for, and
        for every thread of the last one the number that it has in `state`, which is changed."""
        _, numbers = renumbered(self.machine, state)
        real = np.argsort(numbers)  # of a thread of the stored state
        parts = []
        before = self.run.state(rows[0])
        for row in rows[1:]:
            thread, choice, numbers, before = self.between(before, row)
            moves = self.take(state, int(real[thread]), choice)
            if moves is None:
                raise ReplayError("a step of the path is not enabled for the thread it is of")
            parts.append(moves)
            real = real[np.argsort(numbers)]
        return parts, real


def _path_to(run: Exploration, row: int) -> tuple[list[list[Move]], Array, Array]:
    """moves_to, the state that they lead to, and the threads of the stored state there."""
    stepper = _Stepper(run)
    state = run.native.new_state()
    first: list[Move] = []
    for thread in range(1, run.machine.threads + 1):
        first += stepper.local_steps(state, thread)
    parts, real = stepper.follow(run.path_rows(row), state)
    return [first, *parts], state, real


def state_again(run: Exploration, row: int) -> Array:
    """The state of a row of which only the fingerprint is known."""
    stepper = _Stepper(run)
    state = run.initial
    for each in run.path_rows(row)[1:]:
        *_, state = stepper.between(state, each)
    return state.copy()


def moves_to(run: Exploration, row: int) -> list[list[Move]]:
    """The shortest run to a state: its transitions, each a list of moves; the first list holds
    the local steps before the first transition.  With symmetry the run ends in a state that the
    stored one stands for."""
    return _path_to(run, row)[0]


def moves_along(run: Exploration, rows: list[int]) -> list[Move]:
    """The moves from row to row (for cycles, which are looked for without symmetry)."""
    stepper = _Stepper(run)
    parts, _ = stepper.follow(rows, run.state(rows[0]))
    return [move for part in parts for move in part]


def failing_moves(run: Exploration, thread: int, choice: int, row: int) -> list[list[Move]]:
    """The run to a state and the transition from there that fails, found as thread and choice
    of the stored state: the failing step is the last."""
    parts, state, real = _path_to(run, row)
    mover, out = int(real[thread]), run.native.new_out()
    chosen = None if choice == NO_CHOICE else choice
    moves = [Move(mover, chosen)]
    code = run.native.step(state, mover, out, NO_CHOICE if chosen is None else chosen)
    while code == RAN and run.machine.fused[run.native.layout.pc(state, mover)]:
        moves.append(Move(mover))
        code = run.native.step(state, mover, out, NO_CHOICE)
    if code not in (FAILED, ERROR):
        raise ReplayError("no step fails in the state where one was found to fail")
    return [*parts, moves]


# ---- replay --------------------------------------------------------------------------------------


def replay(native: NativeProgram, moves: list[Move], strict: bool = True) -> Run:
    """Run a schedule on the reference interpreter.

    Raises ReplayError (strict) or FaultlockError when a step of the schedule is not enabled.
    """
    program = native.program
    machine = Machine(program)
    if program.setup is not None:
        machine.call(program.setup)
    fused = fused_labels(program, True)  # whether the search fused them or not
    run = Run(machine=machine)
    for position, move in enumerate(moves):
        label = machine.get(("pc", move.thread))
        if label == 0:
            _refuse(strict, position, move, "has finished")
        before, held = dict(machine.state), holdings_of(machine, move.thread)
        outcome = machine.step(move.thread, move.choice)
        if outcome.code in (BLOCKED, CHOICE):
            _refuse(strict, position, move, "is blocked or needs a choice")
        step = program.step_at(label)
        if outcome.code in (FAILED, ERROR):
            run.failed = outcome.a if outcome.code == FAILED else 0
            run.error = outcome.a if outcome.code == ERROR else 0
            run.steps.append(_row(program, move, step, "", True))
            return run
        note = note_of(machine, before, held, move.thread)
        shown = not fused[label] or bool(note)
        run.steps.append(_row(program, move, step, note, shown))
    return run


def _refuse(strict: bool, position: int, move: Move, why: str) -> None:
    text = f"step {position + 1} of the schedule: thread {move.thread} {why}"
    if strict:
        raise ReplayError(text)
    raise FaultlockError(f"{text}; the schedule belongs to another scenario or policy")


def _row(program: ir.Program, move: Move, step: ir.Step, note: str, shown: bool) -> PathStep:
    return PathStep(move, thread_name(program, move.thread), step, note, shown)


def thread_name(program: ir.Program, thread: int) -> str:
    """The name of a thread; equal names are told apart by their number."""
    names = [entry.name for entry in program.threads]
    name = names[thread - 1]
    if names.count(name) > 1:
        return f"{name}{names[:thread].count(name)}"
    return name


def confirm(run: Exploration, replayed: Run, row: int) -> None:
    """The interpreter must stand in exactly the state that the search found, up to the numbers
    of interchangeable threads.  Raises ReplayError."""
    assert replayed.machine is not None
    if replayed.machine.to_bytes(run.native.layout) != bytes(_path_to(run, row)[1]):
        raise ReplayError("the reference interpreter ends in another state than the search")

