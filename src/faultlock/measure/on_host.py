# SPDX-License-Identifier: GPL-2.0-only
"""Runs a workload on the running kernel; slow storage is a FUSE file system of our own.

No root is needed where fusermount3 exists. The caches of the host are left alone: the files are new
in every run, so they are cold. The file system is unmounted on every way out.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from faultlock.errors import EnvironmentMissing, LimitReached
from faultlock.measure.compile_workload import compile_workload, distribution_words
from faultlock.measure.compiler import build
from faultlock.measure.in_guest import DRIVER
from faultlock.measure.results import DriverOutput, parse_output
from faultlock.measure.scratch import mount_points, scratch_folder, unmount
from faultlock.measure.trace_counters import PLACES, trace_counters
from faultlock.workload import Workload

SERVER = Path(__file__).parent / "fuse_server" / "fuse_server.c"
START_LIMIT_S = 20.0
END_LIMIT_S = 10.0


def server_configuration(workload: Workload) -> str:
    """The words fuse_server reads: queue depth, number of files; name, pages, latency of each."""
    lines = []
    for file in workload.files:
        latency = distribution_words(file.latency or workload.device.latency)
        names = [file.name] if file.count == 1 else [f"{file.name}.{i}" for i in range(file.count)]
        lines += [f"{name} {file.pages} {latency}" for name in names]
    return "\n".join([f"{workload.device.queue_depth} {len(lines)}", *lines]) + "\n"


def _unmount(folder: Path, server: subprocess.Popen[str] | None) -> None:
    """Ends the server, which unmounts; then makes sure of it."""
    if server is not None and server.poll() is None:
        server.terminate()
        try:
            server.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    for place in mount_points(folder.resolve()):
        unmount(place)


@dataclass(frozen=True)
class SlowFiles:
    """folder: where the workload's files are. server: process id of what answers their reads."""

    folder: Path
    server: int

    def server_cpu_ns(self) -> int:
        """CPU time that the server has used so far, in user and kernel mode, of all its threads."""
        # clock_getcpuclockid(3): process-wide CPUCLOCK_SCHED of another process.
        return time.clock_gettime_ns((~self.server << 3) | 2)


@contextmanager
def slow_files(workload: Workload) -> Iterator[SlowFiles]:
    """The workload's files on a mounted FUSE file system with its latencies.

    Raises EnvironmentMissing: no /dev/fuse, neither root nor fusermount3, no compiler.
    """
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise EnvironmentMissing(
            "/dev/fuse is missing or closed to you (modprobe fuse needs root): "
            "measure in a guest with --kernel instead"
        )
    if os.geteuid() and shutil.which("fusermount3") is None:
        raise EnvironmentMissing(
            "mounting FUSE needs root or fusermount3 (Debian: apt-get install fuse3)"
        )
    with scratch_folder("fuse") as scratch:
        configuration = scratch / "configuration"
        configuration.write_text(server_configuration(workload))
        folder = scratch / "files"
        folder.mkdir()
        server = None
        try:
            server = subprocess.Popen(
                [build(SERVER), folder, configuration],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
            assert server.stdout is not None
            line = server.stdout.readline().strip()
            if line != "READY":
                raise EnvironmentMissing(
                    f"the FUSE file system did not start: {line or 'no message'}"
                )
            yield SlowFiles(folder, server.pid)
        finally:
            _unmount(folder, server)


def run_on_host(
    workload: Workload, *, limit_s: float = 300.0, count_events: bool = True
) -> DriverOutput:
    """The workload on the running kernel; count_events: with tracefs, where it can be used.

    Raises EnvironmentMissing (see slow_files; the driver's own error), LimitReached after limit_s,
    FaultlockError for what the driver cannot do.
    """
    with (
        slow_files(workload) as slow,
        tempfile.TemporaryDirectory() as scratch,
        trace_counters(PLACES if count_events else ()) as counters,
    ):
        paths = {file.name: str(slow.folder / file.name) for file in workload.files}
        compiled = compile_workload(workload, paths)
        words = Path(scratch) / "workload"
        words.write_text(compiled.words)
        environment = {**os.environ, **counters.environment()}
        cpu_before_ns = slow.server_cpu_ns()
        try:
            text = _run_driver([build(DRIVER), words], environment, limit_s)
        except subprocess.TimeoutExpired:
            raise LimitReached(
                f"{workload.name}: the driver did not end within {limit_s:.0f} s (raise --limit)"
            ) from None
        counted = counters.values()
        server_cpu_ns = slow.server_cpu_ns() - cpu_before_ns
    output = parse_output(text, [workload.name])
    if output.errors or not output.runs or not output.runs[0].actors:
        reason = output.errors[0] if output.errors else "no result"
        raise EnvironmentMissing(f"{workload.name}: the driver reports: {reason}")
    output.runs[0].notes += compiled.notes
    output.runs[0].tracefs = counted
    output.runs[0].server_cpu_ns = server_cpu_ns
    output.release = os.uname().release
    return output


def _run_driver(command: list[Path], environment: dict[str, str], limit_s: float) -> str:
    """What the driver prints.  It and all it started end with this function, also on Ctrl-C."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True, env=environment
        )
        try:
            # Only now: an interrupt inside Popen would leave a driver that nobody knows.
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return process.communicate(timeout=limit_s)[0]
        finally:
            _end_group(process)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_group(process: subprocess.Popen[str]) -> None:
    """Ends the driver and all processes it started: they are a process group of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()
