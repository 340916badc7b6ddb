# SPDX-License-Identifier: GPL-2.0-only
"""The tests of a step fail when the step is wrong: a sample of mutants.py (which does all)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.model.mutants import (
    ALWAYS,
    KILLED,
    NEVER,
    REACHED,
    Mutant,
    mutants,
    node_id,
    replacements,
)

ROOT = Path(__file__).parents[2]
SAMPLE = ("F2", "F32", "8.1.7", "3.1.6", "8.9.7")
UNCHANGED = """
from tests.model import mutants
table = mutants.load_table()
outcome, why = mutants.try_mutant(mutants.UNCHANGED, table["F11"][-1:])
print(outcome, why)
"""


def python(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


def test_a_sample_of_wrong_steps_is_noticed() -> None:
    run = python("-m", "tests.model.mutants", *SAMPLE)
    lines = run.stdout.splitlines()
    noticed = {line.split()[1 if line.startswith(KILLED) else 2] for line in lines
               if line.startswith((KILLED, REACHED))}
    assert run.returncode == 0 and noticed == set(SAMPLE), run.stdout + run.stderr


def test_a_copy_without_a_change_passes() -> None:
    """Otherwise everything would look noticed: only the SPDX line of a file is changed here."""
    assert python("-c", UNCHANGED).stdout.startswith("survived")


def test_the_wrong_lines() -> None:
    assert replacements("if folio.locked:") == [f"if {NEVER}:", f"if {ALWAYS}:"]
    assert replacements("return False") == ["return True"]
    assert replacements("ret = do_it(1)")[0] == "ret = 0"
    assert "pass" in replacements("folio_put(folio)")


def test_a_mutant_keeps_the_label_and_the_indentation() -> None:
    text = "def f():\n    if a:\n        b(1)  # F40\n"
    assert Mutant("F40", "x.py", 3, "pass").text(text) == text.replace("b(1)", "pass")


@pytest.mark.parametrize("label", ["F1", "H31", "8.12.3"])
def test_every_label_has_mutants(label: str) -> None:
    assert {mutant.label for mutant in mutants({label})} == {label}


def test_node_ids() -> None:
    assert node_id("tests.model.test_drop.test_x").endswith("tests/model/test_drop.py::test_x")
