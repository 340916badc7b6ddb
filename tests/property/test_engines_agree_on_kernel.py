# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own text means the same in every engine, on random schedules."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from faultlock.lang import evaluate
from faultlock.lang.evaluate import Machine
from faultlock.lang.model import compile_model, load_model
from tests.property.test_engines_agree import Native, Text

SCENARIO = Path(__file__).parents[2] / "bench" / "contended_fault.py"
STEPS = 1500
COMPARE_EVERY = 25  # steps between comparisons of whole states


@pytest.mark.parametrize("mode", ["check", "simulate"])
@pytest.mark.parametrize("policy", ["drop-retry", "hold"])
def test_engines_agree_on_a_contended_fault_path(
    policy: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTLOCK_CACHE", str(tmp_path))
    model = load_model(policy, [SCENARIO])
    program = compile_model(model, statistics=mode == "simulate")
    machine = Machine(program, mode=mode)
    text, native = Text(program, mode), Native(program, mode)
    assert program.setup is not None
    machine.call(program.setup)
    text.program.call(program.setup, text.state, 1)
    assert native.bytes() == text.bytes() == machine.to_bytes(native.layout)
    schedule = random.Random(f"{policy} {mode}")
    labels: set[int] = set()
    thread, choice = 1, None
    for number in range(STEPS):
        labels.add(machine.get(("pc", thread)))
        expected = machine.step(thread, choice)
        assert text.step(thread, choice) == expected == native.step(thread, choice)
        assert expected.code not in (evaluate.FAILED, evaluate.ERROR), expected
        if number % COMPARE_EVERY == 0:
            assert native.bytes() == text.bytes() == machine.to_bytes(native.layout)
        choice = None
        if expected.code == evaluate.CHOICE:
            choice = schedule.randrange(expected.a, expected.b)
        elif expected.code == evaluate.BLOCKED or schedule.random() < 0.1:
            thread = schedule.randint(1, len(program.threads))
    assert native.bytes() == text.bytes() == machine.to_bytes(native.layout)
    assert len(labels) > 100  # the schedule gets around in the kernel
