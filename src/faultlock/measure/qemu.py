# SPDX-License-Identifier: GPL-2.0-only
"""Boots a kernel in QEMU's virtual time: one instruction is one nanosecond, idle time is skipped.

No KVM, one host thread, no network, no host files but the kernel and the initramfs. The host's
speed and noise do not enter the guest's clock. A limit of wall-clock time ends a guest that hangs.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faultlock.errors import EnvironmentMissing, FaultlockError
from faultlock.measure.scratch import scratch_folder

MAX_CONSOLE_BYTES = 64 << 20
TAIL_LINES = 8
TURN_US = 50  # the longest turn of a CPU that shares its clock with others
MAX_CPUS = 255  # of the machine QEMU emulates; above half of it no CPU is left to stay idle


class GuestFailed(EnvironmentMissing):
    """A guest that did not boot, crashed or hung; the message names the file with its console."""


@dataclass(frozen=True)
class Guest:
    """What to boot. memory_mib: guest memory; cpus: all share one instruction clock."""

    kernel: Path
    initramfs: bytes
    memory_mib: int = 3072
    cpus: int = 1
    append: str = ""
    limit_s: float = 300.0


def find_qemu() -> str:
    """Path of qemu-system-x86_64. Raises EnvironmentMissing."""
    path = shutil.which("qemu-system-x86_64")
    if path is None:
        raise EnvironmentMissing(
            "qemu-system-x86_64 is not installed (Debian: apt-get install qemu-system-x86)"
        )
    return path


def check_kernel(kernel: Path) -> None:
    """Raises FaultlockError when `kernel` is unreadable or no x86 bzImage (HdrS at 0x202)."""
    # Opening a pipe or a terminal would wait for whoever writes to it.
    if kernel.exists() and not kernel.is_file():
        raise FaultlockError(f"{kernel}: not a regular file (give a bzImage, like /boot/vmlinuz-*)")
    try:
        with kernel.open("rb") as stream:
            head = stream.read(0x206)
    except OSError as error:
        raise FaultlockError(f"{kernel}: cannot be read: {error.strerror}") from None
    if head[0x202:0x206] != b"HdrS":
        raise FaultlockError(
            f"{kernel}: no x86 kernel image (give a bzImage, as in /boot/vmlinuz-*)"
        )


def check_ready(kernel: Path) -> None:
    """Raises, before anything is compiled, what run_guest would raise of `kernel` and of QEMU."""
    check_kernel(kernel)
    find_qemu()


def check_seconds(option: str, seconds: float | None) -> None:
    """Raises FaultlockError when an option's time is not above 0 and below a year."""
    if seconds is not None and not 0 < seconds < 366 * 86400:
        raise FaultlockError(f"{option} {seconds}: give a number of seconds above 0")


def command_line(guest: Guest, initramfs_path: Path) -> list[str]:
    """The QEMU command for `guest`."""
    append = f"console=ttyS0 panic=-1 tsc=reliable clocksource=tsc {guest.append}".strip()
    return [
        find_qemu(), "-kernel", str(guest.kernel), "-initrd", str(initramfs_path),
        "-m", f"{guest.memory_mib}M", *processors(guest.cpus),
        "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", "max",
        "-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio",
        "-append", append if guest.cpus == 1 else f"{append} nr_cpus={guest.cpus}",
    ]  # fmt: skip


