# SPDX-License-Identifier: GPL-2.0-only
"""record, import, info and replay from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faultlock.errors import EnvironmentMissing
from faultlock.trace import tracefs
from faultlock.trace.store import read_trace
from tests.tools import faultlock
from tests.unit.trace.trace_samples import FTRACE


def can_record() -> bool:
    """Root, and a kernel with tracefs that lets us make an instance."""
    if os.geteuid() != 0:
        return False
    try:
        with tracefs.TraceInstance(64):
            return True
    except Exception:
        return False


needs_tracefs = pytest.mark.skipif(not can_record(), reason="needs root and tracefs")


def instances() -> list[str]:
    """Names of the instances of recorders; others may run beside this test."""
    top = tracefs._mounted()
    return [] if top is None else [p.name for p in (top / "instances").glob("faultlock-*")]


def left_behind() -> list[str]:
    """Instances whose recorder is gone."""
    return [
        name for name in instances() if not Path("/proc", name.removeprefix("faultlock-")).exists()
    ]


def test_import_then_info(tmp_path: Path) -> None:
    (tmp_path / "my.ftrace.txt").write_text(FTRACE + "garbage \x1b[31m<b>\n")
    done = faultlock("import", "my.ftrace.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "my.flt: 8 events" in done.stdout
    assert "\\x1b[31m<b>" in done.stderr and "\x1b" not in done.stderr
    shown = faultlock("info", "my.flt", "--json", cwd=tmp_path)
    description = json.loads(shown.stdout)
    assert description["recording"]["lost_events"] == 8
    assert description["totals"]["faults"] == 1
    plain = faultlock("info", "my.flt", cwd=tmp_path)
    assert plain.returncode == 0
    assert "8 events were lost" in plain.stderr


def test_import_as_json(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(FTRACE)
    done = faultlock("import", "t.txt", "-o", "x.flt", "--json", "--kernel", "6.18", cwd=tmp_path)
    summary = json.loads(done.stdout)
    assert (summary["events"], summary["unknown_events"]) == (8, {"my_own_event": 1})
    assert read_trace(tmp_path / "x.flt").header.kernel_version == "6.18"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "absent.txt"], "cannot be read"),
        (["info", "absent.flt"], "no such recording"),
        (["info", "chromium-cold-strat"], "did you mean chromium-cold-start"),
        (["info", "java-cold-start", "--top", "-1"], "must not be negative"),
        (["replay", "absent"], "no such recording"),
        (["replay", "java-cold-start", "--policies", "hodl"], "hold"),
        (["record"], "give either a command"),
        (["record", "--pid", "1", "--", "ls"], "give either a command"),
        (["record", "--seconds", "1", "--", "ls"], "--seconds"),
        (["record", "--buffer-mb", "0", "--", "ls"], "--buffer-mb"),
    ],
)
def test_bad_usage_is_one_line(tmp_path: Path, words: list[str], message: str) -> None:
    done = faultlock(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_recording_without_root_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with (
        pytest.raises(EnvironmentMissing, match="needs root") as caught,
        tracefs.TraceInstance(64),
    ):
        pass
    assert caught.value.exit_code == 4


@needs_tracefs
def test_record_a_command(tmp_path: Path) -> None:
    done = faultlock("record", "-o", "r.flt", "--json", "--", sys.executable, "-c", "import json",
                     cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["exit_status"] == 0
    trace = read_trace(tmp_path / "r.flt")
    assert trace.header.source == "record"
    assert trace.header.lost_events == 0
    assert trace.header.command[0] == sys.executable
    assert len(trace.table("page_fault_user")) > 100
    assert len(trace.table("sched_process_exec")) == 1
    assert len(trace.table("sys_enter_mmap")) == len(trace.table("sys_exit_mmap")) > 5
    assert left_behind() == []


@needs_tracefs
def test_record_a_running_process_with_its_mappings(tmp_path: Path) -> None:
    program = (
        "import mmap, time\nwhile True:\n    time.sleep(0.01)\n    m = mmap.mmap(-1, 1 << 20)\n"
        "    for i in range(0, 1 << 20, 4096): m[i] = 1\n    m.close()"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        try:
            time.sleep(0.5)
            done = faultlock("record", "-o", "p.flt", "--pid", str(process.pid), "--seconds", "0.5",
                             cwd=tmp_path)  # fmt: skip
        finally:
            process.kill()
    assert done.returncode == 0, done.stderr
    trace = read_trace(tmp_path / "p.flt")
    names = trace.table("vma_snapshot")["filename"].cast(str).to_list()
    assert any("python" in (name or "") for name in names)
    assert len(trace.table("page_fault_user")) > 10


@needs_tracefs
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_instance_is_removed_when_interrupted(tmp_path: Path, number: int) -> None:
    recorder = subprocess.Popen(
        [sys.executable, "-m", "faultlock", "record", "-o", "i.flt", "--", "sleep", "60"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(100):
        if f"faultlock-{recorder.pid}" in instances():
            break
        time.sleep(0.1)
    time.sleep(1.5)
    recorder.send_signal(number)
    assert recorder.wait(60) == (0 if number == signal.SIGINT else 143)
    assert f"faultlock-{recorder.pid}" not in instances()
    assert (tmp_path / "i.flt").exists() is (number == signal.SIGINT)


@needs_tracefs
def test_lost_events_are_counted_and_told(tmp_path: Path) -> None:
    program = "import mmap\nm = mmap.mmap(-1, 1 << 28)\nfor i in range(0, 1 << 28, 4096): m[i] = 1"
    done = faultlock("record", "-o", "l.flt", "--buffer-mb", "1", "--", sys.executable, "-c",
                     program, cwd=tmp_path)  # fmt: skip
    assert done.returncode == 5
    assert "events were lost" in done.stderr
    assert read_trace(tmp_path / "l.flt").header.lost_events > 10_000


@pytest.mark.parametrize("name", ["java-cold-start", "chromium-cold-start"])
def test_self_check_prints_the_recording_beside_the_replay(name: str) -> None:
    done = faultlock("replay", name, "--self-check", "--json", timeout_s=300)
    assert done.returncode == 0, done.stdout
    figures = json.loads(done.stdout)
    allowed = {
        "filemap_faults": 0.02,
        "major_faults": 0.02,
        "pages_read": 0.05,
        "blocked_s": 0.20,
        "elapsed_s": 0.15,
    }
    assert list(figures) == list(allowed)
    for name_of_figure, part in allowed.items():
        recorded, replayed = (
            figures[name_of_figure]["recorded"],
            figures[name_of_figure]["replayed"],
        )
        assert abs(replayed - recorded) <= part * recorded, name_of_figure


def test_replay_shows_threads_and_says_what_is_missing(tmp_path: Path) -> None:
    lines = FTRACE.splitlines()
    (tmp_path / "t.txt").write_text("\n".join(line for line in lines if "sched_switch" not in line))
    assert faultlock("import", "t.txt", "-o", "x.flt", cwd=tmp_path).returncode == 0
    words = ["replay", "x.flt", "--policies", "drop-retry,hold", "--threads", "0"]
    done = faultlock(*words, cwd=tmp_path, timeout_s=200)
    assert done.returncode == 0, done.stderr
    assert "no sched_switch events" in done.stderr
    assert "per thread (all threads; --threads N)" in done.stdout
    assert "my-app [1] x-41  recorded" in done.stdout
    document = json.loads(faultlock(*words, "--json", cwd=tmp_path, timeout_s=200).stdout)
    assert document["gaps"][0].startswith("no sched_switch")
    assert [thread["tid"] for thread in document["policies"]["hold"]["threads"]] == [41]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--threads", "-1"], "--threads: at least 0"),
        (["--chains", "11"], "--chains: 0 to 10"),
        (["--self-check", "--html", "x.html"], "--html"),
    ],
)
def test_bad_options_of_replay_are_one_line(tmp_path: Path, words: list[str], message: str) -> None:
    done = faultlock("replay", "java-cold-start", *words, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []
