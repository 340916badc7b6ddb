# SPDX-License-Identifier: GPL-2.0-only
"""An own instance of ftrace: set up, read, and removed on every way out.

Facts from Documentation/trace/ftrace.rst (instances, set_event_pid, event-fork) and a running
6.18.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from faultlock.errors import EnvironmentMissing

_PREFIX = "faultlock-"
_PLACES = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))

# Folder below events/ and the events of it that a recording wants.
WANTED = {
    "exceptions": ("page_fault_user", "page_fault_kernel"),
    "filemap": (
        "mm_filemap_fault",
        "mm_filemap_map_pages",
        "mm_filemap_get_pages",
        "mm_filemap_add_to_page_cache",
        "mm_filemap_delete_from_page_cache",
    ),
    "readahead": (
        "page_cache_sync_ra",
        "page_cache_async_ra",
        "page_cache_ra_order",
        "page_cache_ra_unbounded",
    ),
    "mmap_lock": (
        "mmap_lock_start_locking",
        "mmap_lock_acquire_returned",
        "mmap_lock_released",
    ),
    "sched": (
        "sched_switch",
        "sched_process_fork",
        "sched_process_exec",
        "sched_process_exit",
    ),
    "task": ("task_newtask",),
}


def _mounted() -> Path | None:
    for place in _PLACES:
        with contextlib.suppress(OSError):
            if (place / "instances").is_dir():
                return place
    return None


class TraceInstance:
    """A context manager around one tracefs instance. Needs root.

    Leaves nothing behind: not when the body raises, and what a killed recorder left is removed by
    the next one. A tracefs that had to be mounted is unmounted again.
    """

    def __init__(self, buffer_kib_per_cpu: int) -> None:
        self._buffer_kib = buffer_kib_per_cpu
        self._own_mount: Path | None = None
        self.top = Path()
        self.path = Path()

    def __enter__(self) -> TraceInstance:
        if os.geteuid() != 0:
            raise EnvironmentMissing(
                "recording needs root (tracefs); run it with sudo, or record elsewhere and use "
                "faultlock import"
            )
        try:
            self.top = _mounted() or self._mount()
            self._remove_stale()
            self.path = self.top / "instances" / f"{_PREFIX}{os.getpid()}"
            self.path.mkdir()
            self._prepare()
        except OSError as error:
            self._leave()
            raise EnvironmentMissing(
                f"{error.filename or self.top}: {error.strerror}; is the kernel built with "
                "CONFIG_FTRACE and event tracing, and not locked down?"
            ) from None
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _mount(self) -> Path:
        """Mount tracefs for us alone."""
        place = Path(tempfile.mkdtemp(prefix="faultlock-tracefs-"))
        self._own_mount = place
        done = subprocess.run(
            ["mount", "-t", "tracefs", "nodev", str(place)], capture_output=True, text=True
        )
        if done.returncode != 0:
            raise EnvironmentMissing(
                f"tracefs is not mounted and cannot be: {done.stderr.strip()[:200]}; is the kernel "
                "built with CONFIG_FTRACE?"
            )
        return place

    def _prepare(self) -> None:
        self.write("tracing_on", "0")
        self.write("trace_clock", "mono")
        for option, value in (("overwrite", "0"), ("event-fork", "1"), ("record-tgid", "1")):
            with contextlib.suppress(FileNotFoundError):
                self.write(f"options/{option}", value)
        self.write("buffer_size_kb", str(self._buffer_kib))

    def write(self, file: str, text: str) -> None:
        """Write a control file of the instance."""
        (self.path / file).write_text(text)

    def enable(self, system_calls: Iterable[str]) -> list[str]:
        """Switch the wanted events on; returns the names of those this kernel has not got."""
        events = [f"{folder}/{name}" for folder, names in WANTED.items() for name in names]
        for call in system_calls:
            events += [f"syscalls/sys_enter_{call}", f"syscalls/sys_exit_{call}"]
        missing = []
        for event in events:
            try:
                self.write(f"events/{event}/enable", "1")
            except FileNotFoundError:
                missing.append(event.rpartition("/")[2])
        return missing

    def follow(self, tids: Iterable[int]) -> None:
        """Record these threads and what they create from now on."""
        self.write("set_event_pid", " ".join(map(str, tids)))

    def lost_events(self) -> int:
        """Events that did not fit into the buffers."""
        lost = 0
        for stats in self.path.glob("per_cpu/cpu*/stats"):
            for line in stats.read_text().splitlines():
                name, _, value = line.partition(":")
                if name in ("overrun", "commit overrun", "dropped events"):
                    lost += int(value)
        return lost

    def _remove_stale(self) -> None:
        """Instances whose recorder no longer runs (it was killed)."""
        for path in (self.top / "instances").glob(f"{_PREFIX}*"):
            pid = path.name.removeprefix(_PREFIX)
            if pid.isdigit() and not Path("/proc", pid).exists():
                _remove_instance(path)

    def _leave(self) -> None:
        if self.path.name.startswith(_PREFIX) and self.path.exists():
            _remove_instance(self.path)
        if self._own_mount is not None:
            subprocess.run(["umount", str(self._own_mount)], capture_output=True)
            with contextlib.suppress(OSError):
                self._own_mount.rmdir()


def _remove_instance(path: Path) -> None:
    """Stop and remove an instance; it is busy for a moment after its files were read."""
    for file, text in (("tracing_on", "0"), ("events/enable", "0")):
        with contextlib.suppress(OSError):
            (path / file).write_text(text)
    for _ in range(50):
        try:
            path.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.1)
    raise EnvironmentMissing(f"{path}: cannot be removed (busy); remove it with rmdir")
