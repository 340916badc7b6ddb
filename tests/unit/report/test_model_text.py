# SPDX-License-Identifier: GPL-2.0-only
"""Items of a model, and two policies side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultlock.errors import FaultlockError, LanguageErrors
from faultlock.report import model_text
from faultlock.report.model_text import differences, read_model_text

POLICY = '''# SPDX-License-Identifier: GPL-2.0-only
"""A policy for tests."""
LIMIT = 3


@atomic
def one(value: int) -> int:
    """First."""
    return value + 1


def two() -> None:
    """Second."""
    pass
'''


@pytest.fixture
def policies(tmp_path: Path) -> tuple[str, str]:
    left, right = tmp_path / "left.py", tmp_path / "right.py"
    left.write_text(POLICY)
    right.write_text(
        POLICY.replace("value + 1", "value + LIMIT").replace("def two", "def three")
    )
    return str(left), str(right)


def test_items_have_place_kind_and_first_line_of_doc(policies: tuple[str, str]) -> None:
    text = read_model_text(policies[0])
    one = text.item("one")
    assert (one.kind, one.line, one.doc) == ("atomic function", 6, "First.")
    assert one.lines[0] == "@atomic"
    assert one.lines[-1] == "    return value + 1"
    assert text.item("LIMIT").kind == "constant"
    assert text.item("Folio").kind == "struct"
    assert text.doc == "A policy for tests."


def test_callers_are_known() -> None:
    text = read_model_text("drop-retry")
    assert "rwsem_down_read_slowpath" not in text.called_by.get("filemap_fault", ())
    assert "do_read_fault" in text.called_by["__do_fault"]


def test_unknown_name_names_the_nearest(policies: tuple[str, str]) -> None:
    with pytest.raises(FaultlockError, match=r"did you mean .*Folio"):
        read_model_text(policies[0]).item("Folioo")


def test_a_file_that_is_no_python_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("def (:\n")
    with pytest.raises(LanguageErrors, match=r"bad\.py:1:\d+: not Python syntax"):
        read_model_text(str(path))


def test_differences_name_what_changed(policies: tuple[str, str]) -> None:
    found = differences(read_model_text(policies[0]), read_model_text(policies[1]))
    assert [(diff.name, diff.verb) for diff in found] == [
        ("one", "changed"),
        ("two", "gone"),
        ("three", "added"),
    ]
    changed = [row for row in found[0].rows if row.mark == model_text.CHANGED]
    assert [(row.left_line, row.left, row.right_line, row.right) for row in changed] == [
        (9, "    return value + 1", 9, "    return value + LIMIT")
    ]


def test_a_policy_does_not_differ_from_itself(policies: tuple[str, str]) -> None:
    text = read_model_text(policies[0])
    assert differences(text, text) == []


def test_far_lines_are_folded(tmp_path: Path) -> None:
    body = "\n".join(f"    value = {number}" for number in range(30))
    left, right = tmp_path / "left.py", tmp_path / "right.py"
    left.write_text(f"def long() -> None:\n{body}\n")
    right.write_text(f"def long() -> None:\n{body.replace('= 15', '= 99')}\n")
    texts = read_model_text(str(left)), read_model_text(str(right))
    marks = "".join(row.mark for row in differences(*texts)[0].rows)
    assert marks == "~   |   ~"
    assert len(differences(*texts, context_lines=-1)[0].rows) == 31


def test_a_replaced_function_names_what_it_replaces(tmp_path: Path) -> None:
    policy = tmp_path / "mine.py"
    kernel = read_model_text("drop-retry").item("filemap_fault")
    policy.write_text("\n".join(kernel.lines) + "\n")
    assert read_model_text(str(policy)).item("filemap_fault").replaces == kernel.place
