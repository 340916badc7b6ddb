# SPDX-License-Identifier: GPL-2.0-only
"""The tables, sentences and page of `replay`, from its JSON form.

Names of threads are those of the recording: a stranger's. The tables have them escaped for a
terminal, the page escapes them for HTML besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from faultlock.report import page as html
from faultlock.report.check_page import add_policy_diff
from faultlock.report.compare_page import BASE, blocked_bars, latency_plots, wait_chains
from faultlock.report.plots import stacked_bars
from faultlock.report.tables import Table, actor_rows, counter_rows, significant
from faultlock.trace.printable import printable

Result = Mapping[str, Any]
FAULTS = ("fault", "kernel_fault")
MOST_THREADS = 50
RECORDED = "recorded"
ALIKE = 0.02
_CALLS = ("fork", "mmap", "mprotect")


def total_rows(result: Result) -> Table:
    """The recording and each policy: how long the whole took, what was waited for."""
    header = ["policy", "elapsed_s", "blocked_s", "major", "fault_us_max", "fork_us_max"]
    header += ["mmap_us_max", "mprotect_us_max", "lock_wait_ms"]
    recorded = result["recorded"]
    rows = [_total_row(RECORDED, recorded, _longest(result["recorded_threads"]), "-")]
    for policy, entry in result["policies"].items():
        locks_us = sum(
            row["sum_us"]
            for lock, roots in entry["waits"].items()
            if lock in ("mmap_lock", "vma_lock")
            for row in roots.values()
        )
        locks = f"{locks_us / 1e3:.3f}"
        rows.append(_total_row(policy, entry, _longest(entry["threads"]), locks))
    return header, rows


def _total_row(
    name: str, figures: Mapping[str, Any], longest: Mapping[str, float], locks: str
) -> list[str]:
    worst = [f"{longest.get(kind, 0.0):.0f}" for kind in ("fault", *_CALLS)]
    return [
        name,
        f"{figures['elapsed_s']:.3f}",
        f"{figures['blocked_s']:.3f}",
        f"{figures['major_faults']:.0f}",
        *worst,
        locks,
    ]


def _longest(threads: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Kind of operation -> the longest one of any thread, us."""
    found: dict[str, float] = {}
    for thread in threads:
        for kind, times in thread["operations"].items():
            found[kind] = max(found.get(kind, 0.0), times["max_us"])
    return found


def label(thread: Mapping[str, Any]) -> str:
    """A thread by name and number."""
    return f"{printable(thread['name'], 40)}-{thread['tid']}"


def blocked_us(thread: Mapping[str, Any]) -> float:
    """Asleep in faults."""
    operations = thread["operations"]
    return float(sum(operations[kind]["blocked_us"] for kind in FAULTS if kind in operations))


def most_blocked(result: Result, top: int) -> list[int]:
    """Positions of the threads that any policy (or the recording) keeps longest in faults."""
    columns = [result["recorded_threads"]]
    columns += [entry["threads"] for entry in result["policies"].values()]
    worst = [max(map(blocked_us, rows)) for rows in zip(*columns, strict=True)]
    order = sorted(range(len(worst)), key=lambda number: (-worst[number], number))
    return order[:top] if top else order


def interval_rows(result: Result) -> Table:
    """Each policy's mean figures over the replications, with their 95 % intervals."""
    names = ("elapsed_s", "blocked_s", "major_faults")
    header = ["policy", *(cell for name in names for cell in (name, "from", "to"))]
    rows = []
    for policy, figures in result["intervals"].items():
        cells = [figures[name][part] for name in names for part in ("mean", "low", "high")]
        rows.append([policy, *(f"{value:.3f}" for value in cells)])
    return header, rows


def _alike(cells: list[str], base: list[str]) -> bool:
    """Do all figures differ by at most 2 %?"""
    for cell, other in zip(cells, base, strict=True):
        if "-" in (cell, other):
            if cell != other:
                return False
        elif abs(float(cell) - float(other)) > ALIKE * abs(float(other)):
            return False
    return True


def thread_rows(result: Result, top: int) -> Table:
    """The most blocked threads (0: all), each as recorded and under the policies.

    A policy under which a thread does as under the first one (within 2 %) has no row.
    """
    header = ["thread", "policy", "ended_s", "faults", "blocked_ms", "fault_us_max"]
    header += [f"{kind}_us_max" for kind in _CALLS]
    rows = []
    for number in most_blocked(result, top):
        sources = {RECORDED: result["recorded_threads"][number]}
        sources |= {policy: e["threads"][number] for policy, e in result["policies"].items()}
        base: list[str] | None = None
        for policy, thread in sources.items():
            operations = thread["operations"]
            faults = sum(operations[kind]["n"] for kind in FAULTS if kind in operations)
            longest = [
                f"{operations[kind]['max_us']:.0f}" if kind in operations else "-"
                for kind in ("fault", *_CALLS)
            ]
            times = [f"{thread['ended_s']:.3f}", f"{faults}", f"{blocked_us(thread) / 1e3:.3f}"]
            cells = [*times, *longest]
            if base is not None and _alike(cells, base):
                continue
            rows.append([label(thread), policy, *cells])
            if policy != RECORDED and base is None:
                base = cells
    return header, rows


