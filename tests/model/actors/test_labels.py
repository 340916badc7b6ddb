# SPDX-License-Identifier: GPL-2.0-only
"""Every numbered step of spec section 8 stands in the kernel text and is driven by a test.

Steps 8.1 to 8.5 are numbered in the spec; the numbers of 8.7 to 8.12 are this project's, in
the order of the spec's sentences.
"""

import re
from pathlib import Path

import pytest

from tests.model.actors.scene import LABELS

LAST_STEP = {"8.1": 9, "8.2": 6, "8.3": 9, "8.4": 6, "8.5": 5}
DRIVEN = re.compile(r'(?:after|reach|saw)\("(8\.\d+\.\d+[a-z]?)"|parametrize\("label", (\[.*\])')


def labels_in_tests() -> dict[str, set[str]]:
    """Step number -> names of the test files that drive a run through it."""
    found: dict[str, set[str]] = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for match in DRIVEN.finditer(path.read_text()):
            for label in re.findall(r"8\.\d+\.\d+[a-z]?", match.group(0)):
                found.setdefault(label, set()).add(path.name)
    return found


@pytest.mark.parametrize("section", LAST_STEP)
def test_the_specs_numbers_are_all_there(section: str) -> None:
    numbers = {
        int(re.sub(r"[a-z]", "", label.rsplit(".", 1)[1]))
        for label in LABELS
        if label.startswith(section + ".")
    }
    assert numbers == set(range(1, LAST_STEP[section] + 1))


def test_each_step_has_a_test() -> None:
    missing = sorted(set(LABELS) - set(labels_in_tests()))
    assert not missing, f"no test drives a run through {', '.join(missing)}"


def test_each_tested_step_exists() -> None:
    unknown = sorted(set(labels_in_tests()) - set(LABELS))
    assert not unknown, f"the kernel text has no {', '.join(unknown)}"
