# SPDX-License-Identifier: GPL-2.0-only
"""Compiles a reproducer and runs it on a real kernel in QEMU's virtual time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faultlock.measure.compiler import build
from faultlock.measure.modules import boot_archive, missing_modules
from faultlock.measure.qemu import Guest, check_ready, failed, run_guest
from faultlock.measure.scratch import scratch_folder

APPEND = (
    "quiet loglevel=3 null_blk.irqmode=2 null_blk.completion_nsec=200000000 null_blk.gb=64 "
    "null_blk.hw_queue_depth=128"
)
GUEST_MEMORY_MIB = 512


@dataclass(frozen=True)
class Attempt:
    """confirmed: it was seen. what: what was looked for. observed: the program's other lines."""

    confirmed: bool
    what: str
    observed: tuple[str, ...]


def attempt(source: str, kernel: Path, limit_s: float = 120.0) -> Attempt:
    """Runs the C text `source` as init of `kernel`.

    Raises GuestFailed (does not boot, no null_blk or FUSE, stopped), EnvironmentMissing (tools).
    """
    check_ready(kernel)
    with scratch_folder("reproduce") as folder:
        path = folder / "repro.c"
        path.write_text(source)
        program = build(path).read_bytes()
    guest = Guest(
        kernel=kernel,
        initramfs=boot_archive(kernel, {"init": program}),
        memory_mib=GUEST_MEMORY_MIB,
        append=APPEND,
        limit_s=limit_s,
    )
    console = run_guest(guest, lambda line: line.startswith("FINISHED"))
    _, _, rest = console.partition("REPRODUCER\n")
    lines = [line.strip() for line in rest.splitlines() if line.strip()]
    for index, line in enumerate(lines):
        word, _, what = line.partition(" ")
        if word in ("CONFIRMED", "NOT-SEEN"):
            return Attempt(word == "CONFIRMED", what, tuple(lines[:index]))
        if word == "ERROR":
            what += missing_modules(kernel, what)
            raise failed(guest, f"the reproducer reports: {what}", console)
    raise failed(guest, "the reproducer gave no verdict" if rest else "did not boot", console)
