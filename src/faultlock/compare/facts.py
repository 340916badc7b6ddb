# SPDX-License-Identifier: GPL-2.0-only
"""The workloads behind facts files: one operation beside one fault, in a process of two threads.

One thread does what `beside` says on 256 cold pages; the other sleeps for started_after_ms, then
does the operation once. The names are those of the shipped facts.json and of `faultlock probe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from faultlock.errors import FaultlockError
from faultlock.workload.measurement_scenario import QEMU_CLOCK, kernel_version
from faultlock.workload.read import read_document
from faultlock.workload.schema import Workload

if TYPE_CHECKING:
    from faultlock.compare.kernel_values import Fact
    from faultlock.sim.result import SimResult

OPERATION, BESIDE, OPERATION_THREAD = "operation", "beside", "operation_thread"
# beside -> advice of the cold pages and what the thread does with them; populate_256 maps new ones
BESIDES: dict[str, tuple[str, dict[str, Any]]] = {
    "user_fault_random": ("random", {"op": "touch", "mapping": "data", "access": "sequential"}),
    "user_fault_readahead": ("normal", {"op": "touch", "mapping": "data", "access": "sequential"}),
    "kernel_mode_fault": (
        "normal",
        {"op": "kernel_mode_fault", "mapping": "data", "access": "sequential"},
    ),
    "populate_256": ("normal", {"op": "populate", "mapping": "populated"}),
    "populate_read_256": ("normal", {"op": "populate_read", "mapping": "data"}),
    "willneed_256": ("normal", {"op": "willneed", "mapping": "data"}),
}
OPERATIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "mmap_munmap": ({"op": "mmap_munmap"},),
    "fork": ({"op": "fork"},),
    "mprotect_same_vma": ({"op": "mprotect", "mapping": "data"},),
    "read_maps": ({"op": "read_proc", "proc_file": "maps"},),
    "read_smaps_rollup": ({"op": "read_proc", "proc_file": "smaps_rollup"},),
    "anon_first_touch": (
        {"op": "mmap", "mapping": "anonymous", "which": "own"},
        {"op": "touch", "mapping": "anonymous", "access": "sequential", "write": True},
    ),
    "read_cmdline": ({"op": "read_proc", "proc_file": "cmdline"},),
}


def _known(name: str, known: Sequence[str], fact: Fact, key: str) -> None:
    if name not in known:
        raise FaultlockError(
            f"{fact.file}: {key} {name!r} is not known; set it to one of {', '.join(known)}"
        )


def _mappings(advice: str, beside: str, operation: str) -> list[dict[str, Any]]:
    # mprotect sets READ first: on a VMA that is executable this changes it, as in the measurement
    mappings: list[dict[str, Any]] = [
        {"name": "data", "file": "device", "size": "1MiB", "advice": advice, "executable": "all"}
    ]
    if beside == "populate_256":
        mappings.append({"name": "populated", "file": "device", "offset": "512MiB", "size": "1MiB"})
    if operation == "anon_first_touch":
        mappings.append({"name": "anonymous", "size": "4KiB", "writable": True, "at_start": False})
    return mappings


def workload_of_fact(fact: Fact) -> Workload:
    """The workload whose simulation gives both times of a fact.

    Raises FaultlockError: an operation, a fault or a kernel version that is not known."""
    _known(fact.operation, list(OPERATIONS), fact, "operation")
    _known(fact.beside, list(BESIDES), fact, "beside")
    advice, beside = BESIDES[fact.beside]
    shared = fact.clock == QEMU_CLOCK
    sleep = {"op": "sleep", "time": f"{round(fact.started_after_ms * 1e6)}ns", "timed": False}
    document = {
        "name": f"{fact.operation} beside {fact.beside}",
        # populate waits for each of its readahead windows in turn
        "duration": f"{20 * fact.latency_ns + 1_000_000_000}ns",
        "keep_results": False,
        "kernel": {"version": kernel_version(fact.kernel)},
        "machine": {
            "cpus": fact.cpus,
            "clock": "shared-instructions" if shared else "per-cpu",
            "costs": "qemu-icount" if shared else "native-6.18",
        },
        "device": {"kind": "null_blk", "latency": f"{fact.latency_ns}ns"},
        "files": [{"name": "device", "size": "1GiB"}],
        "mappings": _mappings(advice, fact.beside, fact.operation),
        "threads": [
            {
                "name": OPERATION_THREAD,
                "rounds": 1,
                "round_actor": OPERATION_THREAD,
                "loop": [
                    sleep,
                    *({**item, "actor": OPERATION} for item in OPERATIONS[fact.operation]),
                ],
            },
            {"name": BESIDE, "rounds": 1, "loop": [{**beside, "actor": BESIDE}]},
        ],
    }
    return read_document(document, fact.file, f"{fact.operation} beside {fact.beside}")


def times_of_fact(result: SimResult) -> tuple[float, float]:
    """(operation_ms, rest_of_fault_ms) of a simulated fact.

    Both threads start at time 0. Raises FaultlockError when one of them did not finish."""
    actors = result.actors
    if not (actors[OPERATION_THREAD].n and actors[BESIDE].n):
        raise FaultlockError(
            f"{result.workload} under {result.policy}: does not end; use a smaller latency_ns"
        )
    rest_ns = actors[BESIDE].sum_ns - actors[OPERATION_THREAD].sum_ns
    return actors[OPERATION].sum_ns / 1e6, max(0, rest_ns) / 1e6
