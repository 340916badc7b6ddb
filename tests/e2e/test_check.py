# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock check` from the outside: verdicts, forms of output, exit codes, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tools import faultlock


def test_hold_leaks_when_it_is_killed() -> None:
    done = faultlock("check", "hold", "--scenario", "fault+kill", "--random", "0")
    assert done.returncode == 1
    assert "leaks invalidate_lock of mapping 1 (read), folio reference of folio 1" in done.stdout
    assert "fault+kill  S4 lock balance" in done.stdout
    assert "replayed on the reference interpreter" in done.stdout
    replay = next(line for line in done.stdout.splitlines() if "--replay" in line)
    words = replay.partition("again: faultlock ")[2].split()
    again = faultlock(*words)
    assert again.returncode == 1
    assert "is false" in again.stdout


def test_drop_retry_holds_and_shows_a_witness() -> None:
    done = faultlock("check", "drop-retry", "--scenario", "fault+kill", "--witness")
    assert done.returncode == 0
    assert "holds" in done.stdout
    assert "a run that ends well" in done.stdout


def test_json_form() -> None:
    done = faultlock("check", "hold", "--scenario", "fault+kill", "--json", "--random", "0")
    result = json.loads(done.stdout)
    assert result["policy"] == "hold"
    rows = {row["property"]: row for row in result["results"]}
    assert {row["verdict"] for row in rows.values()} <= {"holds", "violated", "unknown"}
    bad = rows["S4 lock balance"]
    assert bad["verdict"] == "violated"
    assert set(bad["counterexample"][0]) == {"thread", "function", "file", "line", "text", "note"}
    assert 1 <= bad["no_return"] <= len(bad["counterexample"])
    assert bad["states"] > 0 and bad["transitions"] >= bad["states"] - 1
    assert rows["L1 no deadlock"]["verdict"] == "holds"


def test_ktap_and_mail_forms() -> None:
    ktap = faultlock("check", "hold", "--scenario", "fault+kill", "--format", "ktap",
                     "--random", "0").stdout
    assert ktap.startswith("KTAP version 1\n1..1\n")
    assert "not ok" in ktap and "not ok 1 fault+kill" in ktap
    mail = faultlock("check", "hold", "--scenario", "fault+kill", "--format", "mail",
                     "--random", "0").stdout
    assert max(len(line) for line in mail.splitlines() if "--replay" not in line) <= 72


def test_html_page(tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    done = faultlock("check", "hold", "--scenario", "fault+kill", "--html", str(page))
    assert done.returncode == 1
    assert "S4 lock balance" in page.read_text()


def test_a_limit_is_exit_code_5() -> None:
    done = faultlock("check", "drop-retry", "--scenario", "fault+kill", "--max-states", "50",
                     "--random", "0")
    assert done.returncode == 5
    assert "unknown (limit of 50 states)" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["hold", "--scenario", "fault+kil"], 2, "did you mean fault+kill"),
        (["hod"], 2, "did you mean hold"),
        (["hold", "--max-states", "0"], 2, "--max-states 0: must be more than 0"),
        (["hold", "--scenario", "fault+kill", "--html", "/nowhere/x.html"], 2,
         "/nowhere/x.html: cannot be written: No such file or directory"),
        (["hold", "--scenario", "fault+kill", "--seed", "-1"], 2,
         "--seed: '-1': give a whole number from 0 to"),
        (["hold", "--scenario", "./endless.py"], 2, "endless.py: cannot be read"),
        (["hold", "--scenario", "fault+kill", "--replay", "9x3"], 2, "threads are 1 .. 3"),
        (["hold", "--replay", "1"], 2, "exactly one --scenario"),
        (["hold", "--workers", "0"], 2, "--workers 0"),
    ],
)
def test_bad_input_is_one_clear_line(words: list[str], code: int, said: str) -> None:
    done = faultlock("check", *words)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_policy_that_is_not_in_the_language(tmp_path: Path) -> None:
    policy = tmp_path / "bad.py"
    policy.write_text('"""bad"""\nbase = "drop-retry"\n\n@atomic\n'
                      "def fput(file: File) -> None:\n    import os\n")
    done = faultlock("check", str(policy), "--scenario", "fault+kill")
    assert done.returncode == 3
    assert "bad.py:6" in done.stderr


def test_export_promela(tmp_path: Path) -> None:
    target = tmp_path / "model.pml"
    done = faultlock("export", "promela", "fault+kill", "--policy", "hold", "-o", str(target))
    assert done.returncode == 0
    assert "proctype Task(byte t)" in target.read_text()
    missing = faultlock("export", "promela", "nothing-like-it")
    assert missing.returncode == 2


def test_a_scenario_file_without_end_is_read_to_the_limit_only(tmp_path: Path) -> None:
    (tmp_path / "endless.py").symlink_to("/dev/zero")
    done = faultlock("check", "hold", "--scenario", tmp_path / "endless.py")
    assert done.returncode == 2
    assert "larger than 1000000 bytes; split the file" in done.stderr


def test_a_property_that_nobody_asserts_cannot_be_ignored() -> None:
    done = faultlock("check", "hold", "--ignore", "S6", "--ignore", "ZZ")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("faultlock: --ignore ZZ: no event property; asserted are ")
    assert "S6, " in done.stderr
