# SPDX-License-Identifier: GPL-2.0-only
"""sweep as a user runs it: all cores, a Dask cluster that loses a worker, Ctrl-C, going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faultlock.sweep.store import Store, read_manifest
from tests.tools import faultlock

WORKLOAD = """\
# SPDX-License-Identifier: GPL-2.0-only
description = "two threads fault, one forks"
duration = "{duration}"
[machine]
cpus = 2
costs = "qemu-icount"
memory = "1GiB"
[device]
latency = "1ms"
[[files]]
name = "data"
size = "64MiB"
[[mappings]]
name = "data"
file = "data"
advice = "random"
[[threads]]
op = "touch"
count = 2
access = "random"
think = "exponential(1ms)"
[[threads]]
op = "fork"
think = "exponential(2ms)"
"""
GRID = ["--grid", "device.latency=1ms,4ms", "--grid", "machine.cpus=1,2"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_text(WORKLOAD.format(duration="100ms"))
    (tmp_path / "longer.toml").write_text(WORKLOAD.format(duration="4s"))
    return tmp_path


def sweep(folder: Path, *words: str, workload: str = "small.toml") -> Any:
    return faultlock("sweep", "-w", workload, "--replications", "1", *words, cwd=folder,
                     timeout_s=250)


def stored(folder: Path) -> list[dict[str, Any]]:
    return Store(folder, read_manifest(folder)).rows()


def test_sweep_goes_on_where_it_was(folder: Path) -> None:
    first = sweep(folder, *GRID, "-o", "out", "--json", "--html", "out.html")
    assert first.returncode == 0, first.stderr
    rows = stored(folder / "out")
    assert {row["cell"] for row in rows} == set(range(8))
    assert {row["actor"] for row in rows} >= {"fault", "fork"}
    assert len(json.loads(first.stdout)["points"]) == len(rows)
    assert "How to reproduce" in (folder / "out.html").read_text()
    (folder / "out" / "cells" / "000003.parquet").unlink()
    again = sweep(folder, *GRID, "-o", "out", "--json")
    assert "7 of 8 cells are in out already" in again.stderr
    assert again.stdout == first.stdout
    assert stored(folder / "out") == rows


def test_hold_makes_fork_wait_for_the_device(folder: Path) -> None:
    done = sweep(folder, "--grid", "device.latency=1ms,4ms", "-p", "drop-retry,hold", "-o", "out")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("hold (divided by"))
    ratios = [float(line.split()[-1]) for line in lines[start + 1 : start + 3]]
    assert ratios[1] > ratios[0] > 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--grid", "device.latencyy=1ms"], "latencyy"),
        (["--grid", "device.latency=-1ms"], "device.latency"),
        (["--policies", "hodl"], "did you mean hold"),
        (["--policies", "drop-retry,hodl"], "hodl: no such policy; did you mean hold"),
        (["--metric", "fork"], "ACTOR.METRIC"),
        (["--workers", "0"], "at least 1"),
        (["--replications", "0"], "at least 1"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    folder: Path, words: list[str], message: str
) -> None:
    done = sweep(folder, "-o", "out", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "out").exists()


def wait_for_cells(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    for _ in range(2000):
        if len(list((folder / "cells").glob("*.parquet"))) >= count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("no cell was finished")


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "faultlock", "sweep", "-w", "longer.toml", "--replications", "1",
         *GRID, "-o", "out", "--json", *words],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )


def test_interrupted_sweep_keeps_what_is_finished(folder: Path) -> None:
    process = start(folder, "--workers", "1")
    wait_for_cells(folder / "out", 1, process)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "the same command goes on" in error
    before = {row["cell"] for row in stored(folder / "out")}
    assert before
    done = sweep(folder, *GRID, "-o", "out", "--json", workload="longer.toml")
    assert done.returncode == 0, done.stderr
    assert {row["cell"] for row in stored(folder / "out")} == set(range(8))


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Dask scheduler and workers, each a process of its own, on loopback."""
    dask = Path(sys.executable).with_name("dask")
    file = folder / "scheduler.json"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = [
        subprocess.Popen([dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                          "--scheduler-file", file], cwd=folder, **quiet)
    ]
    try:
        for _ in range(600):
            if file.is_file() and file.read_text():
                break
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        running += [
            subprocess.Popen([dask, "worker", address, "--host", "127.0.0.1", "--no-nanny",
                              "--nthreads", "1", "--no-dashboard"], cwd=folder, **quiet)
            for _ in range(workers)
        ]
        yield address, running[1:]
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.wait(30)


def wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, timeout=30) as client:  # type: ignore[no-untyped-call]
        client.wait_for_workers(count, timeout=60)


def test_a_lost_worker_loses_nothing(folder: Path) -> None:
    with cluster(folder, 2) as (address, workers):
        wait_for_workers(address, 2)
        process = start(folder, "--scheduler", address)
        wait_for_cells(folder / "out", 2, process)
        workers[0].kill()
        out, error = process.communicate(timeout=200)
    assert process.returncode == 0, error
    assert {row["cell"] for row in stored(folder / "out")} == set(range(8))
    local = sweep(folder, *GRID, "-o", "local", "--json", workload="longer.toml")
    assert local.stdout == out


def test_no_scheduler_there_is_one_line(folder: Path) -> None:
    done = sweep(folder, "-o", "out", "--scheduler", "tcp://127.0.0.1:9")
    assert done.returncode == 4
    assert "--scheduler tcp://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
