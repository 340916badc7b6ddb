# SPDX-License-Identifier: GPL-2.0-only
"""A scenario of a measurement file (schema faultlock-measurement/1) as a workload.

So the simulator can be held against a measurement without any other input. The parameters are
those of the shipped ground truth: numbers of threads by what they do, VMAs, advice, think times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faultlock.errors import FaultlockError
from faultlock.units import PAGE_BYTES
from faultlock.workload.library import override
from faultlock.workload.read import read_document
from faultlock.workload.schema import Workload

ACCESS = {"r": "random", "o": "own", "s": "sequential", "h": "herd"}
ADVICE = ("normal", "random", "sequential")
QEMU_CLOCK = "qemu-icount-1ns-per-instruction"
DEFAULT_FILE_PAGES = 16 << 20
DEFAULT_MEMORY_MIB = 3072
# operation, key of the thread count, extra keys, whether its think time is think_fault_us
_THREADS: tuple[tuple[str, str, dict[str, Any], bool], ...] = (
    ("touch", "fault_threads", {}, True),
    ("fork", "fork_threads", {}, False),
    ("mmap_munmap", "mmap_threads", {}, False),
    ("mprotect", "mprotect_threads", {}, False),
    ("read_proc", "smaps_threads", {"proc_file": "smaps_rollup"}, False),
    ("anon_touch", "anon_threads", {}, False),
)
# nr_active_file of 32,768 pages of memory after two seconds with readahead, half of it executable.
ACTIVE_AFTER_SEQUENTIAL = 0.62
ACTIVE_AFTER_RANDOM = 0.2


def _number(table: Mapping[str, Any], key: str, where: str, default: float | None = None) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FaultlockError(f"{where}: {key} must be a number, not {value!r}")
    return value


def think_text(think_us: float) -> str:
    """Think time of the measurement files: negative means uniform between 0 and twice its size."""
    if think_us < 0:
        return f"uniform(0, {-2 * int(think_us)}us)"
    return f"{int(think_us)}us"


def _threads(params: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    access = params.get("access", "r")
    if access not in ACCESS:
        raise FaultlockError(
            f"{where}: access {access!r} is not known (allowed: {', '.join(ACCESS)})"
        )
    threads: list[dict[str, Any]] = []
    for op, count_key, extra, is_fault in _THREADS:
        count = int(_number(params, count_key, where, 0))
        if not count:
            continue
        group: dict[str, Any] = {"op": op, "count": count, **extra}
        if is_fault:
            group["access"] = ACCESS[access]
        think = _number(params, "think_fault_us" if is_fault else "think_other_us", where, 0)
        if think:
            group["think"] = think_text(think)
        threads.append(group)
    return threads


def document(
    params: Mapping[str, Any],
    *,
    name: str,
    latency_ns: int,
    where: str,
    file_pages: int = DEFAULT_FILE_PAGES,
    memory_mib: int = DEFAULT_MEMORY_MIB,
    cpus: int = 1,
    queue_depth: int = 128,
    submit_queues: int = 2,
    version: str = "6.12",
    shared_instructions: bool = True,
) -> dict[str, Any]:
    """The TOML document of a scenario; `where` appears in messages. Raises FaultlockError."""
    advice = int(_number(params, "advice", where, 0))
    if advice not in range(len(ADVICE)):
        raise FaultlockError(
            f"{where}: advice {advice} is not known (0 normal, 1 random, 2 sequential)"
        )
    seconds = _number(params, "seconds", where)
    return {
        "name": name,
        "duration": f"{round(seconds * 1e9)}ns",
        "kernel": {"version": version},
        "machine": {
            "cpus": cpus,
            "clock": "shared-instructions" if shared_instructions else "per-cpu",
            "memory": f"{memory_mib}MiB",
            "costs": "qemu-icount" if shared_instructions else "native-6.18",
        },
        "device": {
            "kind": "null_blk",
            "latency": f"{latency_ns}ns",
            "queue_depth": queue_depth,
            "submit_queues": submit_queues,
        },
        "files": [{"name": "device", "size": f"{file_pages * PAGE_BYTES}B"}],
        "mappings": [
            {
                "name": "data",
                "file": "device",
                "count": int(_number(params, "vmas", where)),
                "executable": "odd",
                "advice": ADVICE[advice],
            }
        ],
        "threads": _threads(params, where),
    }


def kernel_version(kernel: str) -> str:
    """`linux-6.12.117` -> `6.12`; other versions take the newest known rules that are not newer."""
    digits = kernel.removeprefix("linux-").split("-")[0].split(".")
    try:
        number = int(digits[0]) * 100 + int(digits[1])
    except (ValueError, IndexError):
        raise FaultlockError(
            f"kernel {kernel!r} has no version (write for example linux-6.12.117)"
        ) from None
    if number >= 700:
        return "7.0"
    return "6.18" if number >= 615 else "6.12"


def workload_of_scenario(
    measurement: Mapping[str, Any], scenario: Mapping[str, Any], where: str
) -> Workload:
    """The workload that produced `scenario` of `measurement`; `where` (file) is for messages.

    A scenario that carries its own workload document (`faultlock measure` writes it) uses that.
    Raises FaultlockError naming what is missing or unknown.
    """
    name = str(scenario.get("name", ""))
    place = f"{where}: scenario {name!r}"
    own = scenario.get("workload")
    if isinstance(own, Mapping):
        workload = read_document(own, place, name)
        seconds = _number(scenario.get("params", {}), "seconds", place)
        return override(workload, "duration", f"{round(seconds * 1e9)}ns")
    params = scenario.get("params")
    device = measurement.get("device")
    if not isinstance(params, Mapping) or not isinstance(device, Mapping):
        raise FaultlockError(f"{place}: params or device is missing (not a complete measurement)")
    built = document(
        params,
        name=name,
        where=place,
        latency_ns=int(_number(device, "latency_ns", place)),
        file_pages=int(_number(measurement, "file_pages", place, DEFAULT_FILE_PAGES)),
        memory_mib=int(_number(measurement, "memory_mib", place, DEFAULT_MEMORY_MIB)),
        cpus=int(_number(measurement, "cpus", place, 1)),
        queue_depth=int(_number(device, "queue_depth", place, 128)),
        submit_queues=int(_number(device, "submit_queues", place, 1)),
        version=kernel_version(str(measurement.get("kernel", ""))),
        shared_instructions=measurement.get("clock") == QEMU_CLOCK,
    )
    stale = _stale_active_bytes(measurement, name, place)
    if stale:
        built["page_cache"] = {"stale_active": f"{stale}B"}
    return read_document(built, place, name)


def _stale_active_bytes(measurement: Mapping[str, Any], name: str, where: str) -> int:
    """What the kernel believed the active list to be when this scenario began.

    The scenarios of a measurement follow each other within one boot.  When memory is short, pages
    of executable mappings end on the active list unless advice says that they are not needed
    again; /proc/vmstat of a guest of 128 MiB after such a scenario says how many.  That memory was
    short is known from what was read.
    """
    memory = int(_number(measurement, "memory_mib", where, DEFAULT_MEMORY_MIB)) << 20
    before = _scenario_before(measurement, name)
    params, vmstat = before.get("params"), before.get("vmstat")
    if not isinstance(params, Mapping) or not isinstance(vmstat, Mapping):
        return 0
    read = int(_number(vmstat, "pgpgin", where, 0)) << 10
    if read < memory or params.get("advice") != 0:
        return 0
    share = ACTIVE_AFTER_SEQUENTIAL if params.get("access") == "s" else ACTIVE_AFTER_RANDOM
    return int(share * memory)


def _scenario_before(measurement: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    before: Mapping[str, Any] = {}
    scenarios = measurement.get("scenarios")
    for scenario in scenarios if isinstance(scenarios, list) else []:
        if isinstance(scenario, Mapping):
            if scenario.get("name") == name:
                return before
            before = scenario
    return {}
