#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boots a kernel with a C program of yours as /init and prints its console: for experiments.

    scripts/guest.py KERNEL PROGRAM.c [--append 'null_blk.completion_nsec=1000000'] [--memory 3072]
                     [--cpus 1] [--seconds 300] [--file HOST:GUEST] [--raw]

Time in the guest is QEMU's: one instruction takes 1 ns, idle time is skipped. The program is
compiled static with pthreads and runs as PID 1 with nothing mounted; it ends with
reboot(RB_POWER_OFF). It can begin like this (null_blk with the latency of the command line is then
/dev/nullb0, 64 GiB, no data):

    #include <sys/mount.h>
    #include <sys/reboot.h>
    #include <sys/stat.h>
    int main(void)
    {
        mkdir("/proc", 0755); mkdir("/sys", 0755);
        mount("proc", "/proc", "proc", 0, 0);
        mount("sys", "/sys", "sysfs", 0, 0);
        mount("dev", "/dev", "devtmpfs", 0, 0);
        mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, 0);   // ftrace, function tracer
        ...
        reboot(RB_POWER_OFF);
    }

The test kernels have the function tracer (not function_graph) and the events of mmap_lock, sched,
filemap, block. To trace: write "function" to /sys/kernel/tracing/current_tracer, names to
set_ftrace_filter, and copy /sys/kernel/tracing/trace to stdout at the end.
Kernel messages are hidden; --raw shows them. Exit code: 0, or that of the error.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from faultlock.errors import FaultlockError
from faultlock.measure.compiler import build
from faultlock.measure.initramfs import initramfs
from faultlock.measure.qemu import Guest, run_guest

NULL_BLK = (
    "null_blk.irqmode=2 null_blk.completion_nsec=10000000 null_blk.gb=64 "
    "null_blk.hw_queue_depth=128 null_blk.submit_queues=2"
)


def main() -> int:
    """Parses the command line, boots, prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kernel", type=Path, help="bzImage")
    parser.add_argument("program", type=Path, help="C source (or a static program)")
    parser.add_argument(
        "--append", default="", help="more kernel parameters; the last one of a name wins"
    )
    parser.add_argument("--memory", type=int, default=3072, metavar="MIB")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=300, help="limit of wall-clock time")
    parser.add_argument("--file", action="append", default=[], metavar="HOST:GUEST")
    parser.add_argument("--raw", action="store_true", help="show the kernel's messages too")
    arguments = parser.parse_args()
    try:
        program = (
            build(arguments.program) if arguments.program.suffix == ".c" else arguments.program
        )
        files = {"init": program.read_bytes()}
        for pair in arguments.file:
            host, _, inside = pair.partition(":")
            files[inside.lstrip("/") or Path(host).name] = Path(host).read_bytes()
        quiet = "" if arguments.raw else "quiet loglevel=3 "
        guest = Guest(
            kernel=arguments.kernel,
            initramfs=initramfs(files),
            memory_mib=arguments.memory,
            cpus=arguments.cpus,
            append=f"{quiet}{NULL_BLK} {arguments.append}",
            limit_s=arguments.seconds,
        )
        run_guest(guest, lambda line: print(line, flush=True) is not None)
    except (FaultlockError, OSError) as error:
        print(f"guest.py: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
