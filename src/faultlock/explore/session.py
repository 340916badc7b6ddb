# SPDX-License-Identifier: GPL-2.0-only
"""One walk through a scenario: the schedule so far, what is enabled, the state by name.

The walk runs on the reference interpreter; schedules are those that `check` prints.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from faultlock.check.schedule import Move, parse_schedule, schedule_text
from faultlock.errors import FaultlockError
from faultlock.lang.evaluate import (
    BLOCKED,
    CHOICE,
    ERROR,
    FAILED,
    FINISHED,
    FailedCallError,
    Machine,
)
from faultlock.lang.program import CHOOSE, Program

MAX_STEPS = 10_000
MAX_CHOICES = 256


@dataclass
class Session:
    """A program, the moves made so far and the machine after them."""

    program: Program
    title: str = ""
    moves: list[Move] = field(default_factory=list)
    trouble: str = ""

    def __post_init__(self) -> None:
        self.machine = self._replayed()

    def start(self) -> Machine:
        """A machine in the initial state."""
        machine = Machine(self.program)
        if self.program.setup is not None:
            machine.call(self.program.setup)
        return machine

    def _replayed(self) -> Machine:
        if len(self.moves) > MAX_STEPS:
            raise FaultlockError(f"schedule: {len(self.moves)} moves, at most {MAX_STEPS}; cut it")
        machine = self.start()
        self.trouble = ""
        for number, move in enumerate(self.moves, start=1):
            label = machine.get(("pc", move.thread))
            chooses = label != 0 and self.program.step_at(label).kind == CHOOSE
            outcome = machine.step(move.thread, move.choice)
            refused = outcome.code in (BLOCKED, CHOICE, FINISHED)
            if refused or (move.choice is not None and not chooses):
                raise FaultlockError(
                    f"schedule: move {number} ({schedule_text([move])}) is not possible here"
                )
            if outcome.code in (FAILED, ERROR):
                self.trouble = self._failure(outcome.code, outcome.a)
        return machine

    def _failure(self, code: int, number: int) -> str:
        table: Any = self.program.assertions if code == FAILED else self.program.errors
        item = table[number - 1]
        return f"{item.text} ({item.file}:{item.line})"

    # ---- moves -------------------------------------------------------------------------

    def do(self, move: Move) -> None:
        """Make a move; raises FaultlockError when it is not possible."""
        self._become([*self.moves, move])

    def back(self, count: int = 1) -> None:
        """Take back the last `count` moves."""
        self._become(self.moves[: max(0, len(self.moves) - count)])

    def jump(self, text: str) -> None:
        """Replace the walk by a schedule."""
        self._become(self.parsed(text))

    def parsed(self, text: str) -> list[Move]:
        """The moves of a schedule text; raises FaultlockError naming what is wrong."""
        return parse_schedule(text, len(self.program.threads)) if text.strip() else []

    def _become(self, moves: list[Move]) -> None:
        before = self.moves
        self.moves = moves
        try:
            self.machine = self._replayed()
        except FaultlockError:
            self.moves = before
            self.machine = self._replayed()
            raise

    # ---- what is to see ----------------------------------------------------------------

    def enabled(self) -> list[dict[str, Any]]:
        """For every thread: where it stands and which moves it has."""
        result = []
        for number, entry in enumerate(self.program.threads, start=1):
            label = self.machine.get(("pc", number))
            step = self.program.step_at(label) if label else None
            result.append(
                {
                    "thread": number,
                    "name": entry.name,
                    "at": f"{step.file}:{step.line}" if step else "",
                    "function": step.function if step else "",
                    "text": step.text if step else "finished",
                    "moves": [schedule_text([move]) for move in self._moves_of(number)],
                    "daemon": entry.daemon,
                }
            )
        return result

    def _moves_of(self, thread: int) -> list[Move]:
        if self.trouble:
            return []
        probe = self._copy()
        outcome = probe.step(thread)
        if outcome.code == CHOICE:
            high = min(outcome.b, outcome.a + MAX_CHOICES)
            return [
                Move(thread, value)
                for value in range(outcome.a, high)
                if self._copy().step(thread, value).code != BLOCKED
            ]
        return [] if outcome.code in (BLOCKED, FINISHED) else [Move(thread)]

    def _copy(self) -> Machine:
        machine = Machine(self.program)
        machine.state = dict(self.machine.state)
        return machine

    def violated(self) -> list[str]:
        """Names of the `always` properties that are false here, and a failed step."""
        found = [self.trouble] if self.trouble else []
        for item in self.program.properties:
            if item.kind != "always":
                continue
            try:
                holds = self._copy().call(item.function)
            except FailedCallError as error:
                found.append(f"{item.name}: {self._failure(error.code, error.number)}")
            else:
                if not holds:
                    found.append(f"{item.name}: {' '.join(item.doc.split())}")
        return found

    def variables(self) -> dict[str, dict[str, int]]:
        """Everything that is not 0, by owner and kernel field name."""
        owners: dict[str, dict[str, int]] = {}
        for key, value in sorted(self.machine.state.items(), key=str):
            if key[0] == "field":
                _, struct, instance, name, element = key
                declared = self.program.structs[struct].fields[name]
                shown = f"{name}[{element}]" if declared.length is not None else name
                owners.setdefault(f"{struct} {instance}", {})[shown] = value
            elif key[0] == "local":
                _, thread, function, name = key
                owners.setdefault(f"{self.program.threads[thread - 1].name} locals", {})[
                    f"{function}: {name}"
                ] = value
        return owners

    def view(self) -> dict[str, Any]:
        """All of it as plain data for the page."""
        return {
            "scenario": self.title or self.program.name,
            "schedule": schedule_text(self.moves),
            "steps": len(self.moves),
            "threads": self.enabled(),
            "state": self.variables(),
            "violated": self.violated(),
        }
