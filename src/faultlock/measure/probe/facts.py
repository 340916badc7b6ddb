# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel does while one of its threads waits for the device, found from outside.

`probe.c` times one operation beside one fault, for all pairs of the shipped facts.json, and a few
more facts: kills, and a fault whose redo meets a writer of mmap_lock. All waits are multiples of
the device latency, so half of what is left of it separates "waits" from "does not wait" by far.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from faultlock.errors import EnvironmentMissing
from faultlock.measure.compiler import build
from faultlock.measure.in_guest import APPEND
from faultlock.measure.modules import boot_archive, missing_modules
from faultlock.measure.qemu import Guest, check_ready, failed, run_guest

PROBE = Path(__file__).parent / "probe.c"
LATENCY_NS = 100_000_000
STARTED_AFTER_MS = 20.0
LEFT_MS = LATENCY_NS / 1e6 - STARTED_AFTER_MS
WRITER_FACT = "user_fault_beside_mmap_lock_writer"
RETRIES_FACT = "vma_lock_retries_of_user_fault"
MAPPED_FACT = "pages_mapped_by_user_fault"
COUNTS = (RETRIES_FACT, MAPPED_FACT)
ZEROOUT_FACT = "zeroout_after_kill"
GUEST_MEMORY_MIB = 512


@dataclass(frozen=True)
class Fact:
    """One fact. value_ms: the time of the operation; a count for the names in COUNTS.

    rest_ms: how much longer the other thread needed. hangs: did not end within 5 s.
    """

    name: str
    value_ms: float
    rest_ms: float = 0.0
    hangs: bool = False

    @property
    def waits(self) -> bool:
        """Whether the operation waits for the I/O that is under way (or for ever)."""
        if self.name == WRITER_FACT:
            return self.value_ms > 1.25 * LATENCY_NS / 1e6
        if self.name == RETRIES_FACT:
            return self.value_ms > 0
        if self.name == MAPPED_FACT:
            return self.value_ms > 1
        return self.hangs or self.value_ms > LEFT_MS / 2

    @property
    def value_text(self) -> str:
        """The value with its unit."""
        return f"{self.value_ms:.0f}" if self.name in COUNTS else f"{self.value_ms:.2f} ms"

    @property
    def finding(self) -> str:
        """One short sentence."""
        if self.name == WRITER_FACT:
            return (
                "the redo needs mmap_lock"
                if self.waits
                else "mmap_lock is not needed after the I/O"
            )
        if self.name in COUNTS:
            return "dropped its lock and retried" if self.waits else "mapped at the first attempt"
        if self.name == ZEROOUT_FACT:
            return "hangs: invalidate_lock is held for ever" if self.hangs else "works"
        if self.hangs:
            return "hangs"
        return "waits for the I/O" if self.waits else "does not wait"


# policy -> facts (whether it waits) that must all agree; a missing fact (no statistics) is skipped
SIGNATURES: dict[str, dict[str, bool]] = {
    "drop-retry": {
        "fork_beside_user_fault_random": False, "mmap_munmap_beside_kernel_mode_fault": False,
        WRITER_FACT: True, RETRIES_FACT: True, MAPPED_FACT: True,
        "kill_during_readahead_miss": False,
    },
    "retry-vma": {
        "fork_beside_user_fault_random": False, "mmap_munmap_beside_kernel_mode_fault": False,
        WRITER_FACT: False, RETRIES_FACT: True, MAPPED_FACT: True,
        "kill_during_readahead_miss": False,
    },
    "hold": {
        "fork_beside_user_fault_random": True, "mmap_munmap_beside_kernel_mode_fault": True,
        WRITER_FACT: False, RETRIES_FACT: False, MAPPED_FACT: False,
        "kill_during_readahead_miss": True,
    },
    "hold-fix": {
        "fork_beside_user_fault_random": True, "mmap_munmap_beside_kernel_mode_fault": True,
        WRITER_FACT: False, RETRIES_FACT: False, MAPPED_FACT: False,
        "kill_during_readahead_miss": False,
    },
    "hold-vma": {
        "fork_beside_user_fault_random": True, "mmap_munmap_beside_kernel_mode_fault": False,
        WRITER_FACT: False, RETRIES_FACT: False, MAPPED_FACT: False,
    },
    "hold-until-writer": {
        "fork_beside_user_fault_random": False, "mmap_munmap_beside_kernel_mode_fault": False,
        WRITER_FACT: False, RETRIES_FACT: False, MAPPED_FACT: False,
    },
}  # fmt: skip


