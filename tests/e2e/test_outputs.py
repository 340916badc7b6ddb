# SPDX-License-Identifier: GPL-2.0-only
"""Where a command cannot write, and values that several commands take: refused before any work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faultlock.cli import main
from faultlock.errors import FaultlockError, atomic_write, check_output

WRITING = [
    ["compare", "--html"], ["simulate", "--html"], ["simulate", "--perfetto"],
    ["simulate", "--events"], ["validate", "--html"], ["calibrate", "nofile", "-o"],
    ["replay", "java-cold-start", "--html"], ["check", "hold", "--html"],
    ["export", "promela", "fault+kill", "-o"], ["import", "nofile", "-o"],
    ["measure", "--kernel", "nofile", "-o"], ["measure", "--kernel", "nofile", "--html"],
    ["record", "-o"], ["reproduce", "kill_leaks_folio", "-o"], ["sweep", "--html"],
]
SEEDED = [
    ["compare"], ["simulate"], ["validate"], ["calibrate", "nofile"], ["sweep"],
    ["replay", "java-cold-start"], ["check", "hold"], ["measure", "--host"],
]


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
def test_a_folder_is_no_output_file(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, str(tmp_path)]) == 2
    said = f"faultlock: {tmp_path}: cannot be written: Is a directory; choose another output file\n"
    assert capsys.readouterr().err == said
    assert main([*words, str(tmp_path / "none" / "x")]) == 2
    assert "No such file or directory; choose another output file" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("seed", ["-1", "9223372036854775808", "x"])
@pytest.mark.parametrize("words", SEEDED, ids=" ".join)
def test_a_seed_is_a_number_that_every_part_can_hold(
    words: list[str], seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, f"--seed={seed}"])
    assert ended.value.code == 2
    assert f"{seed!r}: give a whole number from 0 to" in capsys.readouterr().err


@pytest.mark.parametrize("words", [
    ["validate", "--workers=-2"], ["compare", "--chains=11"], ["compare", "--workers=0"],
], ids=" ".join)
def test_counts_out_of_range(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(FaultlockError, match="Not a directory"):
        check_output(tmp_path / "file" / "x")
    with pytest.raises(FaultlockError, match="Is a directory"), atomic_write(tmp_path):
        pass
    check_output(tmp_path / "file")
    check_output(None)
    assert (tmp_path / "file").read_text() == "kept"
