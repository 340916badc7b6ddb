# SPDX-License-Identifier: GPL-2.0-only
"""Schedules as text: which thread takes the next step, and what it chooses.

`1x14,2,3=1` lets thread 1 take 14 steps, thread 2 one, and thread 3 one with choice 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

from faultlock.errors import FaultlockError

MAX_SCHEDULE_STEPS = 1_000_000
GROUP = re.compile(r"(\d{1,7})(?:x(\d{1,7}))?(?:=(-?\d{1,18}))?")


@dataclass(frozen=True)
class Move:
    """One step: which thread (1-based), and the value of its choose()."""

    thread: int
    choice: int | None = None


def schedule_text(moves: list[Move]) -> str:
    """Moves as text; equal neighbours without a choice are counted."""
    parts = []
    for move, group in groupby(moves):
        count = len(list(group))
        if move.choice is not None:
            parts += [f"{move.thread}={move.choice}"] * count
        else:
            parts.append(f"{move.thread}x{count}" if count > 1 else f"{move.thread}")
    return ",".join(parts)


def parse_schedule(text: str, threads: int) -> list[Move]:
    """Moves from text.  Raises FaultlockError that names the part that is wrong."""
    moves: list[Move] = []
    for part in text.replace(" ", "").split(","):
        found = GROUP.fullmatch(part)
        if found is None:
            raise FaultlockError(
                f"schedule: {part!r} is not THREAD, THREADxCOUNT or THREAD=CHOICE; "
                "copy the schedule that check printed"
            )
        thread, count = int(found[1]), int(found[2] or 1)
        if not 1 <= thread <= threads:
            raise FaultlockError(f"schedule: {part!r}: threads are 1 .. {threads}")
        if len(moves) + count > MAX_SCHEDULE_STEPS:
            raise FaultlockError(f"schedule: more than {MAX_SCHEDULE_STEPS} steps")
        moves += [Move(thread, None if found[3] is None else int(found[3]))] * count
    return moves
