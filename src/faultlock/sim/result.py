# SPDX-License-Identifier: GPL-2.0-only
"""What a simulation found: latencies and rates, counters, waits, wait chains; as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faultlock.sim import arrays as a
from faultlock.sim.callers import describe

QUANTILES = (
    ("p10_us", 0.1),
    ("p50_us", 0.5),
    ("p90_us", 0.9),
    ("p99_us", 0.99),
    ("p999_us", 0.999),
)
VMSTAT = {
    "pgfault": "PGFAULT",
    "pgmajfault": "PGMAJFAULT",
    "vma_lock_success": "VMA_LOCK_SUCCESS",
    "vma_lock_abort": "VMA_LOCK_ABORT",
    "vma_lock_retry": "VMA_LOCK_RETRY",
    "vma_lock_miss": "VMA_LOCK_MISS",
}
# Only shown where they are not 0: memory was short, or FOLL_NOWAIT did not keep its promise.
VMSTAT_RARE = {
    "nowait_sleeps": "NOWAIT_SLEEP",
    "allocstall": "ALLOCSTALL",
    "pgscan_direct_throttle": "PGSCAN_DIRECT_THROTTLE",
    "memcg_high": "MEMCG_HIGH",
    "memcg_max": "MEMCG_MAX",
    "memcg_throttle": "MEMCG_THROTTLE",
}
# The same, in pages: the events' first argument.
VMSTAT_PAGES = {
    "pgscan_direct": "PGSCAN_DIRECT",
    "pgscan_kswapd": "PGSCAN_KSWAPD",
    "pgsteal_direct": "PGSTEAL_DIRECT",
    "pgsteal_kswapd": "PGSTEAL_KSWAPD",
    "pgactivate": "PGACTIVATE",
    "pgdeactivate": "PGDEACTIVATE",
    "pgrefill": "PGREFILL",
    "workingset_refault_file": "WORKINGSET_REFAULT",
    "workingset_activate_file": "WORKINGSET_ACTIVATE",
}
PLAIN_LOCKS = ("i_rwsem",)
ROOTS = ("io", "running", "waiting for a CPU", "sleeping", "unknown", "cycle", "own io")


@dataclass
class Distribution:
    """Times of one actor (or wait): log buckets of at most 0.8 % and exact n, sum, min, max."""

    buckets: Any
    n: int
    sum_ns: int
    min_ns: int
    max_ns: int

    @property
    def mean_us(self) -> float:
        return self.sum_ns / self.n / 1e3 if self.n else 0.0

    def quantile_us(self, share: float) -> float:
        """The value below which `share` of all lie, interpolated within its bucket."""
        if not self.n:
            return 0.0
        cumulated = np.cumsum(self.buckets)
        wanted = share * self.n
        index = int(np.searchsorted(cumulated, wanted, side="right"))
        index = min(index, len(self.buckets) - 1)
        low, high = bucket_bounds(index)
        inside = self.buckets[index]
        before = cumulated[index] - inside
        part = (wanted - before) / inside if inside else 0.0
        value = low + part * (high - low)
        return float(min(max(value, self.min_ns), self.max_ns) / 1e3)

    def merged(self, other: Distribution) -> Distribution:
        """Both together."""
        mins = [item.min_ns for item in (self, other) if item.n]
        return Distribution(
            self.buckets + other.buckets,
            self.n + other.n,
            self.sum_ns + other.sum_ns,
            min(mins, default=0),
            max(self.max_ns, other.max_ns),
        )

    def table(self, seconds: float) -> dict[str, float]:
        """n, rate, mean, percentiles and max, as in a measurement."""
        row: dict[str, float] = {
            "n": self.n,
            "rate_hz": round(self.n / seconds, 3),
            "mean_us": round(self.mean_us, 3),
        }
        row.update({name: round(self.quantile_us(share), 1) for name, share in QUANTILES})
        row["max_us"] = round(self.max_ns / 1e3, 1)
        return row


@dataclass
class SimResult:
    """The result of one run, or of several merged ones."""

    workload: str
    policy: str
    seed: int
    seconds: float
    actors: dict[str, Distribution]
    vmstat: dict[str, int]
    waits: dict[str, dict[str, dict[str, float]]]
    chains: list[dict[str, Any]]
    replications: int = 1
    events: int = 0
    busy: list[float] = field(default_factory=list)
    blocked_by_actor: dict[str, dict[str, float]] = field(default_factory=dict)

    def tables(self) -> dict[str, dict[str, float]]:
        """{actor: {n, rate_hz, mean_us, ...}}."""
        return {name: times.table(self.seconds) for name, times in self.actors.items()}

    def document(self) -> dict[str, Any]:
        """One policy's part of `compare --json`: no host time in it."""
        return {
            "actors": self.tables(),
            "vmstat": self.vmstat,
            "waits": self.waits,
            "blocked_by_actor": self.blocked_by_actor,
            "chains": self.chains,
        }


