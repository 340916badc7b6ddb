# SPDX-License-Identifier: GPL-2.0-only
"""From the rows of a sweep to its table and its heat maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from faultlock.errors import FaultlockError
from faultlock.sweep.cell import Row

METRICS = ("rate_hz", "mean_us", "p10_us", "p50_us", "p90_us", "p99_us", "p999_us", "max_us")


@dataclass(frozen=True)
class Point:
    """One metric of one actor in one cell: mean over the seeds, half of its 95 % interval.

    `half_width` is None with a single seed.
    """

    policy: str
    settings: tuple[tuple[str, str], ...]
    actor: str
    value: float
    half_width: float | None
    seeds: int


@dataclass(frozen=True)
class HeatMap:
    """`values[row][column]`, None where nothing is known; `what` says what a value is."""

    title: str
    what: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


def parse_metric(text: str) -> tuple[str, str]:
    """`fork.p99_us` -> ("fork", "p99_us").  Raises FaultlockError on another form."""
    actor, _, metric = text.rpartition(".")
    if not actor or metric not in METRICS:
        raise FaultlockError(
            f"--metric {text[:60]!r}: write ACTOR.METRIC, for example fork.p99_us "
            f"(metrics: {', '.join(METRICS)})"
        )
    return actor, metric


def points(rows: Sequence[Row], keys: Sequence[str], metric: str) -> list[Point]:
    """The metric of every actor in every cell, mean over seeds (Student's t interval)."""
    groups: dict[tuple[str, tuple[tuple[str, str], ...], str], list[float]] = {}
    for row in rows:
        settings = tuple((key, str(row[key])) for key in keys)
        group = (str(row["policy"]), settings, str(row["actor"]))
        if row["n"] and row.get(metric) is not None:
            groups.setdefault(group, []).append(float(row[metric]))
    return [
        Point(policy, settings, actor, sum(values) / len(values), _half_width(values), len(values))
        for (policy, settings, actor), values in groups.items()
    ]


# Student's t, two-sided 95 %, for 1 ... 30 degrees of freedom; beyond that the normal 1.96.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def _half_width(values: Sequence[float]) -> float | None:
    count = len(values)
    if count < 2:
        return None
    mean = sum(values) / count
    variance = sum((value - mean) ** 2 for value in values) / (count - 1)
    factor = _T95[count - 2] if count - 1 <= len(_T95) else 1.96
    return factor * math.sqrt(variance / count)


def heat_maps(
    found: Sequence[Point], grid: dict[str, list[str]], policies: Sequence[str], actor: str
) -> list[HeatMap]:
    """One map per policy after the first: its value divided by the first policy's; with one
    policy its value.  The first setting goes down, the second across; further ones get a map
    for each of their values."""
    keys = list(grid)
    down, across, rest = keys[0] if keys else "", keys[1] if len(keys) > 1 else "", keys[2:]
    table = {(p.policy, p.settings): p.value for p in found if p.actor == actor}
    shown = list(policies[1:]) or list(policies)
    maps = []
    for policy in shown:
        for fixed in _combinations(rest, grid):
            values = []
            for row in grid.get(down, [""]):
                line: list[float | None] = []
                for column in grid.get(across, [""]):
                    chosen = {**dict(fixed), **({down: row} if down else {}),
                              **({across: column} if across else {})}
                    settings = tuple((key, chosen[key]) for key in keys)
                    line.append(_ratio(table, policy, policies, settings))
                values.append(tuple(line))
            said = "".join(f", {key}={value}" for key, value in fixed)
            what = f"divided by {policies[0]}" if len(policies) > 1 else "value"
            maps.append(
                HeatMap(f"{policy}{said}", what, _labels(down, grid), _labels(across, grid),
                        tuple(values))
            )
    return maps


def _labels(key: str, grid: dict[str, list[str]]) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for value in grid[key]) if key else ("",)


def _combinations(
    keys: Sequence[str], grid: dict[str, list[str]]
) -> list[tuple[tuple[str, str], ...]]:
    found: list[tuple[tuple[str, str], ...]] = [()]
    for key in keys:
        found = [(*one, (key, value)) for one in found for value in grid[key]]
    return found


def _ratio(
    table: dict[tuple[str, tuple[tuple[str, str], ...]], float],
    policy: str,
    policies: Sequence[str],
    settings: tuple[tuple[str, str], ...],
) -> float | None:
    value = table.get((policy, settings))
    if len(policies) < 2 or value is None:
        return value
    base = table.get((policies[0], settings))
    return value / base if base else None
