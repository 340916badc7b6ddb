# SPDX-License-Identifier: GPL-2.0-only
"""64 bits instead of a state: the same verdicts and runs, less memory, and it is said."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultlock.check import exploration, levels, order
from faultlock.check.explore import Options, explore
from faultlock.check.fingerprints import fingerprint_of_state, missed_below
from faultlock.check.judge import check_program
from faultlock.check.result import ktap_lines, result_of, summary_rows
from faultlock.check.run import check_scenario
from faultlock.check.scenarios import CATALOGUE, compile_scenario, find_scenario
from faultlock.check.store import bytes_in_use, state_words
from faultlock.lang.native import NativeProgram, compile_native
from tests.unit.check.models import ABBA, ASSERTING, LOST_UPDATE, SPIN, native_of

SMALL = 1500  # states, of the scenarios that are compared


def said(result: Any) -> list[dict[str, Any]]:
    """The rows of --json without what differs: times, the bound, the point of no return."""
    left_out = ("seconds", "fingerprints", "no_return")
    rows = result_of("p", [result])["results"]
    return [{key: value for key, value in row.items() if key not in left_out} for row in rows]


def small_scenarios() -> list[tuple[str, str]]:
    """(scenario, policy) of the catalogue that are quick."""
    with open(CATALOGUE / "expected.toml", "rb") as stream:
        expected = tomllib.load(stream)
    return [(name, policy) for name, policies in expected.items()
            for policy in ("hold", "retry-vma") if 0 < policies[policy]["states"] < SMALL]


@pytest.mark.parametrize("partial_order", [False, True])
@pytest.mark.parametrize("text", [LOST_UPDATE, ABBA, SPIN, ASSERTING])
def test_small_models(tmp_path: Path, text: str, partial_order: bool,
                      monkeypatch: pytest.MonkeyPatch) -> None:
    native = native_of(tmp_path, text)
    for module in (exploration, levels, order):
        monkeypatch.setattr(module, "PARALLEL_LEVEL", 2)
    whole = check_program("p", "s", native, options=Options(True, partial_order, workers=1))
    for workers in (1, 3):
        options = Options(True, partial_order, workers=workers, fingerprints=True)
        assert said(check_program("p", "s", native, options=options)) == said(whole)


@pytest.mark.parametrize(("scenario", "policy"), small_scenarios())
def test_small_scenarios(scenario: str, policy: str) -> None:
    native = compile_native(compile_scenario(policy, find_scenario(scenario)))
    whole, found = (check_scenario(policy, find_scenario(scenario), native=native, options=Options(
        bounds=False, fingerprints=fingerprints)) for fingerprints in (False, True))
    assert said(found) == said(whole)


def large(tmp_path: Path) -> NativeProgram:
    return native_of(tmp_path, LOST_UPDATE, N_THREADS=4, ROUNDS=2)


def test_rows_of_expanded_levels_are_gone_and_found_again(tmp_path: Path) -> None:
    native = large(tmp_path)
    run = explore(native, options=Options(False, False, symmetry=False, fingerprints=True))
    whole = explore(native, options=Options(False, False, symmetry=False))
    assert run.states == whole.states > 100_000
    gone = sum(int((run.store.rows[low:high] == 0).all(axis=1).sum()) for low, high in run.rows())
    assert gone > run.states // 2
    words = np.zeros(state_words(run.store), np.uint64)
    packed = np.zeros(run.store.rows.shape[1], np.uint64)
    for low, high in run.rows():
        for row in range(low, high, max((high - low) // 5, 1)):
            state = run.state(row)
            words.view(np.uint8)[: len(state)] = state
            assert fingerprint_of_state(run.store, words, packed) == run.store.fingerprints[row]
    assert bytes_in_use(run.store) < bytes_in_use(whole.store)


def test_different_states_have_different_fingerprints(tmp_path: Path) -> None:
    run = explore(large(tmp_path), options=Options(False, False, symmetry=False, fingerprints=True))
    found = np.concatenate([run.store.fingerprints[low:high] for low, high in run.rows()])
    assert len(np.unique(found)) == len(found)
    # as good as drawn at random: every bit is set in about half of them
    for bit in range(64):
        share = float((found >> np.uint64(bit) & np.uint64(1)).mean())
        assert abs(share - 0.5) < 0.02


def test_holds_says_what_it_rests_on(tmp_path: Path) -> None:
    found = check_program("p", "s", native_of(tmp_path, LOST_UPDATE),
                          options=Options(fingerprints=True))
    assert found.missed_below == missed_below(found.exploration.states) > 0
    result = result_of("p", [found])
    row = result["results"][0]
    assert row["fingerprints"] == {
        "bits": 64, "missed_state_probability_below": found.missed_below}
    assert any("64-bit fingerprints of states are compared" in text for text in result["assumed"])
    bound = f"probability of a missed state < {found.missed_below:.1e}"
    assert f"holds (64-bit fingerprints: {bound})" in [row[2] for row in summary_rows(result)[1]]
    assert any("64-bit fingerprints" in line for line in ktap_lines(result))
    whole = result_of("p", [check_program("p", "s", native_of(tmp_path, LOST_UPDATE))])
    assert "fingerprints" not in str(whole["results"])
    assert any("full states are compared" in text for text in whole["assumed"])
