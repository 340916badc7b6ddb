# SPDX-License-Identifier: GPL-2.0-only
"""From what the driver printed to a measurement, and the workload as it was really run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faultlock.measure import host_latency, host_server
from faultlock.measure.measurement import check_measurement
from faultlock.measure.results import DriverOutput, RunResult
from faultlock.units import PAGE_BYTES
from faultlock.workload import Workload, overrides
from faultlock.workload.measurement_scenario import QEMU_CLOCK, kernel_version

HOST_CLOCK = "host"
GUEST_COSTS = "qemu-icount"
HOST_COSTS = "native-6.18"


def as_run_in_guest(workload: Workload, *, release: str, memory_mib: int, cpus: int) -> Workload:
    """The workload with what the guest really had: CPUs, clock, memory, version, latency.

    This is what the simulator must be given to predict the same run.
    """
    latency_ns = round(workload.device.latency.mean_ns())
    return overrides(
        workload,
        [
            f"kernel.version={kernel_version(release)}",
            f"machine.cpus={cpus}",
            "machine.clock=shared-instructions",
            f"machine.costs={GUEST_COSTS}",
            f"machine.memory={memory_mib}MiB",
            f"device.latency={latency_ns}ns",
        ],
    )


def as_run_on_host(workload: Workload, *, release: str, cpus: int) -> Workload:
    """The workload with the host's CPUs, clock and kernel version, and its FUSE server.

    A host is no guest in virtual time: costs of that one become those of a native CPU.
    """
    costs = workload.machine.costs
    host = overrides(
        workload,
        [
            f"kernel.version={kernel_version(release)}",
            f"machine.cpus={cpus}",
            "machine.clock=per-cpu",
            f"machine.costs={HOST_COSTS if costs == GUEST_COSTS else costs}",
        ],
    )
    later = host_latency.later(host, host_latency.read_added_ns(host.machine.costs))
    return host_server.with_server(later)


def measurement(
    workload: Workload, output: DriverOutput, *, policy: str | None, in_guest: bool
) -> dict[str, Any]:
    """The measurement document (schema faultlock-measurement/1) of one workload on one kernel.

    `workload` is the one as run (see above); every run of it becomes a scenario of the document.
    Raises FaultlockError when the driver printed something that is no measurement.
    """
    device = workload.device
    added_ns = 0 if in_guest else host_latency.read_added_ns(workload.machine.costs)
    document = {
        "schema": "faultlock-measurement/1",
        "kernel": f"linux-{output.release}",
        "policy": policy,
        "clock": QEMU_CLOCK if in_guest else HOST_CLOCK,
        "cpus": workload.machine.cpus,
        "memory_mib": workload.machine.memory_bytes >> 20,
        "file_pages": max((file.size_bytes // PAGE_BYTES for file in workload.files), default=0),
        "device": {
            "kind": "null_blk" if in_guest else "fuse",
            "latency_ns": round(device.latency.mean_ns()),
            "queue_depth": device.queue_depth,
            "submit_queues": device.submit_queues,
            **({"read_added_ns": added_ns} if added_ns else {}),
        },
        "scenarios": [_scenario(workload, run) for run in output.runs],
    }
    # What a guest prints is input like any other.
    return check_measurement(document, f"the driver's result for {workload.name}")


def _scenario(workload: Workload, run: RunResult) -> dict[str, Any]:
    scenario: dict[str, Any] = {
        "name": run.name,
        "params": {"seconds": round(run.seconds, 6)},
        "actors": {name: dict(values) for name, values in run.actors.items()},
        "vmstat": dict(run.vmstat),
        "workload": plain(workload.document),
    }
    for key in (
        "notes", "killed", "hanging", "tracefs", "server_cpu_ns", "hanging_threads", "failures",
    ):  # fmt: skip
        if value := getattr(run, key):
            scenario[key] = value
    return scenario


def plain(value: Any) -> Any:
    """A TOML document as plain JSON tables and lists."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
