# SPDX-License-Identifier: GPL-2.0-only
"""What the driver prints: lines KERNEL, READY, RESULT, ERROR, HANGS, KILLED, DONE, FINISHED."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from faultlock.errors import FaultlockError

MARKERS = ("KERNEL ", "READY ", "RESULT ", "ERROR ", "HANGS ", "KILLED ", "DONE ", "FINISHED")


@dataclass
class RunResult:
    """One workload on one kernel.

    actors: name -> {n, rate_hz, mean_us, p10_us, p50_us, p90_us, p99_us, max_us} (only n when 0).
    vmstat: differences over the run; counters the kernel lacks are absent.
    tracefs: events of the kernel over the run, on a host with root only.
    server_cpu_ns: CPU time of the FUSE server, on a host only.
    hanging_threads: threads that did not end in the grace time; hanging and killed: processes.
    failures: actor -> operations that returned an error. notes: what differs from the workload.
    """

    name: str
    seconds: float = 0.0
    actors: dict[str, dict[str, float]] = field(default_factory=dict)
    vmstat: dict[str, int] = field(default_factory=dict)
    tracefs: dict[str, int] = field(default_factory=dict)
    server_cpu_ns: int = 0
    hanging_threads: int = 0
    hanging: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    done: bool = False


@dataclass
class DriverOutput:
    """All workloads of one run of the driver, in order; `errors` are its ERROR lines."""

    release: str = ""
    runs: list[RunResult] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    finished: bool = False


def _add_result(run: RunResult, text: str) -> None:
    try:
        table: dict[str, Any] = json.loads(text)
        actors = table["actors"]
        run.seconds = max(run.seconds, float(table["seconds"]))
        run.hanging_threads += int(table["hanging_threads"])
        for name, values in actors.items():
            if name.endswith("!failed"):
                run.failures[name.removesuffix("!failed")] = int(values)
            else:
                run.actors[name] = values
        # The counters are the machine's: each process sees the same ones, the first is taken.
        run.vmstat = run.vmstat or table["vmstat"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FaultlockError(f"the driver's result is not readable: {text[:200]!r}") from None


def parse_output(text: str, names: list[str]) -> DriverOutput:
    """The driver's output; `names` are those of its workloads in order.

    Lines that are not the driver's (kernel messages) are skipped.
    Raises FaultlockError for a RESULT line that is no JSON.
    """
    output = DriverOutput()
    for line in text.splitlines():
        marker = next((item for item in MARKERS if line.startswith(item)), None)
        if marker is None:
            continue
        rest = line[len(marker) :].strip()
        run = output.runs[-1] if output.runs else None
        if marker == "KERNEL ":
            output.release = rest
        elif marker == "READY " and len(output.runs) < len(names):
            output.runs.append(RunResult(names[len(output.runs)]))
        elif marker == "ERROR ":
            output.errors.append(rest)
        elif marker == "FINISHED":
            output.finished = True
        elif run is not None and marker == "RESULT ":
            _add_result(run, rest)
        elif run is not None and marker == "HANGS ":
            run.hanging.append(rest)
        elif run is not None and marker == "KILLED ":
            run.killed.append(rest.split()[0])
        elif run is not None and marker == "DONE ":
            run.done = True
    return output
