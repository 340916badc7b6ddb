# SPDX-License-Identifier: GPL-2.0-only
"""faultlock probe: what does this kernel do while a fault waits for I/O?"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from faultlock.errors import EXIT_OK, FaultlockError
from faultlock.report import console

if TYPE_CHECKING:
    from faultlock.measure.probe.facts import Fact

HELP = """\
Finds out from outside what a kernel does while one of its threads waits for the device: what
waits (fork, mmap, mprotect, /proc readers, first touch) beside which fault (user or kernel mode,
populate, willneed), whether the faulting task can be killed and what it leaves behind, and so which
of our policies it behaves like. --kernel: in QEMU, no root. --host: needs fusermount3 or root."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `faultlock probe`."""
    parser.add_argument("--kernel", type=Path, metavar="BZIMAGE", help="probe this image in QEMU")
    parser.add_argument("--host", action="store_true", help="probe the running kernel")
    parser.add_argument("--limit", type=float, default=120, metavar="S", help="wall-clock limit")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Probes, prints. Exit code 0 whatever the facts are."""
    from faultlock.commands.measure import say_what_was_left
    from faultlock.measure.probe.facts import behaves_like, probe_host, probe_kernel
    from faultlock.measure.qemu import check_seconds

    check_seconds("probe: --limit", arguments.limit)
    if (arguments.kernel is None) == (not arguments.host):
        raise FaultlockError("probe: give either --kernel BZIMAGE or --host")
    if arguments.host:
        release, facts = probe_host(arguments.limit)
    else:
        release, facts = probe_kernel(arguments.kernel, arguments.limit)
    say_what_was_left()
    policy = behaves_like(facts)
    if arguments.json:
        console.out_json(
            {
                "policy": policy,
                "kernel": f"linux-{release}",
                "facts": [
                    {"name": fact.name, "value_ms": fact.value_ms, "finding": fact.finding,
                     "rest_of_fault_ms": fact.rest_ms}
                    for fact in facts.values()
                ],
            }
        )  # fmt: skip
        return EXIT_OK
    _print(release, policy, facts)
    return EXIT_OK


def _print(release: str, policy: str | None, facts: Mapping[str, Fact]) -> None:
    from faultlock.measure.probe.facts import LATENCY_NS, STARTED_AFTER_MS

    console.out(
        f"linux-{release}: device {LATENCY_NS / 1e6:g} ms, each operation starts "
        f"{STARTED_AFTER_MS:g} ms after the other thread; times in ms"
    )
    pairs = [name.split("_beside_") for name in facts if "_beside_" in name]
    besides = dict.fromkeys(pair[1] for pair in pairs if pair[1] != "mmap_lock_writer")
    operations = dict.fromkeys(pair[0] for pair in pairs if pair[1] in besides)
    rows = [
        [operation, *(_cell(facts, f"{operation}_beside_{beside}") for beside in besides)]
        for operation in operations
    ]
    console.out_table(["operation, beside:", *besides], rows)
    console.out()
    others = [fact for name, fact in facts.items() if name.split("_beside_")[-1] not in besides]
    console.out_table(
        ["fact", "value", "finding"],
        [(fact.name, fact.value_text, fact.finding) for fact in others],
    )
    console.out()
    if policy:
        console.out(f"behaves like: {policy}")
    else:
        console.out("behaves like none of the shipped policies alone")


def _cell(facts: Mapping[str, Fact], name: str) -> str:
    return f"{facts[name].value_ms:.2f}" if name in facts else "-"
