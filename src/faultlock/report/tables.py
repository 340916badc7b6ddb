# SPDX-License-Identifier: GPL-2.0-only
"""Rows of the tables that compare, simulate, measure and check print, from their JSON forms.

A table is a header and rows of text; `console.table_lines` aligns it, `page.table` makes HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Table = tuple[list[str], list[list[str]]]

LATENCIES = ("mean", "p50", "p90", "p99", "p99.9", "max")
KEYS = {"p99.9": "p999_us"}
MAIL_COLUMNS = 72


def significant(value: float | None, digits: int = 3) -> str:
    """`value` with that many digits, never in exponent form: 1400, 60.0, 0.0521; "-" for None."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    return f"{float(text):.0f}" if abs(value) >= 1 else f"{float(text):.6f}".rstrip("0")


def actor_rows(
    policies: Mapping[str, Mapping[str, Any]], latencies: Sequence[str] = LATENCIES
) -> Table:
    """One row per actor and policy: n, rate, then latencies in microseconds.

    `policies`: name -> {"actors": {ACTOR: {n, rate_hz, mean_us, p50_us, ...}}}, the form of
    `compare --json`.  A percentile that a form does not have is shown as "-".
    """
    header = ["actor", "policy", "n", "per s", *(f"{name} us" for name in latencies)]
    rows = []
    for actor in actors_of(policies):
        for policy, result in policies.items():
            values = result.get("actors", {}).get(actor)
            if values is None:
                continue
            numbers = [significant(values.get(KEYS.get(name, f"{name}_us"))) for name in latencies]
            count = values.get("n")
            rows.append([
                actor, policy, "-" if count is None else f"{count:.0f}",
                significant(values.get("rate_hz"), 4), *numbers,
            ])
    return header, rows


def actors_of(policies: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every actor of any policy, in order of first appearance."""
    return list(dict.fromkeys(
        actor for result in policies.values() for actor in result.get("actors", {})
    ))


def counter_rows(policies: Mapping[str, Mapping[str, Any]]) -> Table:
    """vmstat counters: one row per counter, one column per policy."""
    names = list(dict.fromkeys(
        name for result in policies.values() for name in result.get("vmstat", {})
    ))
    rows = [
        [name, *(significant(result.get("vmstat", {}).get(name), 6)
                 for result in policies.values())]
        for name in names
    ]
    return ["counter", *policies], rows


def blocked_rows(policies: Mapping[str, Mapping[str, Any]]) -> Table:
    """Time blocked, in ms: a row per lock and root cause, a column per policy."""
    keys = list(dict.fromkeys(
        (lock, root)
        for result in policies.values()
        for lock, causes in result.get("waits", {}).items()
        for root in causes
    ))
    rows = []
    for lock, root in sorted(keys):
        cells = []
        for result in policies.values():
            row = result.get("waits", {}).get(lock, {}).get(root)
            cells.append(significant(row["sum_us"] / 1e3 if row else 0.0))
        rows.append([lock, root, *cells])
    return ["blocked on, ms", "root cause", *policies], rows


def blocked_actor_rows(policies: Mapping[str, Mapping[str, Any]]) -> Table:
    """Time blocked, in ms: a row per actor and root cause, a column per policy.

    "io": until a read ends that another thread started; "own io": one that the actor started."""
    blocked = [result.get("blocked_by_actor", {}) for result in policies.values()]
    keys = dict.fromkeys(
        (actor, root) for entry in blocked for actor, causes in entry.items() for root in causes
    )
    rows = []
    for actor, root in sorted(keys):
        spent = [entry.get(actor, {}).get(root, 0.0) / 1e3 for entry in blocked]
        rows.append([actor, root, *map(significant, spent)])
    return ["blocked actor, ms", "root cause", *policies], rows


def chain_lines(policies: Mapping[str, Mapping[str, Any]], most: int) -> list[str]:
    """The worst wait chains of each policy, one link a line, indented by depth."""
    lines: list[str] = []
    for policy, result in policies.items():
        for number, chain in enumerate(result.get("chains", ())[:most], start=1):
            links = chain["links"]
            lines.append(
                f"{policy} chain {number}: {chain['duration_us'] / 1e3:.3g} ms, "
                f"{len(links)} deep, root cause: {chain['root']}"
            )
            for depth, link in enumerate(links, start=1):
                lines.append(
                    f"{'  ' * depth}{link['thread']} waits for {link['waits_for']} "
                    f"{link['number']} in {_step(link['caller'])}"
                )
                if link["holder"]:
                    lines.append(
                        f"{'  ' * depth}  held by {link['holder']}, taken in {_step(link['taken'])}"
                    )
    return lines


def _step(step: Mapping[str, str]) -> str:
    """`dup_mmap (kernel/fork.py:206)`."""
    return f"{step['in']} ({step['at']})"


def check_rows(result: Mapping[str, Any]) -> Table:
    """One row per scenario and property, from `check --json`."""
    rows = [
        [
            str(one["scenario"]),
            str(one["property"]),
            str(one["verdict"]),
            f"{one['states']}",
            f"{one['depth']}",
            significant(one["seconds"]),
        ]
        for one in result["results"]
    ]
    return ["scenario", "property", "verdict", "states", "depth", "seconds"], rows


def validate_rows(result: Mapping[str, Any]) -> Table:
    """One row per compared value, worst relative error first, from `validate --json`."""
    ordered = sorted(result["rows"], key=lambda row: -abs(row["rel_error"] or 0.0))
    rows = [
        [
            str(row["file"]), str(row["scenario"]), str(row["actor"]), str(row["metric"]),
            significant(row["model"], 4), significant(row["kernel"], 4),
            "-" if row["rel_error"] is None else f"{100 * row['rel_error']:+.1f}",
        ]
        for row in ordered
    ]
    header = ["file", "scenario", "actor", "metric", "model", "kernel", "error %"]
    return header, rows


def narrow(table: Table, columns: int = MAIL_COLUMNS) -> list[str]:
    """The table's lines cut to `columns`: the widest text cells are shortened with `~`.

    Raises ValueError when even cells of 8 characters would not fit.
    """
    from faultlock.report.console import table_lines

    header, rows = table
    limit = max((len(cell) for row in [header, *rows] for cell in row), default=0)
    while limit >= 8:
        short = [[_shorten(cell, limit) for cell in row] for row in rows]
        lines = table_lines([_shorten(cell, limit) for cell in header], short)
        if max(map(len, lines)) <= columns:
            return lines
        limit -= 1
    raise ValueError(f"a table of {len(header)} columns does not fit into {columns}")


def _shorten(cell: str, limit: int) -> str:
    return cell if len(cell) <= limit else cell[: limit - 1] + "~"
