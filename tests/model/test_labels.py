# SPDX-License-Identifier: GPL-2.0-only
"""Every step of the specification's sections 2 to 6 stands in the sources and has a test that
drives a run through it.  (Section 8 is in tests/model/actors.)"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tests.model.table import ROWS, TABLE, labels_in
from tests.paths import SOURCE, shared

F_STEPS = [1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 25, 26, 27, 28, 29, 30, 31, 32,
           33, 40]
H_STEPS = [1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 20, 21, 22, 30, 31]
NUMBERED = {"2.2": 13, "3.1": 8, "3.2": 7, "3.3": 10, "3.4": 6, "4.1": 5, "4.2": 2}
KINDS = {"4.3r": 5, "4.3c": 7, "4.3s": 5}  # do_read_fault, do_cow_fault, do_shared_fault
EXPECTED = (
    [f"F{number}" for number in F_STEPS]
    + [f"H{number}" for number in H_STEPS]
    + [f"{section}.{item}" for section, last in NUMBERED.items() for item in range(1, last + 1)]
    + [f"{section}{item}" for section, last in KINDS.items() for item in range(1, last + 1)]
)
TESTS = Path(__file__).parent


def in_sources() -> dict[str, list[str]]:
    """Label -> places in kernel/ and policies/."""
    found: dict[str, list[str]] = {}
    for path in sorted([*(SOURCE / "kernel").glob("*.py"), *(SOURCE / "policies").glob("*.py")]):
        for line, label in labels_in(path.read_text(encoding="utf-8")):
            found.setdefault(label, []).append(f"{path.name}:{line}")
    return found


def in_tests() -> dict[str, list[str]]:
    """Label -> tests that drive a run through it."""
    for path in sorted([*TESTS.glob("test_*.py"), *TESTS.glob("actors/test_*.py")]):
        if path.stem != "test_labels":
            importlib.import_module(".".join(path.relative_to(TESTS.parents[1]).parts)[:-3])
    return TABLE


@pytest.mark.parametrize("label", EXPECTED)
def test_label_stands_in_the_sources(label: str) -> None:
    assert label in in_sources()


@pytest.mark.parametrize("label", EXPECTED)
def test_label_has_a_test(label: str) -> None:
    assert in_tests().get(label), f"no test says @drives({label!r})"


@pytest.mark.parametrize("number", range(1, 24))
def test_row_of_table_6_2_has_a_test(number: int) -> None:
    in_tests()
    assert ROWS.get(number), f"no test says @row({number})"


def test_table_6_2_has_23_rows() -> None:
    text = shared("spec/fault-path.md").read_text(encoding="utf-8")
    table = text[text.index("### 6.2 ") : text.index("### 6.3 ")]
    assert re.findall(r"^\| (\d+) \|", table, re.MULTILINE) == [str(n) for n in range(1, 24)]


def test_sources_have_no_label_that_the_specification_lacks() -> None:
    known = set(EXPECTED)
    wrong = {
        label: places
        for label, places in in_sources().items()
        if label not in known and not label.startswith("8.")
    }
    assert not wrong


def test_the_list_is_the_specification() -> None:
    text = shared("spec/fault-path.md").read_text(encoding="utf-8")
    steps = re.findall(r"^- ([FH]\d+)\.", text, re.MULTILINE)
    assert sorted(set(steps)) == sorted(label for label in EXPECTED if label[0] in "FH")


def test_labels_are_found_at_the_end_of_a_line() -> None:
    text = "x = 1  # F1\ny = 2  # why, F2, 3.1.2\n# F3\nz = 3  # 4.3r1, 8.5.4a\nw = F4\n"
    assert labels_in(text) == [(1, "F1"), (2, "F2"), (2, "3.1.2"), (4, "4.3r1"), (4, "8.5.4a")]
