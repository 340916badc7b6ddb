# SPDX-License-Identifier: GPL-2.0-only
"""The verdict in words says what the numbers carry, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from faultlock.compare.words import MOST_SENTENCES, io_share, sentences, time_text
from faultlock.sim.many import T95, interval


def row(mean: float, p99: float, half: float) -> dict[str, Any]:
    ci95 = {"mean_us": [mean - half, mean + half], "p99_us": [p99 - half, p99 + half]}
    return {"n": 100, "rate_hz": 50.0, "mean_us": mean, "p99_us": p99, "ci95": ci95}


def result(**policies: dict[str, Any]) -> dict[str, Any]:
    return {"policies": {name.replace("_", "-"): entry for name, entry in policies.items()}}


def test_the_largest_difference_is_said_with_its_cause() -> None:
    hold = {"actors": {"fork": row(30_000, 60_000, 900)},
            "blocked_by_actor": {"fork": {"io": 2_910_000.0}}}
    text = sentences(result(drop_retry={"actors": {"fork": row(700, 1_400, 20)}}, hold=hold))
    assert text[0] == (
        "fork p99: drop-retry 1.4 ms, hold 60 ms: 42.9 times longer; 97% of its time is waiting "
        "for I/O of other threads' faults."
    )


def test_overlapping_intervals_are_no_difference() -> None:
    same = result(drop_retry={"actors": {"fork": row(700, 1_400, 400)}},
                  hold={"actors": {"fork": row(900, 1_900, 400)}})
    text = sentences(same)
    assert text[0].startswith("No actor differs from drop-retry")
    assert text[1] == "No difference from drop-retry within the confidence intervals: hold."


def test_shorter_is_said_as_shorter_and_actors_that_did_nothing_are_left_out() -> None:
    base = {"actors": {"fault": row(2_000, 8_000, 1), "idle": {"n": 0, "rate_hz": 0.0,
                                                              "mean_us": 0.0, "p99_us": 0.0}}}
    hold = {"actors": {"fault": row(1_000, 4_000, 1), "idle": base["actors"]["idle"]}}
    text = sentences(result(drop_retry=base, hold=hold))
    assert text == ["fault p99: drop-retry 8 ms, hold 4 ms: 2 times shorter."]


def test_policies_with_the_same_times_are_one_sentence() -> None:
    slow = {"actors": {"fork": row(30_000, 60_000, 900)}}
    text = sentences(result(drop_retry={"actors": {"fork": row(700, 1_400, 20)}},
                            hold=slow, hold_fix=dict(slow)))
    assert text == ["fork p99: drop-retry 1.4 ms, hold and hold-fix 60 ms: 42.9 times longer."]


def test_each_actor_is_said_before_any_twice() -> None:
    base = {"actors": {"anon": row(10, 100, 1), "fork": row(100, 1_000, 1)}}
    others = {
        f"p{n}": {"actors": {"anon": row(100 + n, 9_000 + n, 1), "fork": row(200, 1_000, 1)}}
        for n in range(9)
    }
    text = sentences(result(drop_retry=base, **others))
    assert len(text) == MOST_SENTENCES
    assert text[0].startswith("anon p99") and text[-1].startswith("fork mean: drop-retry 100 us")


def test_the_share_of_io_needs_the_actor_and_its_time() -> None:
    entry = {"actors": {"fork": row(10, 20, 1)}, "blocked_by_actor": {"fork": {"io": 500.0}}}
    assert io_share(entry, "fork") == pytest.approx(0.5)
    assert io_share(entry, "fault") is None
    assert io_share({"actors": entry["actors"]}, "fork") is None


def test_confidence_intervals_are_those_of_student() -> None:
    assert interval([5.0]) == (5.0, 0.0)
    assert interval([1.0, 3.0]) == pytest.approx((2.0, 12.706))
    mean, half = interval([0.0, 1.0] * 40)
    assert mean == 0.5 and half == pytest.approx(1.96 * 0.5 / 79**0.5)
    assert list(T95) == sorted(T95, reverse=True)


@pytest.mark.parametrize(("us", "text"), [
    (0.05, "50 ns"), (12.34, "12.3 us"), (1_400, "1.4 ms"), (2_100_000, "2.1 s"),
])
def test_times_have_a_fitting_unit(us: float, text: str) -> None:
    assert time_text(us) == text
