# SPDX-License-Identifier: GPL-2.0-only
"""Drift: fingerprints see code and not its layout; changed and gone functions are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultlock.drift.citations import Citation, citations_of
from faultlock.drift.compare import compare_tree, load_fingerprints, take_fingerprints
from faultlock.drift.csource import fingerprint, function_texts
from faultlock.errors import FaultlockError

C = """\
/* lock_it(x) { is only mentioned here } */
#define try_it(x) \\
\tdo { lock_it(x); } while (0)
static inline int
lock_it(struct box *b)
\t__acquires(b)
{
\tif (b->c == '}')\t// a brace
\t\treturn 1;
\treturn other("}{", b);
}

int other(const char *s, struct box *b)
{
\treturn lock_it(b) + 2;
}
"""
NAMES = ("lock_it", "other", "try_it")
CITED = [Citation("mm/a.c", name, "6.12", "f", "kernel/a.py:1") for name in NAMES]


def of(text: str, name: str) -> str:
    return fingerprint(function_texts(text, name))


def tree(folder: Path, text: str) -> Path:
    (folder / "mm").mkdir(parents=True)
    (folder / "mm" / "a.c").write_text(text)
    (folder / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 9\n")
    return folder


def test_a_function_is_found_whole() -> None:
    (text,) = function_texts(C, "lock_it")
    assert text.startswith("static inline int") and text.endswith('other("}{", b);\n}')
    assert function_texts(C, "try_it")[0].endswith("while (0)")
    assert function_texts(C, "absent") == []


def test_comments_and_layout_do_not_count_but_code_does() -> None:
    same = C.replace("\t\treturn 1;", "  return /* yes */ 1 ;").replace("// a brace", "")
    assert of(C, "lock_it") == of(same, "lock_it") != ""
    other = C.replace("return 1;", "return 2;")
    assert of(C, "lock_it") != of(other, "lock_it")


def test_changed_and_gone_functions_are_named(tmp_path: Path) -> None:
    kept = {"6.12": take_fingerprints(tree(tmp_path / "old", C), CITED)}
    assert set(kept["6.12"]["mm/a.c"]) == {"lock_it", "other", "try_it"}
    changed = C.replace("+ 2", "+ 3").replace("try_it", "tried_it")
    report = compare_tree(tree(tmp_path / "new", changed), CITED, kept)
    assert {item.name: item.state for item in report.functions} == {
        "lock_it": "same",
        "other": "changed",
        "try_it": "gone",
    }
    assert report.functions[0].followed_by == ("kernel/a.py:1",)


def test_not_a_tree_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(FaultlockError, match="not a Linux source tree"):
        compare_tree(tmp_path, CITED, {})


def test_source_lines_are_taken_apart() -> None:
    text = "lock_vma_under_rcu, mm/memory.c, 6.12; mm/mmap_lock.c, 7.0"
    assert set(citations_of(text)) == {
        ("mm/memory.c", "lock_vma_under_rcu", "6.12"),
        ("mm/mmap_lock.c", "lock_vma_under_rcu", "7.0"),
    }


def test_the_shipped_fingerprints_cover_the_fault_path() -> None:
    kept = load_fingerprints()["6.12"]
    assert "filemap_fault" in kept["mm/filemap.c"]
    assert "rwsem_mark_wake" in kept["kernel/locking/rwsem.c"]
