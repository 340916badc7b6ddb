# SPDX-License-Identifier: GPL-2.0-only
"""Plain tables, and colour only where it belongs."""

from __future__ import annotations

import io

import pytest

from faultlock.report import console


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_numbers_go_right_and_text_left() -> None:
    lines = console.table_lines(("actor", "p99 us"), [("fault", 1.5), ("mmap_munmap", 20)])
    assert lines == ["actor        p99 us", "fault           1.5", "mmap_munmap      20"]


def test_empty_table_is_its_header() -> None:
    assert console.table_lines(("a", "b"), []) == ["a  b"]


def test_row_of_another_length_is_refused() -> None:
    with pytest.raises(IndexError):
        console.table_lines(("a", "b"), [("x",)])


def test_colour_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert console.paint("x", "bad", Terminal()) == "\x1b[31;1mx\x1b[0m"
    assert console.paint("x", "bad", io.StringIO()) == "x"
    monkeypatch.setenv("TERM", "dumb")
    assert console.paint("x", "bad", Terminal()) == "x"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert console.paint("x", "bad", Terminal()) == "x"


def test_progress_is_silent_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("work") as report:
        report(0.5, "half")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
