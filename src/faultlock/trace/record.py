# SPDX-License-Identifier: GPL-2.0-only
"""Record one process tree through tracefs."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faultlock.errors import EnvironmentMissing, FaultlockError
from faultlock.trace.events import SYSTEM_CALLS
from faultlock.trace.importer import import_text
from faultlock.trace.maps import process_tree, snapshot, threads_of
from faultlock.trace.store import Trace, in_order_of_time
from faultlock.trace.tracefs import TraceInstance


@dataclass
class Recorded:
    """A recording just made. `exit_status` of the command (None with --pid), as a shell has it."""

    trace: Trace
    missing_events: list[str] = field(default_factory=list)
    exit_status: int | None = None
    interrupted: bool = False
    unparseable: list[tuple[int, str]] = field(default_factory=list)


def default_buffer_kib() -> int:
    """Per CPU: 128 MiB, or an eighth of the memory over the CPUs if that is less."""
    pages, page_size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    share = pages * page_size // 8 // 1024 // (os.cpu_count() or 1)
    return min(128 << 10, max(1 << 10, share))


def record_command(
    command: Sequence[str], cold: bool, user: str | None = None, buffer_kib: int | None = None
) -> Recorded:
    """Run a command and record it from just before its exec to its end.

    cold: drop the page cache first. user: run the command as this user.
    Raises EnvironmentMissing without root or tracefs, FaultlockError for no such command or user.
    """
    program = shutil.which(command[0])
    if program is None:
        raise FaultlockError(f"{command[0]}: no such command; give its path")
    account = _account(user)
    with TraceInstance(buffer_kib or default_buffer_kib()) as instance:
        go_read, go_write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(go_write)
            _become(program, command, account, go_read)
        os.close(go_read)
        try:
            instance.follow([child])
            missing = instance.enable(SYSTEM_CALLS)
            if cold:
                _drop_page_cache()
            instance.write("tracing_on", "1")
            os.write(go_write, b"g")
            os.close(go_write)
            status, interrupted = _wait(child)
        except BaseException:
            _kill(child)
            raise
        instance.write("tracing_on", "0")
        recorded = _collect(instance, [child], missing)
    recorded.trace.header.command = list(command)
    recorded.trace.header.page_cache_dropped = cold
    recorded.exit_status, recorded.interrupted = status, interrupted
    return recorded


def record_process(
    pid: int, seconds: float | None, cold: bool, buffer_kib: int | None = None
) -> Recorded:
    """Record a running process and its descendants for some seconds, or until Ctrl-C.

    Its mappings at the start are part of the recording.
    Raises EnvironmentMissing without root or tracefs, FaultlockError for no such process.
    """
    if not threads_of(pid):
        raise FaultlockError(f"--pid {pid}: no such process")
    with TraceInstance(buffer_kib or default_buffer_kib()) as instance:
        pids = process_tree(pid)
        tids = [tid for process in pids for tid in threads_of(process)]
        instance.follow(tids)
        missing = instance.enable(SYSTEM_CALLS)
        if cold:
            _drop_page_cache()
        start_ns = time.monotonic_ns()
        maps = snapshot(pids, start_ns)
        interrupted = False
        instance.write("tracing_on", "1")
        try:
            _sleep_while_alive(pid, seconds)
        except KeyboardInterrupt:
            interrupted = True
        instance.write("tracing_on", "0")
        recorded = _collect(instance, tids, missing)
    tables = {
        name: table.rename({"sequence": "line"}) for name, table in recorded.trace.tables.items()
    }
    recorded.trace.tables = in_order_of_time({"vma_snapshot": maps, **tables}, "line")
    recorded.trace.header.page_cache_dropped = cold
    recorded.interrupted = interrupted
    return recorded


def _account(user: str | None) -> pwd.struct_passwd | None:
    if user is None:
        return None
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise FaultlockError(f"--user {user}: no such user") from None


def _become(
    program: str, command: Sequence[str], account: pwd.struct_passwd | None, go_read: int
) -> None:
    """The child: wait for the word, then become the command. Does not return."""
    try:
        if account is not None:
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            os.environ.update(HOME=account.pw_dir, USER=account.pw_name)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if os.read(go_read, 1):
            os.execv(program, list(command))
    except OSError:
        pass
    finally:
        os._exit(127)


def _wait(child: int) -> tuple[int, bool]:
    """Exit status as a shell has it, and whether Ctrl-C came; it is passed on to the command."""
    interrupted = False

    def pass_on(*_: object) -> None:
        nonlocal interrupted
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL if interrupted else signal.SIGINT)
        interrupted = True

    before = signal.signal(signal.SIGINT, pass_on)
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        signal.signal(signal.SIGINT, before)
    return (code if code >= 0 else 128 - code), interrupted


def _kill(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def _sleep_while_alive(pid: int, seconds: float | None) -> None:
    end = None if seconds is None else time.monotonic() + seconds
    while Path("/proc", str(pid)).exists():
        left = 0.1 if end is None else min(0.1, end - time.monotonic())
        if left <= 0:
            return
        time.sleep(left)


def _drop_page_cache() -> None:
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError as error:
        raise EnvironmentMissing(
            f"--cold: /proc/sys/vm/drop_caches: {error.strerror}; record without --cold"
        ) from None


def _collect(instance: TraceInstance, roots: list[int], missing: list[str]) -> Recorded:
    """Read the buffers and add what is known of this machine."""
    lost = instance.lost_events()
    imported = import_text(instance.path / "trace", os.uname().release)
    header = imported.trace.header
    header.source = "record"
    header.lost_events = lost
    header.clock = "mono"
    header.cpu_count = os.cpu_count()
    header.memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    header.root_tids = roots
    header.readahead_bytes = _readahead_bytes()
    return Recorded(imported.trace, missing, unparseable=imported.unparseable)


def _readahead_bytes() -> dict[str, int]:
    """Block device major:minor -> its readahead size."""
    found = {}
    for path in Path("/sys/class/bdi").glob("*:*"):
        try:
            found[path.name] = int((path / "read_ahead_kb").read_text()) * 1024
        except (OSError, ValueError):
            continue
    return found