def behaves_like(facts: Mapping[str, Fact]) -> str | None:
    """The one shipped policy whose signature agrees with the facts; None otherwise."""
    fitting = [
        policy
        for policy, signature in SIGNATURES.items()
        if all(facts[name].waits == waits for name, waits in signature.items() if name in facts)
    ]
    return fitting[0] if len(fitting) == 1 else None


def parse_facts(text: str) -> tuple[str, dict[str, Fact], bool]:
    """(kernel release, facts by name, whether it finished) from what probe.c printed."""
    release, finished = "", False
    facts: dict[str, Fact] = {}
    for line in text.splitlines():
        words = line.split()
        if line.startswith("KERNEL ") and len(words) == 2:
            release = words[1]
        elif line.startswith("FACT ") and len(words) == 5:
            with suppress(ValueError):  # a line that a kernel message was printed into
                facts[words[1]] = Fact(words[1], float(words[2]), float(words[3]), words[4] == "1")
        elif line.startswith("FINISHED"):
            finished = True
        elif line.startswith("ERROR "):
            raise EnvironmentMissing(f"the probe reports: {line[6:][:300]}")
    return release, facts, finished


def probe_kernel(kernel: Path, limit_s: float = 120.0) -> tuple[str, dict[str, Fact]]:
    """(release, facts) of a kernel image, in QEMU's virtual time.

    Raises GuestFailed, EnvironmentMissing, FaultlockError as run_guest does.
    """
    check_ready(kernel)
    guest = Guest(
        kernel=kernel,
        initramfs=boot_archive(kernel, {"init": build(PROBE).read_bytes()}),
        memory_mib=GUEST_MEMORY_MIB,
        append=f"{APPEND} probe_latency_ns={LATENCY_NS}",
        limit_s=limit_s,
    )
    console = run_guest(guest, lambda line: line.startswith("FINISHED"))
    try:
        release, facts, finished = parse_facts(console)
    except EnvironmentMissing as error:
        what = str(error) + missing_modules(kernel, str(error))
        raise failed(guest, what, console) from None
    if not finished:
        what = (
            "stopped while it was probed" if release else "did not boot as far as the probe (init)"
        )
        raise failed(guest, what, console)
    return release, facts


def probe_host(limit_s: float = 120.0) -> tuple[str, dict[str, Fact]]:
    """(release, facts) of the running kernel, on a FUSE file of ours with the same latency.

    FUSE takes no invalidate_lock, so the fact about it is absent. Raises EnvironmentMissing.
    """
    import subprocess

    from faultlock.measure.on_host import slow_files
    from faultlock.workload import loads

    storage = loads(
        f'duration = "1s"\n[device]\nlatency = "{LATENCY_NS}ns"\nqueue_depth = 128\n'
        '[[files]]\nname = "slow"\nsize = "1TiB"\n[[threads]]\nop = "fork"\n',
        "storage of the probe",
    )
    with slow_files(storage) as slow, tempfile.TemporaryFile("w+") as errors:
        try:
            done = subprocess.run(
                [build(PROBE), str(LATENCY_NS), slow.folder / "slow"],
                stdout=subprocess.PIPE, stderr=errors, text=True, timeout=limit_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise EnvironmentMissing(f"the probe did not end within {limit_s:.0f} s") from None
    release, facts, finished = parse_facts(done.stdout)
    if not finished:
        raise EnvironmentMissing("the probe stopped early; no facts")
    return release, facts
