# SPDX-License-Identifier: GPL-2.0-only
"""The number of workers changes nothing: states, transitions, verdicts, counterexamples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultlock.check import exploration, levels, order
from faultlock.check.explore import Options, explore
from faultlock.check.judge import check_program
from faultlock.check.result import result_of
from faultlock.check.scenarios import compile_scenario, find_scenario
from faultlock.lang.native import NativeProgram, compile_native
from tests.unit.check.models import ABBA, ASSERTING, LOST_UPDATE, SPIN, native_of


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every level with more than one state is expanded by all workers."""
    for module in (exploration, levels, order):
        monkeypatch.setattr(module, "PARALLEL_LEVEL", 2)


def said(native: NativeProgram, workers: int, partial_order: bool) -> list[dict[str, Any]]:
    """The rows of --json without the times."""
    options = Options(partial_order=partial_order, workers=workers)
    rows = result_of("p", [check_program("p", "s", native, options=options)])["results"]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("partial_order", [False, True])
@pytest.mark.parametrize("text", [LOST_UPDATE, ABBA, SPIN, ASSERTING])
def test_small_models(tmp_path: Path, text: str, partial_order: bool) -> None:
    native = native_of(tmp_path, text)
    alone = said(native, 1, partial_order)
    assert said(native, 2, partial_order) == alone
    assert said(native, 3, partial_order) == alone


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(("scenario", "policy"), [
    ("fault+kill+truncate", "hold"), ("fuse-self+fault+fork", "hold"), ("fault+fault", "hold-fix"),
])
def test_scenarios(scenario: str, policy: str) -> None:
    native = compile_native(compile_scenario(policy, find_scenario(scenario)))
    assert said(native, 2, True) == said(native, 1, True)


@pytest.mark.usefixtures("wide")
def test_order_is_that_of_one_worker(tmp_path: Path) -> None:
    native = native_of(tmp_path, LOST_UPDATE, N_THREADS=4, ROUNDS=1)
    one = explore(native, options=Options(False, False, workers=1, symmetry=False))
    three = explore(native, options=Options(False, False, workers=3, symmetry=False))
    for depth in range(one.depth + 1):
        left, right = one.order.level(depth), three.order.level(depth)
        assert [bytes(one.state(int(row))) for row in left[:50]] == [
            bytes(three.state(int(row))) for row in right[:50]]
        assert len(left) == len(right) == len(np.unique(right))
