# SPDX-License-Identifier: GPL-2.0-only
"""What our FUSE file system adds to a read on one host beyond its server's CPU time: wake-ups.

It is time, not CPU time, so no cost can stand for it. `faultlock calibrate` finds it from one
faulting thread alone and writes it into the cost file as `[host] read_added_ns`; a run on a host
with such a cost file has it added to its latency.
"""

from __future__ import annotations

import tomllib

from faultlock.errors import FaultlockError
from faultlock.sim.cost import MAX_COST_NS, cost_path
from faultlock.workload import overrides
from faultlock.workload.distribution import Distribution
from faultlock.workload.schema import Workload

BINS = 256


def read_added_ns(costs: str) -> int:
    """ns added to each read on the host of cost table `costs` (shipped or file); 0 when not said.

    Raises FaultlockError: no such table, or no number.
    """
    path = cost_path(costs)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("host", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError, RecursionError) as error:
        raise FaultlockError(f"{path}: not a readable cost file: {str(error)[:200]}") from None
    value = table.get("read_added_ns", 0) if isinstance(table, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise FaultlockError(f"{path}: host.read_added_ns: {value!r} is not a number of ns")
    return round(min(value, MAX_COST_NS))


def added_text(latency: Distribution, added_ns: int) -> str:
    """The distribution `latency`, each value later by added_ns, as `--set` takes it."""
    if latency.kind in ("constant", "uniform"):
        low, high = latency.low_ns + added_ns, latency.high_ns + added_ns
        return f"{low}ns" if latency.kind == "constant" else f"uniform({low}ns, {high}ns)"
    values = [round(latency.quantile_ns((i + 0.5) / BINS)) + added_ns for i in range(BINS)]
    bounds = sorted(set(values))
    counts = [values.count(bound) for bound in bounds]
    written = ", ".join(f'"{bound}ns"' for bound in bounds)
    # A bin is uniform from the bound before it: the first one begins at its own smallest value.
    low = max(bounds[0] - 1, 0)
    return f'{{ low = "{low}ns", upper_bounds = [{written}], counts = {counts} }}'


def later(workload: Workload, added_ns: int) -> Workload:
    """The workload with added_ns more in every latency: the device's, a file's, a server's."""
    if not added_ns:
        return workload
    settings = [f"device.latency={added_text(workload.device.latency, added_ns)}"]
    settings += [
        f"files.{index}.latency={added_text(file.latency, added_ns)}"
        for index, file in enumerate(workload.files)
        if file.latency
    ]
    settings += [
        f"threads.{index}.loop.{place}.time={added_text(operation.time, added_ns)}"
        for index, group in enumerate(workload.threads)
        for place, operation in enumerate(group.loop)
        if operation.op == "fuse_reply"
    ]
    return overrides(workload, settings)
