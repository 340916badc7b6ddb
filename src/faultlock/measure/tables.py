# SPDX-License-Identifier: GPL-2.0-only
"""Results of the driver as rows of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from faultlock.units import format_time_ns

Table = tuple[Sequence[str], list[Sequence[object]]]
ACTOR_HEADER = ("actor", "kernel", "n", "per s", "mean", "p50", "p90", "p99", "max")


def time_text(value_us: float) -> str:
    """Microseconds with three significant digits and their unit: 10027.3 -> `10.0ms`."""
    rounded_ns = float(f"{value_us * 1000:.3g}")
    return format_time_ns(rounded_ns)


def actor_table(results: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Table:
    """Header and rows: one row per actor and kernel. results: kernel -> actor -> its numbers."""
    actors = dict.fromkeys(actor for table in results.values() for actor in table)
    rows: list[Sequence[object]] = []
    for actor in actors:
        for kernel, table in results.items():
            values = table.get(actor)
            if values is None:
                continue
            if not values["n"]:
                rows.append((actor, kernel, 0, *["-"] * 6))
                continue
            times = [
                time_text(values[f"{name}_us"]) for name in ("mean", "p50", "p90", "p99", "max")
            ]
            rows.append((actor, kernel, int(values["n"]), f"{values['rate_hz']:.4g}", *times))
    return ACTOR_HEADER, rows


def between_runs(runs: Sequence[Mapping[str, Mapping[str, float]]]) -> Table:
    """Header and rows: how far the runs of one workload lie apart, largest less smallest.

    runs: actor -> its numbers, of each run. An actor that did nothing in one of them is left out.
    """
    rows: list[Sequence[object]] = []
    for actor in runs[0]:
        tables = [run.get(actor, {}) for run in runs]
        if not all(table.get("n") for table in tables):
            continue
        rates = [table["rate_hz"] for table in tables]
        means = [table["mean_us"] for table in tables]
        rows.append(
            (
                actor, f"{fmean(rates):.4g}", f"{_apart_percent(rates):.1f}",
                time_text(fmean(means)), f"{_apart_percent(means):.1f}",
            )
        )  # fmt: skip
    return ("between runs", "per s", "apart %", "mean", "apart %"), rows


def _apart_percent(values: Sequence[float]) -> float:
    return 100 * (max(values) - min(values)) / fmean(values)


def vmstat_table(results: Mapping[str, Mapping[str, int]]) -> Table:
    """Header and rows of /proc/vmstat differences: counters down, kernels across."""
    counters = dict.fromkeys(name for table in results.values() for name in table)
    rows: list[Sequence[object]] = [
        [name, *(table.get(name, "-") for table in results.values())] for name in counters
    ]
    return ["vmstat", *results], rows


def counters_of(scenario: Mapping[str, Any]) -> dict[str, int]:
    """Differences of /proc/vmstat, then the events that tracefs counted, each named so."""
    counted = {f"tracefs {name}": n for name, n in scenario.get("tracefs", {}).items()}
    return {**scenario.get("vmstat", {}), **counted}


def notes_of(scenario: Mapping[str, Any]) -> list[str]:
    """Sentences about what went differently: settings, failures, what hangs or was killed."""
    notes = [*scenario.get("notes", [])]
    notes += [
        f"{n} operations of {actor} failed" for actor, n in scenario.get("failures", {}).items()
    ]
    if scenario.get("hanging_threads"):
        notes.append(f"{scenario['hanging_threads']} threads did not end in time: they hang")
    notes += [f"process {name} cannot be ended: it hangs" for name in scenario.get("hanging", [])]
    notes += [f"process {name} was killed" for name in scenario.get("killed", [])]
    return notes
