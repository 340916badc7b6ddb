# SPDX-License-Identifier: GPL-2.0-only
"""Schedules: text to moves and back, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultlock.check.path import ReplayError, replay
from faultlock.check.schedule import Move, parse_schedule, schedule_text
from faultlock.check.walk import random_walks
from faultlock.errors import FaultlockError
from tests.unit.check.models import LOST_UPDATE, native_of

MOVES = st.builds(Move, st.integers(1, 5), st.none() | st.integers(-3, 9))


@given(st.lists(MOVES, min_size=1, max_size=40))
def test_schedule_text_round_trip(moves: list[Move]) -> None:
    assert parse_schedule(schedule_text(moves), 5) == moves


@pytest.mark.parametrize(
    ("text", "message"),
    [("1,x", "'x' is not"), ("7", "threads are 1 .. 3"), ("", "is not"),
     ("1x9999999", "more than")],
)
def test_bad_schedules_are_refused(text: str, message: str) -> None:
    with pytest.raises(FaultlockError, match=message):
        parse_schedule(text, 3)


def test_replay_of_a_foreign_schedule_is_refused(tmp_path: Path) -> None:
    native = native_of(tmp_path, LOST_UPDATE)
    with pytest.raises(FaultlockError, match="belongs to another"):
        replay(native, [Move(1)] * 100, strict=False)
    with pytest.raises(ReplayError):
        replay(native, [Move(1)] * 100)


def test_random_walks_find_a_shallow_bug_and_repeat(tmp_path: Path) -> None:
    native = native_of(tmp_path, LOST_UPDATE)
    first = random_walks(native, 50, seed=3)
    assert "S1 small" in first.found
    assert random_walks(native, 50, seed=3).found == first.found
    alone = native_of(tmp_path, LOST_UPDATE, N_THREADS=2)
    assert "L1 no deadlock" not in random_walks(alone, 50).found
