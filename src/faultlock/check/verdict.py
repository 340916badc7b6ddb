# SPDX-License-Identifier: GPL-2.0-only
"""What a check says about a scenario: a verdict per property, each violation with its run.

holds     in every interleaving within the scenario's bounds
violated  with a counterexample that has been replayed on the reference interpreter
unknown   a limit was reached, or every run ends at another violation first; why is said
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faultlock.check.exploration import Exploration
from faultlock.check.path import Run
from faultlock.check.schedule import Move
from faultlock.lang import program as ir
from faultlock.lang.native import NativeProgram

if TYPE_CHECKING:
    from faultlock.check.bounds import IoBound

HOLDS, VIOLATED, UNKNOWN = "holds", "violated", "unknown"
DEADLOCK = "L1 no deadlock"
LIVELOCK = "L8 no livelock"
MEMORY = "S0 no null dereference, every value in its range"
# properties that are assert statements in the kernel text: id -> name
EVENT_NAMES = {
    "S1": "S1 no stale PTE",
    "S2": "S2 only uptodate pages are mapped",
    "S3": "S3 reference balance",
    "S4": "S4 lock balance",
    "S5": "S5 result contract",
    "S6": "S6 NOWAIT",
    "S7": "S7 VMA use after release",
    "S8": "S8 VMA stability",
    "S9": "S9 write lock exclusion",
    "S10": "S10 end of file",
    "S11": "S11 no fill under removal",
    "S12": "S12 SIGBUS accuracy",
    "S13": "S13 freeze",
    "S14": "S14 single fill",
    "S15": "S15 no blocking on mmap_lock with a VMA read lock held",
    "S16": "S16 flag legality",
    "L8": "L8 loops make progress",
}
PINNED = "vmf_vma"  # None once the fault lock is released: using it then is S7


@dataclass
class Counterexample:
    """A replayed run: its steps, what is wrong at its end, the step of no return (0: unknown)."""

    run: Run
    wrong: str
    no_return: int = 0
    cycle_from: int = 0  # index into run.steps where the cycle of an infinite run begins


@dataclass
class PropertyResult:
    """The verdict of one property."""

    name: str
    kind: str
    verdict: str
    sentence: str = ""
    reason: str = ""
    counterexample: Counterexample | None = None
    ignored: frozenset[str] = frozenset()  # ids whose assertions were left out of this search
    run: Exploration | None = None  # the search that decided it


@dataclass
class ScenarioResult:
    """All verdicts of one scenario under one policy."""

    policy: str
    scenario: str
    native: NativeProgram
    exploration: Exploration
    acyclic: bool | None = None  # None: not worked out
    properties: list[PropertyResult] = field(default_factory=list)
    seconds: float = 0.0
    assertions_that_failed: frozenset[str] = frozenset()
    io_bounds: list[IoBound] | None = None  # None: not worked out, or a limit was reached
    missed_below: float = 0.0  # bound on the probability of a missed state; 0: none can be

    @property
    def violated(self) -> list[PropertyResult]:
        """The properties that are violated."""
        return [item for item in self.properties if item.verdict == VIOLATED]


def one_line(text: str) -> str:
    """A docstring as one line."""
    return " ".join(text.split())


def flat(parts: list[list[Move]]) -> list[Move]:
    """All moves, one after another."""
    return [move for part in parts for move in part]


def event_name(identifier: str) -> str:
    """The name of an event property, from the first word of an assertion."""
    return EVENT_NAMES.get(identifier, identifier)


def property_order(name: str) -> tuple[str, int, str]:
    """S1, S2, ... S16, L1, ... in the order of their numbers; V last."""
    first = name.split()[0]
    digits = first[1:]
    group = {"S": "1", "L": "2"}.get(first[0], "3")
    return group, int(digits) if digits.isdigit() else 0, name


def finding_names(program: ir.Program, monitors: list[ir.Property]) -> list[str]:
    """Property name of each column of Search.found; "" where reaching it is no violation."""
    names = [item.name if item.kind == "always" else "" for item in monitors]
    names += [event_name(item.property) for item in program.assertions]
    names += [EVENT_NAMES["S7"] if PINNED in item.text else MEMORY for item in program.errors]
    return [*names, DEADLOCK]