def sentences(result: Result) -> list[str]:
    """What the policies would do to the application, compared with the first of them."""
    policies = result["policies"]
    base_name, base = next(iter(policies.items()))
    said = [
        f"{printable(result['trace'])} took {result['recorded']['elapsed_s']:.3f} s when it was "
        f"recorded; the replay under {base_name} takes {base['elapsed_s']:.3f} s, "
        f"{base['blocked_s']:.3f} s of all threads asleep in faults."
    ]
    for policy, entry in policies.items():
        if policy == base_name:
            continue
        said.append(
            f"{policy}: {_compared(entry['elapsed_s'], base['elapsed_s'])} in all, "
            f"{_compared(entry['blocked_s'], base['blocked_s'])} asleep in faults."
        )
    signals: dict[str, list[str]] = {}
    for policy, entry in policies.items():
        counts = ", ".join(f"{count} {signal}" for signal, count in entry["errors"].items())
        if counts:
            signals.setdefault(counts, []).append(policy)
        if not entry["finished"]:
            said.append(f"{policy}: given up, it took far longer than the recording.")
    for counts, names in signals.items():
        who = "every policy" if len(names) == len(policies) else ", ".join(names)
        said.append(f"Touches that ended with a signal under {who}: {counts}.")
    return said


def _compared(value: float, base: float) -> str:
    if base <= 0 or abs(value / base - 1) < 0.0005:
        return f"{value:.3f} s (the same)" if value == base or base > 0 else f"{value:.3f} s"
    return f"{value:.3f} s ({(value / base - 1) * 100:+.1f} %)"


def replay_page(result: Result, command: str) -> str:
    """The page for a `replay --json` result; `command` makes it again."""
    policies = result["policies"]
    page = html.Page(f"faultlock replay: {printable(result['trace'])}", sentences(result))
    page.add("In total", html.table(*total_rows(result)))
    if "intervals" in result:
        runs = f"Means of {result['replications']} replications, 95 % intervals"
        page.add(runs, html.table(*interval_rows(result)))
    timed = _timed(policies)
    page.add("Latencies", *latency_plots(timed), html.table(*actor_rows(timed)))
    page.add(
        f"Per thread, the {MOST_THREADS} most blocked",
        stacked_bars("Asleep in faults, by thread", _by_thread(result), "s"),
        html.table(*thread_rows(result, MOST_THREADS)),
    )
    if any(entry["waits"] for entry in policies.values()):
        page.add("Time blocked", *blocked_bars(policies))
    if any(entry["chains"] for entry in policies.values()):
        page.add("Who waited for whom", *wait_chains(policies))
    page.add("Counters", html.table(*counter_rows(policies)))
    for policy in policies:
        add_policy_diff(page, BASE, policy)
    notes = [_device_note(result), f"Seed {result['seed']}: the same seed gives the same bytes."]
    page.add("How to reproduce", html.reproduce([command], notes))
    return html.render(page)


def _timed(policies: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without what only computes or sleeps, and without calls that the application did not make."""
    left_out = ("none", "sleep", "exit")
    made = {
        kind
        for entry in policies.values()
        for kind, times in entry["actors"].items()
        if times["n"] and kind not in left_out
    }
    return {
        policy: {
            **entry,
            "actors": {kind: times for kind, times in entry["actors"].items() if kind in made},
        }
        for policy, entry in policies.items()
    }


def _by_thread(result: Result) -> dict[str, dict[str, float]]:
    """Policy -> the most blocked threads -> seconds; the rest as one."""
    shown = most_blocked(result, 8)
    found = {}
    columns = {RECORDED: result["recorded_threads"]}
    columns |= {policy: entry["threads"] for policy, entry in result["policies"].items()}
    for policy, threads in columns.items():
        bars = {label(threads[number]): blocked_us(threads[number]) / 1e6 for number in shown}
        rest = sum(blocked_us(t) for n, t in enumerate(threads) if n not in shown) / 1e6
        found[policy] = {**bars, **({"all others": rest} if rest else {})}
    return found


def _device_note(result: Result) -> str:
    device = result["device_figures"]
    return (
        f"Device {result['device']}: {significant(device['latency_us'])} us, "
        f"{significant(device['bandwidth_bytes_per_s'] / 1e6)} MB/s"
        + (
            "; a read that was recorded takes as long as it took."
            if result["device"] == RECORDED
            else "."
        )
    )
