# SPDX-License-Identifier: GPL-2.0-only
"""Tables, sentences and page of a replay."""

from __future__ import annotations

from typing import Any

import pytest

from faultlock.report.replay_page import (
    most_blocked,
    replay_page,
    sentences,
    thread_rows,
    total_rows,
)
from tests.unit.report.samples import HOSTILE, compare_result


def times(n: int, max_us: float, blocked_us: float) -> dict[str, float]:
    return {"n": n, "sum_us": max_us, "max_us": max_us, "blocked_us": blocked_us}


def thread(name: str, tid: int, blocked_us: float) -> dict[str, Any]:
    operations = {"fault": times(3, blocked_us, blocked_us), "mmap": times(1, 7.0, 0.0)}
    return {"name": name, "tid": tid, "ended_s": 0.5, "operations": operations}


def replay_result() -> dict[str, Any]:
    """As `replay --json` prints it: two threads under two policies, one with a hostile name."""
    compared = compare_result()["policies"]
    policies = {}
    for number, (policy, entry) in enumerate(list(compared.items())[:2]):
        policies[policy] = {
            "waits": {},
            "chains": [],
            **entry,
            "finished": True,
            "elapsed_s": 2.0 + number,
            "blocked_s": 0.5,
            "major_faults": 12.0,
            "errors": {"SIGSEGV": 5},
            "threads": [thread("quiet", 41, 100.0), thread(HOSTILE, 42, 9000.0 * (number + 1))],
        }
    return {
        "trace": f"app {HOSTILE}.flt",
        "device": "recorded",
        "device_figures": {"latency_us": 80.0, "bandwidth_bytes_per_s": 500_000_000},
        "seed": 1,
        "recorded": {"elapsed_s": 1.9, "blocked_s": 0.4, "major_faults": 12.0},
        "recorded_threads": [thread("quiet", 41, 120.0), thread(HOSTILE, 42, 8000.0)],
        "policies": policies,
    }


def test_totals_begin_with_the_recording() -> None:
    header, rows = total_rows(replay_result())
    assert [row[0] for row in rows] == ["recorded", *replay_result()["policies"]]
    assert rows[0][:5] == ["recorded", "1.900", "0.400", "12", "8000"]
    assert {len(row) for row in rows} == {len(header)}
    assert rows[2][4] == "18000"


@pytest.mark.parametrize(("top", "shown"), [(1, [1]), (0, [1, 0]), (9, [1, 0])])
def test_the_most_blocked_threads_come_first(top: int, shown: list[int]) -> None:
    result = replay_result()
    assert most_blocked(result, top) == shown
    header, rows = thread_rows(result, top)
    # The quiet thread does the same under both policies: the second has no row.
    assert len(rows) == sum({0: 2, 1: 3}[number] for number in shown)
    assert rows[0][1:] == ["recorded", "0.500", "3", "8.000", "8000", "-", "7", "-"]
    assert {len(row) for row in rows} == {len(header)}
    assert all(cell.isprintable() for row in rows for cell in row)


def test_sentences_compare_with_the_first_policy() -> None:
    said = sentences(replay_result())
    first, second = replay_result()["policies"]
    assert f"replay under {first} takes 2.000 s" in said[0]
    assert said[1] == f"{second}: 3.000 s (+50.0 %) in all, 0.500 s (the same) asleep in faults."
    assert said[2] == "Touches that ended with a signal under every policy: 5 SIGSEGV."
    result = replay_result()
    result["policies"][second]["finished"] = False
    result["policies"][second]["errors"] = {}
    said = sentences(result)
    assert f"{second}: given up, it took far longer than the recording." in said
    assert f"Touches that ended with a signal under {first}: 5 SIGSEGV." in said


def test_the_page_escapes_what_the_recording_names() -> None:
    text = replay_page(replay_result(), "faultlock replay app.flt")
    assert HOSTILE not in text
    assert "Per thread" in text and "recorded" in text
    assert "a read that was recorded takes as long as it took" in text
