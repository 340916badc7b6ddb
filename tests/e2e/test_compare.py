# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock compare` and `simulate` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from faultlock.cli import main

SHORT = ["--set", "duration=60ms", "--workers", "1", "--replications", "2"]


def ran(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def compared(capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    arguments = ["compare", "drop-retry", "hold", "-w", "ground-truth/fork_8f8v", *SHORT, "--json"]
    code, text, _ = ran([*arguments, *more], capsys)
    assert code == 0
    document: dict[str, Any] = json.loads(text)
    return document


def test_the_rfc_question_in_small(capsys: pytest.CaptureFixture[str]) -> None:
    """A fork beside eight faults waits for I/O under hold and not under drop-retry."""
    result = compared(capsys, "--set", "duration=300ms")
    forks = {name: entry["actors"]["fork"] for name, entry in result["policies"].items()}
    assert forks["hold"]["mean_us"] > 5 * forks["drop-retry"]["mean_us"]
    # The kernel has two or three a second under hold too: the first write to a thread's new heap.
    counters = {name: entry["vmstat"] for name, entry in result["policies"].items()}
    assert counters["hold"]["vma_lock_retry"] < 20 < counters["drop-retry"]["vma_lock_retry"]
    worst = result["policies"]["hold"]["chains"][0]
    assert worst["root"] == "io" and worst["links"][0]["waits_for"] in ("vma_lock", "mmap_lock")
    first = worst["links"][0]
    file, line = first["at"].split(":")
    assert file.startswith("kernel/") and int(line) > 0 and "wait(" in first["text"]
    assert first["held_since_us"] <= first["since_us"]
    assert {"n", "rate_hz", "mean_us", "p10_us", "p50_us", "p90_us", "p99_us", "max_us"} <= set(
        forks["hold"]
    )


def test_same_seed_same_bytes_and_another_seed_others(capsys: pytest.CaptureFixture[str]) -> None:
    workload = ["simulate", "hold", "-w", "ground-truth/j_fork_4f4v", *SHORT, "--json"]
    first, again = ran(workload, capsys), ran(workload, capsys)
    assert first == again
    assert ran([*workload, "--seed", "9"], capsys)[1] != first[1]


def test_the_text_has_verdict_table_counters_and_chains(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare", "drop-retry", "hold", "-w", "ground-truth/fork_8f8v", *SHORT]
    code, text, _ = ran(arguments, capsys)
    assert code == 0
    for part in ("fork", "vma_lock_retry", "root cause", "chain 1:", "2 replications from seed 1"):
        assert part in text
    assert "\x1b" not in text


def test_mail_fits_72_columns_and_the_page_is_whole(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.html"
    monkeypatch.setattr("sys.argv", ["faultlock", "compare", *["--set", "duration=60ms"] * 9])
    arguments = ["compare", "drop-retry", "hold", "-w", "ground-truth/fork_8f8v", *SHORT]
    code, text, _ = ran([*arguments, "--mail", "--html", str(page)], capsys)
    assert code == 0 and max(map(len, text.splitlines())) <= 72
    assert text.count("duration=60ms") == 9 and " \\\n    " in text
    assert "</html>" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "hodl"], "did you mean hold?"),
        (["compare", "-w", "fork-strom"], "fork-storm"),
        (["compare", "hold", "hold"], "named twice"),
        (["compare", "--replications", "0"], "--replications 0: 1 to 1000"),
        (["compare", "--workers", "0"], "--workers is at least 1"),
        (["compare", "--set", "device.latency=-1ms"], "device.latency"),
        (["compare", "--set", "device.latncy=1ms"], "latency"),
    ],
)
def test_wrong_input_is_one_clear_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    code, text, error = ran([*arguments, "--html", str(page)], capsys)
    assert code == 2 and text == ""
    assert message in error and len(error.strip().splitlines()) == 1 and "Traceback" not in error
    assert not page.exists()
