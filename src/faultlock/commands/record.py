# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock record`: record the faults of a program through tracefs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from faultlock.errors import EXIT_OK, EXIT_UNKNOWN, FaultlockError
from faultlock.report import console
from faultlock.report.arguments import output_file

if TYPE_CHECKING:
    from faultlock.trace.record import Recorded

HELP = "record the faults of a program (ftrace; needs root)"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.description = (
        "Records one process tree: page faults, page cache, readahead, mmap_lock, address-space "
        "system calls, scheduling. Uses a tracefs instance of its own, removed afterwards. "
        "Exit code 5: events were lost, the recording has holes (it is written all the same)."
    )
    parser.add_argument("-o", "--output", type=output_file, default=Path("app.flt"), metavar="FILE")
    parser.add_argument("--cold", action="store_true", help="drop the page cache first")
    parser.add_argument("--pid", type=int, metavar="N", help="a running process and its children")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="with --pid: how long (default: until Ctrl-C)"
    )
    parser.add_argument("--user", metavar="NAME", help="run the command as this user")
    parser.add_argument(
        "--buffer-mb", type=int, metavar="N", help="trace buffer per CPU, MiB (default: up to 128)"
    )
    parser.add_argument("--json", action="store_true", help="machine-readable summary")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")


def run(arguments: argparse.Namespace) -> int:
    """Record, write the file, say what was lost."""
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if bool(command) == (arguments.pid is not None):
        raise FaultlockError("give either a command (after --) or --pid N")
    if arguments.seconds is not None and (arguments.pid is None or arguments.seconds <= 0):
        raise FaultlockError("--seconds: needs --pid, and more than 0")
    if arguments.buffer_mb is not None and not 1 <= arguments.buffer_mb <= 4096:
        raise FaultlockError(f"--buffer-mb {arguments.buffer_mb}: allowed are 1 to 4096")

    from faultlock.trace.record import record_command, record_process
    from faultlock.trace.store import write_trace

    buffer_kib = arguments.buffer_mb * 1024 if arguments.buffer_mb else None
    if command:
        recorded = record_command(command, arguments.cold, arguments.user, buffer_kib)
    else:
        recorded = record_process(arguments.pid, arguments.seconds, arguments.cold, buffer_kib)
    write_trace(recorded.trace, arguments.output)
    _report(arguments, recorded)
    return EXIT_UNKNOWN if recorded.trace.header.lost_events else EXIT_OK


def _report(arguments: argparse.Namespace, recorded: Recorded) -> None:
    trace = recorded.trace
    first_ns, last_ns = trace.span_ns
    if arguments.json:
        console.out_json(
            {
                "file": str(arguments.output),
                "events": trace.event_count,
                "duration_s": (last_ns - first_ns) / 1e9,
                "lost_events": trace.header.lost_events,
                "unparseable_lines": trace.header.unparseable_lines,
                "missing_events": recorded.missing_events,
                "exit_status": recorded.exit_status,
                "interrupted": recorded.interrupted,
            }
        )
        return
    console.out(
        f"{arguments.output}: {trace.event_count:,} events in {(last_ns - first_ns) / 1e9:.3f} s; "
        f"see faultlock info {arguments.output}"
    )
    if recorded.interrupted:
        console.warn("interrupted: the recording ends there")
    if recorded.exit_status:
        console.warn(f"the command ended with status {recorded.exit_status}")
    if trace.header.lost_events:
        console.warn(f"{trace.header.lost_events:,} events were lost; use a larger --buffer-mb")
    if trace.header.unparseable_lines:
        console.warn(f"{trace.header.unparseable_lines:,} lines could not be parsed")
    if recorded.missing_events:
        names = ", ".join(recorded.missing_events)
        console.warn(f"this kernel has not got the events {names}")
