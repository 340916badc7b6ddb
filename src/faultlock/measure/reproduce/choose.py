# SPDX-License-Identifier: GPL-2.0-only
"""Which reproducer belongs to a counterexample, and its complete C text.

A reproducer is chosen by the property that is violated (the id in front of its name: S4, L1 ...)
and by what the scenario's name says takes part (fault+kill+truncate, fuse-self+fault+mmap ...).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultlock.errors import FaultlockError

FOLDER = Path(__file__).parent
MAX_STEPS_SHOWN = 200


@dataclass(frozen=True)
class Reproducer:
    """name: its C file. properties: ids it shows violated (empty: any). words: one of each group of
    alternatives must be in the scenario's name."""

    name: str
    shows: str
    properties: frozenset[str]
    words: tuple[frozenset[str], ...]


def _reproducer(name: str, shows: str, properties: str, *words: str) -> Reproducer:
    groups = tuple(frozenset(group.split("|")) for group in words)
    return Reproducer(name, shows, frozenset(properties.split()), groups)


# From the most special to the most general; the first that fits is taken.
REPRODUCERS: tuple[Reproducer, ...] = (
    _reproducer("fuse_self_fork_deadlock", "deadlock of a fault, the FUSE server in its process "
                "and fork", "", "fuse", "self", "fork|munmap|mprotect"),
    _reproducer("fuse_self_mmap_deadlock", "deadlock of a fault and the FUSE server in its process",
                "", "fuse", "self"),
    _reproducer("kill_leaks_invalidate_lock", "a killed waiter leaves invalidate_lock held",
                "S4 L4 L1", "kill"),
    _reproducer("kill_leaks_folio", "a killed waiter leaves a folio reference", "S3", "kill"),
    _reproducer("kill_waits_for_io", "a killed task stays until its I/O is done", "L3",
                "kill|oom"),
    _reproducer("populate_blocks_mmap", "mmap waits until a range is populated", "L1 L2 L10",
                "populate"),
    _reproducer("kernel_mode_fault_blocks_mmap", "mmap waits for a kernel-mode fault's I/O",
                "L1 L2 L10", "kernel", "mmap|munmap"),
    _reproducer("fork_waits_for_io", "fork waits for another thread's fault I/O", "L2 L10 L11",
                "fault", "fork"),
    _reproducer("mprotect_waits_for_io", "mprotect waits for another thread's fault I/O",
                "L2 L10", "fault", "mprotect|munmap|mremap|mlock|madvise"),
)  # fmt: skip


def words_of(scenario: str) -> frozenset[str]:
    """The words of a scenario's name: parts between + - _ . / and blanks, in lower case."""
    return frozenset(re.split(r"[^a-z0-9]+", scenario.lower()))


def choose(scenario: str, property_name: str = "") -> Reproducer | None:
    """The reproducer of that name, or for a violated property; None: user space cannot do it."""
    named = [item for item in REPRODUCERS if item.name == scenario]
    if named:
        return named[0]
    words = words_of(scenario)
    identifier = property_name.split()[0].split(":")[0] if property_name.split() else ""
    for reproducer in REPRODUCERS:
        if identifier and reproducer.properties and identifier not in reproducer.properties:
            continue
        if not identifier and not reproducer.words:
            continue
        if all(group & words for group in reproducer.words):
            return reproducer
    return None


def _without_licence(path: Path) -> str:
    """A part of the program; its licence line stands once, at the top of the whole."""
    return path.read_text().partition("\n")[2]


def _comment(text: str) -> str:
    """Text from a file, made safe inside a C comment."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable.replace("*/", "* /").replace("??", "? ?")[:160]


def _steps(counterexample: Sequence[Any]) -> list[str]:
    lines = []
    for step in list(counterexample)[:MAX_STEPS_SHOWN]:
        if not isinstance(step, Mapping):
            continue
        place = f"{step.get('function', '')} {step.get('file', '')}:{step.get('line', '')}"
        note = step.get("note") or step.get("text") or ""
        lines.append(_comment(f"  {step.get('thread', '?')!s:<4} {place:<44} {note}"))
    return lines


def source_text(
    reproducer: Reproducer,
    scenario: str,
    property_name: str,
    policy: str = "",
    counterexample: Sequence[Any] = (),
) -> str:
    """The complete single-file C program, with the counterexample it comes from as a comment."""
    body = _without_licence(FOLDER / f"{reproducer.name}.c")
    for header in ("prelude.h", "fuse.h"):
        body = body.replace(f'#include "{header}"\n', _without_licence(FOLDER / header))
    head = [
        f"Shows on a real kernel: {reproducer.shows}.",
        _comment(f"Model: policy {policy or 'not said'}, scenario {scenario}, property "
                 f"{property_name or 'not said'}."),
        "Build:  gcc -O2 -static -pthread -o init repro.c",
        "Run:    faultlock reproduce does it; or /init of a guest, or as root on a test machine,",
        "        with null_blk.irqmode=2 null_blk.completion_nsec=200000000 null_blk.gb=64",
        "It may leave the file or the machine unusable: never run it where it matters.",
    ]  # fmt: skip
    steps = _steps(counterexample)
    if steps:
        head += [
            "",
            "The counterexample, as the checker found it (thread, function, what happens):",
            *steps,
        ]
    comment = "\n".join(f" * {line}".rstrip() for line in head)
    return f"// SPDX-License-Identifier: GPL-2.0-only\n/*\n{comment}\n */\n{body}"


def explain_missing(scenario: str, property_name: str) -> FaultlockError:
    """The error for a violation that no reproducer shows."""
    known = ", ".join(item.name for item in REPRODUCERS)
    what = f"{property_name} in {scenario}" if property_name else f"scenario {scenario}"
    return FaultlockError(
        f"{what[:200]}: user space has no known way to provoke this on a real kernel "
        f"(reproducers: {known})"
    )