def processors(cpus: int) -> list[str]:
    """Options for so many CPUs, which take turns often enough to share the clock evenly.

    QEMU leaves one CPU for the next when a timer is due, and that may be 4 ms later: too coarse
    to count as CPUs that work at once (a whole readahead window is filled in one turn).  A packet
    filter without packets is a timer that costs the guest nothing.  The CPU that comes next when
    a timer is due calls the timer and has no turn of its own (icount_prepare_for_run() in QEMU
    7.2), so each CPU is followed by one that the guest never starts.  docs/measuring.md has what
    it changes."""
    if cpus == 1:
        return ["-smp", "1"]
    packets = f"filter-buffer,id=turns,netdev=nowhere,interval={TURN_US}"
    timer = ["-netdev", "hubport,id=nowhere,hubid=0", "-object", packets]
    if 2 * cpus > MAX_CPUS:
        return ["-smp", str(cpus), *timer]
    options = ["-smp", f"1,maxcpus={2 * cpus},sockets=1,cores={2 * cpus},threads=1"]
    # QEMU's turns go by the order given here, the guest's numbers by the core
    order = [core for cpu in range(cpus) for core in (cpu, cpus + cpu)]
    for core in order[1:]:
        options += ["-device", f"max-x86_64-cpu,socket-id=0,core-id={core},thread-id=0"]
    return [*options, *timer]


def keep_console(console: str) -> Path:
    """Writes a guest's console to a new temporary file and returns its path."""
    descriptor, name = tempfile.mkstemp(prefix="faultlock-console-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as stream:
        stream.write(console)
    return Path(name)


def failed(guest: Guest, what: str, console: str) -> GuestFailed:
    """The error for a guest that went wrong, with its last console lines kept in a file."""
    lines = [line for line in console.splitlines() if line.strip()]
    tail = "".join(f"\n    {line[:200]}" for line in lines[-TAIL_LINES:] if line.isprintable())
    path = keep_console(console)
    end = f"the end of it:{tail}" if tail else "and is empty"
    return GuestFailed(f"{guest.kernel.name}: {what}; its console is in {path}, {end}")


def run_guest(guest: Guest, on_line: Callable[[str], bool] | None = None) -> str:
    """Boots the guest and returns all it wrote on its console, when it powers off.

    on_line: called with each line; returning True ends the guest at once.
    Raises GuestFailed when the wall-clock limit is reached or QEMU itself fails,
    EnvironmentMissing without QEMU, FaultlockError when the kernel is no bzImage.
    """
    check_kernel(guest.kernel)
    with scratch_folder("qemu") as folder:
        archive = folder / "initramfs"
        archive.write_bytes(guest.initramfs)
        errors = folder / "stderr"
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                command_line(guest, archive),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                start_new_session=True, preexec_fn=_end_with_parent,
            )  # fmt: skip
            try:
                console, ended = _read_console(process, guest.limit_s, on_line)
            finally:
                _end(process)
        text = console.decode(errors="replace").replace("\r", "")
        if ended == "limit":
            raise failed(guest, f"did not finish within {guest.limit_s:.0f} s of wall time", text)
        if ended == "size":
            raise failed(
                guest, f"wrote more than {MAX_CONSOLE_BYTES >> 20} MiB on its console", text
            )
        if ended == "exit" and process.returncode != 0:
            message = errors.read_text(errors="replace").strip().splitlines()
            raise failed(guest, f"QEMU failed: {(message or ['no message'])[-1][:300]}", text)
        return text


_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h


def _end_with_parent() -> None:
    """In the new process: the kernel ends it when we are killed and can no longer do so."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends QEMU if it still runs, by its own process id."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()


def _read_console(
    process: subprocess.Popen[bytes], limit_s: float, on_line: Callable[[str], bool] | None
) -> tuple[bytes, str]:
    """The console and how it ended: exit, line (on_line wanted it), limit or size."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    deadline = time.monotonic() + limit_s
    console = bytearray()
    line_start = 0
    with process.stdout, selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return bytes(console), "limit"
            if not selector.select(left):
                continue
            data = os.read(descriptor, 1 << 16)
            if not data:
                process.wait()
                return bytes(console), "exit"
            console += data
            if len(console) > MAX_CONSOLE_BYTES:
                return bytes(console), "size"
            while on_line and (newline := console.find(b"\n", line_start)) >= 0:
                line = bytes(console[line_start:newline]).decode(errors="replace").strip("\r")
                line_start = newline + 1
                if on_line(line):
                    return bytes(console), "line"
