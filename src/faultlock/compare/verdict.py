# SPDX-License-Identifier: GPL-2.0-only
"""What a comparison says, in words: which actor is slower under which policy, and why."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

NOTABLE_RATIO = 1.2


def format_us(value: float) -> str:
    """A time given in microseconds with its best unit: 1.4 ms."""
    for limit, unit, divisor in ((1e3, "us", 1.0), (1e6, "ms", 1e3)):
        if value < limit:
            return f"{value / divisor:.3g} {unit}"
    return f"{value / 1e6:.3g} s"


def io_share(result: Mapping[str, Any]) -> float | None:
    """Share of the time blocked on kernel locks whose root cause is I/O; None when no time."""
    total = io = 0.0
    for lock, roots in result.get("waits", {}).items():
        if lock in ("folio_lock", "other"):
            continue
        for root, row in roots.items():
            total += row["sum_us"]
            io += row["sum_us"] if root == "io" else 0.0
    return io / total if total else None


def _sentence(
    actor: str, metric: str, first: tuple[str, float], second: tuple[str, float], io: float | None
) -> str:
    (low, low_us), (high, high_us) = sorted((first, second), key=lambda item: item[1])
    text = f"{actor} {metric}: {low} {format_us(low_us)}, {high} {format_us(high_us)}"
    ratio = high_us / low_us
    text += f": {ratio:.3g} times longer"
    if io is not None and io > 0.05:
        text += f"; {100 * io:.0f} % of the time blocked on locks under {high} waits for I/O"
    return text


def verdict(policies: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One sentence for each actor and pair of policies that differ, worst first.

    policies: the form of `compare --json`.  Two policies differ in an actor when the mean or
    the p99 of one is 1.2 times the other's and the intervals of the means do not overlap.
    """
    found: list[tuple[float, str]] = []
    for first, second in combinations(policies, 2):
        actors = policies[first]["actors"]
        for actor, row in actors.items():
            other = policies[second]["actors"].get(actor)
            if other is None or not row["n"] or not other["n"]:
                continue
            gap = abs(row["mean_us"] - other["mean_us"])
            if gap <= row.get("mean_us_ci95", 0.0) + other.get("mean_us_ci95", 0.0):
                continue
            ratio, metric = max(
                (_ratio(row[f"{name}_us"], other[f"{name}_us"]), name) for name in ("mean", "p99")
            )
            if ratio < NOTABLE_RATIO:
                continue
            slow = first if row[f"{metric}_us"] > other[f"{metric}_us"] else second
            found.append(
                (
                    ratio,
                    _sentence(
                        actor,
                        metric,
                        (first, row[f"{metric}_us"]),
                        (second, other[f"{metric}_us"]),
                        io_share(policies[slow]),
                    ),
                )
            )
    found.sort(key=lambda item: -item[0])
    if not found:
        return ["no actor differs between the policies beyond the confidence intervals"]
    return [text for _, text in found]


def _ratio(a: float, b: float) -> float:
    low, high = min(a, b), max(a, b)
    return high / low if low > 0 else 1.0


def chain_lines(result: Mapping[str, Any], most: int = 3) -> list[str]:
    """The worst wait chains, one line each link."""
    lines = []
    for number, chain in enumerate(result.get("chains", [])[:most], start=1):
        lines.append(
            f"chain {number}: {format_us(chain['duration_us'])}, depth {len(chain['links'])}, "
            f"root cause {chain['root']}"
        )
        for link in chain["links"]:
            holder = f", held by {link['holder']}" if link["holder"] else ""
            place = f" in {link['in']}" if link["in"] else ""
            lines.append(f"  {link['thread']} waits for {link['waits_for']}{place}{holder}")
    return lines