def without_callers(result: dict[str, Any]) -> dict[str, Any]:
    """A compare document in its published form: text and pages say more about a chain's links
    (who called the lock functions) than `--json` does."""
    policies = {}
    for name, entry in result["policies"].items():
        chains = []
        for chain in entry["chains"]:
            links = [
                {key: value for key, value in link.items() if key not in ("caller", "taken")}
                for link in chain["links"]
            ]
            chains.append({**chain, "links": links})
        policies[name] = {**entry, "chains": chains}
    return {**result, "policies": policies}


def bucket_bounds(index: int) -> tuple[int, int]:
    """The times in ns that fall into bucket `index`: low <= x < high."""
    size = a.BUCKETS_PER_DOUBLING
    if index < 2 * size:
        return index, index + 1
    shift = index // size - 1
    low = (size + index % size) << shift
    return low, low + (1 << shift)


def kind_of(engine: a.Engine, struct: int, reference: int) -> int:
    """As records.kind_of, without compiling it."""
    kinds = [
        (int(engine.kind_offset[kind]), kind)
        for kind in range(a.LOCK_KINDS)
        if engine.kind_struct[kind] == struct > 0 and engine.kind_offset[kind] < reference
    ]
    return max(kinds, default=(0, a.LOCK_KINDS))[1]


def collect(simulation: Any) -> SimResult:
    """The result of a simulation that has run."""
    engine, workload = simulation.engine, simulation.workload
    seconds = workload.duration_ns / 1e9
    actors = {}
    for number, name in enumerate(simulation.actors):
        n, total, low, high = (int(value) for value in engine.totals[number])
        actors[name] = Distribution(engine.buckets[number].copy(), n, total, low, high)
    return SimResult(
        workload.name,
        simulation.policy,
        simulation.seed,
        seconds,
        actors,
        _vmstat(simulation),
        _waits(simulation),
        _chains(simulation),
        events=int(engine.scalars[a.EVENTS_DONE]),
        busy=[float(ns) / workload.duration_ns for ns in engine.busy_ns],
        blocked_by_actor=_blocked_by_actor(simulation),
    )


def _vmstat(simulation: Any) -> dict[str, int]:
    names = {name: number for number, name in enumerate(simulation.program.event_names)}
    column = 2 if simulation.engine.scalars[a.STOPPED] else 0
    counts = simulation.engine.event_count
    found = {
        key: int(counts[names[event], column]) for key, event in VMSTAT.items() if event in names
    }
    for table, counted in ((VMSTAT_RARE, column), (VMSTAT_PAGES, column + 1)):
        for key, event in table.items():
            if event in names and counts[names[event], counted]:
                found[key] = int(counts[names[event], counted])
    if "IO_SUBMIT" in names:
        found["reads"] = int(counts[names["IO_SUBMIT"], column])
    hung = int(simulation.engine.scalars[a.RUNNING_THREADS])
    if hung > 0:  # threads that had not ended their last operation two seconds after the end
        found["hung_threads"] = hung
    found["redo_lookups"] = int(counts[names["FAULT_REDO"], column]) if "FAULT_REDO" in names else 0
    if "PGMAJFAULT" in names:  # its argument is 1 for a redo: the page that was read is gone
        found["redo_misses"] = int(counts[names["PGMAJFAULT"], column + 1])
    return found


