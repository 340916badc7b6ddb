# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock check` and Ctrl-C: what was found is printed, what is open is never called good.

KeyboardInterrupt is raised where Ctrl-C would raise it, so that no test depends on time.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from faultlock.check import judge, run
from faultlock.check.explore import explore
from faultlock.check.judge import check_program
from faultlock.check.levels import Levels
from faultlock.cli import main
from tests.unit.check.models import SPIN, native_of

CHECK = ["check", "hold", "--scenario", "fault+kill", "--random", "0"]


@pytest.fixture
def interrupted_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real SIGINT arrives before the search begins; a level of one state ends it again."""
    real = Levels._workers

    def workers(levels: Levels, *rest: Any) -> list[int]:
        os.kill(os.getpid(), signal.SIGINT)
        return real(levels, *rest)

    monkeypatch.setattr(Levels, "_workers", workers)


@pytest.fixture
def interrupted_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C when the search is over and nothing is decided yet."""
    def judgements(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(judge, "judgements", judgements)


@pytest.mark.usefixtures("interrupted_search")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_the_search_has_is_printed_as_open(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, workers: str
) -> None:
    page = tmp_path / "page.html"
    assert main([*CHECK, "--workers", workers, "--json", "--html", str(page)]) == 130
    done = capsys.readouterr()
    result = json.loads(done.out)
    rows = {row["property"]: row for row in result["results"]}
    assert rows["L1 no deadlock"]["verdict"] == "unknown"
    assert rows["L1 no deadlock"]["reason"] == "interrupted"
    assert "0 of 1 scenarios were checked to their end" in result["interrupted"]
    assert done.err.count("\n") == 1 and "no verdict on the rest" in done.err
    assert "Interrupted at the beginning of fault+kill" in page.read_text()
    assert "everything that was checked holds" not in page.read_text()
    assert os.listdir(tmp_path) == ["page.html"]


@pytest.mark.usefixtures("interrupted_judge")
@pytest.mark.parametrize("form", ["text", "ktap", "mail", "json"])
def test_nothing_decided_is_no_good_news(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str
) -> None:
    page = tmp_path / "page.html"
    assert main([*CHECK, "--format", form, "--html", str(page)]) == 130
    done = capsys.readouterr()
    assert "0 of 1 scenarios were checked to their end" in done.err
    assert f"{page} is not written" in done.err and not os.listdir(tmp_path)
    assert "holds" not in done.out
    if form != "text":
        assert "0 of 1 scenarios" in done.out


def test_an_interrupted_scenario_ends_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted_at_last(*words: Any) -> Any:
        result = check_program(*words)
        result.exploration.interrupted = bool(seen)
        seen.append(result.scenario)
        return result

    seen: list[str] = []
    monkeypatch.setattr(run, "check_program", interrupted_at_last)
    scenarios = ["--scenario", "fault+kill+stuck-disk"]
    assert main(["check", "hold", "--random", "0", "--scenario", "fault+kill",
                 *scenarios, *scenarios]) == 1
    assert "1 of 3 scenarios were checked to their end" in capsys.readouterr().err
    assert seen == ["fault+kill", "fault+kill+stuck-disk"]


def test_the_search_for_infinite_runs_is_part_of_the_scenario(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A graph with cycles is searched again with fewer reductions."""
    def interrupted_second(*words: Any) -> Any:
        found = explore(*words)
        found.interrupted = bool(seen)
        seen.append(found)
        return found

    seen: list[Any] = []
    monkeypatch.setattr(judge, "explore", interrupted_second)
    result = check_program("", "", native_of(tmp_path, SPIN))
    assert len(seen) == 2
    assert result.exploration.interrupted
