# SPDX-License-Identifier: GPL-2.0-only
"""Every numbered step of spec section 8 stands in the kernel text and is driven by a test.

Steps 8.1 to 8.5 are numbered in the spec; the numbers of 8.7 to 8.12 are this project's, in
the order of the spec's sentences.
"""

import importlib
import re
from pathlib import Path

import pytest

from tests.model.actors.scene import LABELS
from tests.model.table import TABLE

LAST_STEP = {"8.1": 9, "8.2": 6, "8.3": 9, "8.4": 6, "8.5": 5}
STEPS = {label for label in LABELS if label.startswith("8.")}


def labels_in_tests() -> dict[str, list[str]]:
    """Step number -> tests that drive a run through it and assert what it does."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.stem != "test_labels":
            importlib.import_module(f"tests.model.actors.{path.stem}")
    return {label: tests for label, tests in TABLE.items() if label.startswith("8.")}


@pytest.mark.parametrize("section", LAST_STEP)
def test_the_specs_numbers_are_all_there(section: str) -> None:
    numbers = {
        int(re.sub(r"[a-z]", "", label.rsplit(".", 1)[1]))
        for label in STEPS
        if label.startswith(section + ".")
    }
    assert numbers == set(range(1, LAST_STEP[section] + 1))


def test_each_step_has_a_test() -> None:
    missing = sorted(STEPS - set(labels_in_tests()))
    assert not missing, f"no test drives a run through {', '.join(missing)}"


def test_each_tested_step_exists() -> None:
    unknown = sorted(set(labels_in_tests()) - STEPS)
    assert not unknown, f"the kernel text has no {', '.join(unknown)}"