def lock_names(program: Any) -> dict[int, str]:
    """Lock kind of the model -> its name in reports."""
    names = {}
    for constant, number in program.constants.items():
        if constant.startswith("LOCK_") and number is not None and number < a.LOCK_KINDS:
            name = constant.removeprefix("LOCK_").lower()
            names[number] = name if name in PLAIN_LOCKS else f"{name}_lock"
    names[a.LOCK_KINDS] = "other"
    return names


def _waits(simulation: Any) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = {}
    rows, names = simulation.engine.waits, lock_names(simulation.program)
    for kind, root in zip(*np.nonzero(rows[:, :, 0]), strict=True):
        n, total, worst = (int(value) for value in rows[kind, root])
        found.setdefault(names[int(kind)], {})[ROOTS[root]] = {
            "n": n,
            "sum_us": round(total / 1e3, 3),
            "max_us": round(worst / 1e3, 3),
        }
    return found


def _blocked_by_actor(simulation: Any) -> dict[str, dict[str, float]]:
    """{actor: {root cause: microseconds its operations were blocked}}; "own io" is a read that
    the actor started itself, "io" waiting for one of another thread."""
    rows = simulation.engine.actor_waits
    return {
        name: {
            ROOTS[root]: round(int(rows[number, root]) / 1e3, 3)
            for root in np.nonzero(rows[number])[0]
        }
        for number, name in enumerate(simulation.actors)
    }


def _chains(simulation: Any) -> list[dict[str, Any]]:
    engine, prepared, program = simulation.engine, simulation.prepared, simulation.program
    found: list[dict[str, Any]] = []
    locks = lock_names(program)
    order = np.argsort(-engine.chain_size[:, 0], kind="stable")
    for worst in order:
        duration, depth, root = (int(value) for value in engine.chain_size[worst])
        if not duration:
            continue
        links = []
        for row in engine.chains[worst, :depth].tolist():
            who, struct, reference, since, label, holder, held_since, caller, held_label = row
            links.append(
                {
                    "thread": prepared.names[who - 1],
                    "waits_for": locks[kind_of(engine, struct, reference)],
                    "number": reference,
                    **describe(program, label),
                    "caller": describe(program, caller),
                    "since_us": round(since / 1e3, 1),
                    "holder": prepared.names[holder - 1] if holder else "",
                    "held_since_us": round(held_since / 1e3, 1) if holder else None,
                    "taken": describe(program, held_label) if holder else None,
                }
            )
        found.append(
            {"duration_us": round(duration / 1e3, 1), "root": ROOTS[root], "links": links}
        )
    return found


def merge(results: Sequence[SimResult]) -> SimResult:
    """Replications of one workload and policy as one result (times pooled, counters summed)."""
    first = results[0]
    actors = dict(first.actors)
    vmstat = dict(first.vmstat)
    waits = {
        lock: {root: dict(row) for root, row in rows.items()} for lock, rows in first.waits.items()
    }
    chains = list(first.chains)
    for result in results[1:]:
        for name, times in result.actors.items():
            actors[name] = actors[name].merged(times)
        for key, value in result.vmstat.items():
            vmstat[key] = vmstat.get(key, 0) + value
        for lock, rows in result.waits.items():
            for root, row in rows.items():
                own = waits.setdefault(lock, {}).setdefault(
                    root, {"n": 0, "sum_us": 0.0, "max_us": 0.0}
                )
                own["n"] += row["n"]
                own["sum_us"] = round(own["sum_us"] + row["sum_us"], 3)
                own["max_us"] = max(own["max_us"], row["max_us"])
        chains += result.chains
    chains.sort(key=lambda chain: -chain["duration_us"])
    return SimResult(
        first.workload,
        first.policy,
        first.seed,
        sum(result.seconds for result in results),
        actors,
        vmstat,
        waits,
        chains[: a.WORST_CHAINS],
        len(results),
        sum(result.events for result in results),
        list(np.mean([result.busy for result in results], axis=0)),
        _added(results),
    )


def _added(results: Sequence[SimResult]) -> dict[str, dict[str, float]]:
    """Time blocked by actor and root cause, over all results."""
    found: dict[str, dict[str, float]] = {}
    for result in results:
        for actor, roots in result.blocked_by_actor.items():
            own = found.setdefault(actor, {})
            for root, us in roots.items():
                own[root] = round(own.get(root, 0.0) + us, 3)
    return found
