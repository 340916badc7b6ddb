# SPDX-License-Identifier: GPL-2.0-only
"""One walk through a scenario: the schedule so far, what is enabled, the state by name.

The walk runs on the reference interpreter.  A schedule is text: `1 1 2:3 1` means thread 1
twice, thread 2 with choice 3, thread 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

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
_MOVE = re.compile(r"(\d{1,5})(?::(-?\d{1,18}))?")


@dataclass(frozen=True)
class Move:
    """One step of one thread; `choice` only where the step asks for a value."""

    thread: int
    choice: int | None = None

    def __str__(self) -> str:
        return str(self.thread) if self.choice is None else f"{self.thread}:{self.choice}"


def parse_schedule(text: str) -> list[Move]:
    """Moves of a schedule text; raises FaultlockError naming the first bad word."""
    moves = []
    for word in text.replace(",", " ").split():
        match = _MOVE.fullmatch(word)
        if match is None:
            raise FaultlockError(
                f"schedule: {word[:40]!r} is not a move; write THREAD or THREAD:CHOICE"
            )
        choice = None if match.group(2) is None else int(match.group(2))
        moves.append(Move(int(match.group(1)), choice))
    if len(moves) > MAX_STEPS:
        raise FaultlockError(f"schedule: {len(moves)} moves, at most {MAX_STEPS}; cut it")
    return moves


@dataclass
class Session:
    """A program, the moves made so far and the machine after them."""

    program: Program
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
        machine = self.start()
        self.trouble = ""
        for number, move in enumerate(self.moves, start=1):
            if not 1 <= move.thread <= len(self.program.threads):
                raise FaultlockError(
                    f"schedule: move {number} ({move}): there is no thread {move.thread}"
                )
            label = machine.get(("pc", move.thread))
            chooses = label != 0 and self.program.step_at(label).kind == CHOOSE
            outcome = machine.step(move.thread, move.choice)
            refused = outcome.code in (BLOCKED, CHOICE, FINISHED)
            if refused or (move.choice is not None and not chooses):
                raise FaultlockError(f"schedule: move {number} ({move}) is not possible here")
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
        self._become(parse_schedule(text))

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
                    "moves": [str(move) for move in self._moves_of(number)],
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
            "scenario": self.program.name,
            "schedule": " ".join(map(str, self.moves)),
            "steps": len(self.moves),
            "threads": self.enabled(),
            "state": self.variables(),
            "violated": self.violated(),
        }
