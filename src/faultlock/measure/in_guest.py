# SPDX-License-Identifier: GPL-2.0-only
"""Runs workloads on a kernel in QEMU's virtual time with the C driver as init."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faultlock.measure.compile_workload import compile_workload
from faultlock.measure.compiler import build
from faultlock.measure.modules import boot_archive, missing_modules
from faultlock.measure.qemu import Guest, GuestFailed, check_ready, failed, run_guest
from faultlock.measure.results import DriverOutput, parse_output
from faultlock.workload import Workload

DRIVER = Path(__file__).parent / "driver" / "driver.c"
DEFAULT_MEMORY_MIB = 3072
APPEND = "quiet loglevel=3 null_blk.nr_devices=0"


def guest_memory_mib(workload: Workload) -> int:
    """Memory of the guest: the workload's, at most 3 GiB (it stands on the host's memory)."""
    return min(workload.machine.memory_bytes >> 20, DEFAULT_MEMORY_MIB)


def run_in_guest(
    workloads: Sequence[Workload],
    kernel: Path,
    *,
    memory_mib: int | None = None,
    cpus: int = 1,
    limit_s: float = 300.0,
) -> DriverOutput:
    """Boots `kernel` once and runs the workloads one after the other, each in fresh processes.

    limit_s: wall-clock time after which the guest is ended.
    Raises GuestFailed (did not boot, stopped, hung, lacks null_blk), EnvironmentMissing (no QEMU,
    no compiler), FaultlockError (no bzImage; a workload the driver cannot do).
    """
    check_ready(kernel)
    compiled = [compile_workload(workload) for workload in workloads]
    files = {"init": build(DRIVER).read_bytes()}
    files |= {f"workload.{i}": item.words.encode() for i, item in enumerate(compiled)}
    guest = Guest(
        kernel=kernel,
        initramfs=boot_archive(kernel, files),
        memory_mib=memory_mib or max(guest_memory_mib(workload) for workload in workloads),
        cpus=cpus,
        append=APPEND,
        limit_s=limit_s,
    )
    # When a process cannot be killed the kernel may not power off; the driver's word is enough.
    console = run_guest(guest, lambda line: line.startswith("FINISHED"))
    output = parse_output(console, [workload.name for workload in workloads])
    _check(guest, output, console, len(workloads))
    for run, item in zip(output.runs, compiled, strict=True):
        run.notes += item.notes
    return output


def _check(guest: Guest, output: DriverOutput, console: str, wanted: int) -> None:
    """Raises GuestFailed when not every workload has a result."""
    if output.errors:
        what = output.errors[0] + missing_modules(guest.kernel, output.errors[0])
        raise failed(guest, f"the driver reports: {what}", console)
    if not output.release:
        raise failed(guest, "did not boot as far as the driver (init)", console)
    if not output.finished or len(output.runs) < wanted:
        raise failed(guest, "stopped while a workload ran", console)
    for run in output.runs:
        if not run.actors:
            who = ", ".join(run.hanging + run.killed) or "all processes"
            raise failed(guest, f"workload {run.name} gave no result ({who} hung or died)", console)


__all__ = ["DRIVER", "GuestFailed", "guest_memory_mib", "run_in_guest"]
