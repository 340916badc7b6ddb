# SPDX-License-Identifier: GPL-2.0-only
"""Counts of kernel events while a workload runs on the host: one tracefs instance for each.

Needs root and a tracefs that is mounted; without them nothing is counted and nothing is said. An
instance counts without anyone reading it: what does not fit into its smallest buffer is dropped,
and the kernel counts the drops. Only our driver and what it creates is counted, and only between
the driver's start and stop of the workload (it switches the instances itself). The instances are
removed on every way out; those of a killed run by the next one.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PLACES = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
PREFIX = "faultlock-counters-"
BUFFER_KIB = 4
SWITCHES_VARIABLE = "FAULTLOCK_TRACE_SWITCHES"  # read by driver/run.h

# name in the result -> (event, filter). Fields: events/*/format of 6.18; the mmap_lock events came
# with 5.10 (include/trace/events/mmap_lock.h), mm_filemap_fault with 6.11.
COUNTERS: dict[str, tuple[str, str]] = {
    "mmap_lock_acquired_read": (
        "mmap_lock/mmap_lock_acquire_returned", "write == 0 && success == 1",
    ),
    "mmap_lock_acquired_write": (
        "mmap_lock/mmap_lock_acquire_returned", "write == 1 && success == 1",
    ),
    "page_fault_user": ("exceptions/page_fault_user", ""),
    "page_fault_kernel": ("exceptions/page_fault_kernel", ""),
    "mm_filemap_fault": ("filemap/mm_filemap_fault", ""),
}  # fmt: skip


@dataclass
class TraceCounters:
    """The instances of one run: counter name -> folder. Empty when nothing can be counted."""

    folders: dict[str, Path] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """What the driver's environment needs so that it switches the counting on and off."""
        switches = [str(folder / "tracing_on") for folder in self.folders.values()]
        return {SWITCHES_VARIABLE: ":".join(switches)} if switches else {}

    def values(self) -> dict[str, int]:
        """Events of each counter so far, those that were dropped from the buffer included."""
        return {name: events_in(folder) for name, folder in self.folders.items()}


def events_in(folder: Path) -> int:
    """All events that an instance has seen: kept, overwritten and dropped ones, of all CPUs."""
    total = 0
    for stats in folder.glob("per_cpu/cpu*/stats"):
        for line in stats.read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("entries", "overrun", "dropped events"):
                total += int(value)
    return total


@contextlib.contextmanager
def trace_counters(places: tuple[Path, ...] = PLACES) -> Iterator[TraceCounters]:
    """Instances that count this process and all it creates from now on; removed at the end.

    Yields one without counters when not root, without tracefs, or when it is locked down; events
    that the kernel lacks are left out. places: where tracefs may be mounted.
    """
    counters = TraceCounters()
    top = next((place for place in places if (place / "instances").is_dir()), None)
    try:
        if top is not None and os.geteuid() == 0:
            _remove_stale(top)
            for name, (event, condition) in COUNTERS.items():
                _add(counters, top / "instances" / f"{PREFIX}{os.getpid()}-{name}", name)
                if not _prepare(counters.folders[name], event, condition):
                    remove(counters.folders.pop(name))
        yield counters
    finally:
        for folder in counters.folders.values():
            remove(folder)


def _add(counters: TraceCounters, folder: Path, name: str) -> None:
    # Noted first: an interrupt between the two lines must not leave the instance behind.
    counters.folders[name] = folder
    with contextlib.suppress(OSError):
        folder.mkdir()


def _prepare(folder: Path, event: str, condition: str) -> bool:
    """Sets an instance up, not counting yet. False when the kernel cannot do it."""
    writes = [
        ("tracing_on", "0"), ("buffer_size_kb", str(BUFFER_KIB)), ("options/overwrite", "0"),
        ("options/event-fork", "1"), ("set_event_pid", str(os.getpid())),
        *([(f"events/{event}/filter", condition)] if condition else []),
        (f"events/{event}/enable", "1"),
    ]  # fmt: skip
    try:
        for file, text in writes:
            (folder / file).write_text(text)
    except OSError:
        return False
    return True


def _remove_stale(top: Path) -> None:
    """Instances whose run no longer exists: it was killed."""
    for folder in (top / "instances").glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            remove(folder)


def remove(folder: Path) -> None:
    """Stops and removes an instance; it can be busy for a moment after its files were read."""
    for file in ("tracing_on", "events/enable"):
        with contextlib.suppress(OSError):
            (folder / file).write_text("0")
    for _ in range(50):
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.1)
