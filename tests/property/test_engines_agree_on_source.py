# SPDX-License-Identifier: GPL-2.0-only
"""Random model text, compiled, means the same in every engine.

The reference interpreter keeps the locals of all functions apart; in bytes they share places.
That the states agree shows that the front end clears locals before others take their place.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from faultlock.lang.assemble import assemble
from faultlock.lang.evaluate import ERROR, FAILED, RAN
from faultlock.lang.source import KERNEL_LAYER, Source, read_sources
from tests.property.test_engines_agree import compare, own_cache
from tests.property.test_front_end import program_text

__all__ = ["own_cache"]

ACTORS = """
@thread("U")
def other():
    y = f1(3, 5)
    box.y = y
    with atomic:
        for thread in each(Thread):
            thread.woken = True
@thread("V")
def third():
    emit("BEGIN", 1)
    wait(current.woken)
    value = choose(-2, 3, "value", where=value != box.y)
    cpu("work", 2)
    z = f2(value, value)
    emit("END", z)
    box.x = z
"""


def threaded(text: str) -> str:
    """The generated text with two more threads that interfere with the first."""
    declared = "    fatal_signal_pending: bool\n"
    return text.replace(declared, declared + "    woken: bool\n") + ACTORS


@pytest.mark.parametrize("mode", ["check", "simulate"])
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=program_text(), seed=st.integers(0, 2**32))
def test_engines_agree_on_random_text(mode: str, text: str, seed: int) -> None:
    text = threaded(text)
    note(text)
    space: Any = read_sources([Source("generated.py", KERNEL_LAYER, text)], [])
    program = assemble("generated", space, {}, statistics=mode == "simulate", everything=False)
    assert program is not None, "\n".join(map(str, space.errors))
    codes = compare(program, mode, seed, actions=200, restarts=False)
    assert RAN in codes and not codes & {FAILED, ERROR}, codes
