# SPDX-License-Identifier: GPL-2.0-only
"""The model against the kernel: rows, their errors, regimes, orderings.  Pure functions.

A row is one metric (rate_hz or mean_us) of one actor in one scenario under one policy.  Repeats
of a measurement are one kernel value, their mean, with a run-to-run difference (the noise floor).
Where the kernel's own runs differ by more than 10 % it has no single value: a regime row, right
when all of them lie within the range of the model's replications, widened by 10 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

METRICS = ("rate_hz", "mean_us")
SHOWN = ("p50_us", "p90_us", "p99_us")
MIN_VALUES = 30  # fewer values of an actor are not judged
REGIME_DIFFERENCE = 0.10
REGIME_WIDENING = 0.10
ORDER_RATIO = 1.5
FACT_RELATIVE = 0.05
FACT_ABSOLUTE_MS = 0.1


@dataclass(frozen=True)
class Row:
    """One metric: model and kernel values, relative error, the kernel's own difference."""

    file: str
    policy: str
    scenario: str
    key: str
    actor: str
    metric: str
    model: float
    kernel: float
    rel_error: float
    noise: float | None  # relative difference between the kernel's runs; None: one run
    regime: bool
    regime_right: bool | None
    judged: bool


@dataclass(frozen=True)
class Ordering:
    """Do model and kernel order two policies the same way?"""

    scenario: str
    actor: str
    metric: str
    policies: tuple[str, str]
    kernel_ratio: float
    model_ratio: float
    right: bool


@dataclass(frozen=True)
class FactRow:
    """One fact: kernel and model in ms, and whether the model is within 5 % or 0.1 ms."""

    file: str
    policy: str
    operation: str
    beside: str
    quantity: str
    model: float
    kernel: float
    right: bool


def spread(values: Sequence[float]) -> float | None:
    """Largest relative difference between repeats; None for a single one."""
    if len(values) < 2:
        return None
    middle = float(np.mean(values))
    return (max(values) - min(values)) / middle if middle else 0.0


def row_of(
    file: str,
    policy: str,
    scenario: str,
    key: str,
    actor: str,
    metric: str,
    kernel: Sequence[Mapping[str, Any]],
    model: Sequence[Mapping[str, Any]],
) -> Row:
    """One row from the actor's tables of all kernel runs and all model replications."""
    measured = [float(run[metric]) for run in kernel]
    simulated = [float(run.get(metric, 0.0)) for run in model if run.get("n", 0)]
    counts = [run["n"] for run in kernel]
    value = float(np.mean(measured))
    predicted = float(np.mean(simulated)) if simulated else 0.0
    noise = spread(measured)
    regime = noise is not None and noise > REGIME_DIFFERENCE
    right = None
    if regime:
        low = min(simulated, default=0.0) * (1 - REGIME_WIDENING)
        high = max(simulated, default=0.0) * (1 + REGIME_WIDENING)
        right = all(low <= run <= high for run in measured)
    error = (predicted - value) / value if value else (0.0 if predicted == 0 else 1.0)
    judged = metric in METRICS and min(counts) >= MIN_VALUES
    return Row(
        file, policy, scenario, key, actor, metric, predicted, value, error, noise, regime, right,
        judged,
    )  # fmt: skip


def rows_of_group(
    group: Any, model: Sequence[Mapping[str, Mapping[str, Any]]], metrics: Iterable[str]
) -> list[Row]:
    """All rows of one scenario; `model` has one {actor: table} for each replication."""
    rows = []
    names = [name for name, table in group.repeats[0]["actors"].items() if table["n"]]
    for actor in names:
        kernel = [run["actors"].get(actor, {"n": 0}) for run in group.repeats]
        if any(not table.get("n") for table in kernel):
            continue
        simulated = [run.get(actor, {"n": 0}) for run in model]
        for metric in metrics:
            rows.append(
                row_of(
                    group.file, group.policy, group.name, group.key, actor, metric, kernel,
                    simulated,
                )
            )  # fmt: skip
    return rows


def orderings(rows: Iterable[Row]) -> list[Ordering]:
    """Every pair of policies on the same scenario whose kernel values differ 1.5 times or more."""
    table: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row.judged and row.metric in METRICS:
            table.setdefault((row.key, row.actor, row.metric), []).append(row)
    found = []
    for (_, actor, metric), entries in table.items():
        for number, first in enumerate(entries):
            for second in entries[number + 1 :]:
                low, high = sorted((first, second), key=lambda row: row.kernel)
                if low.policy == high.policy or low.kernel <= 0:
                    continue
                ratio = high.kernel / low.kernel
                if ratio < ORDER_RATIO:
                    continue
                found.append(
                    Ordering(
                        low.scenario,
                        actor,
                        metric,
                        (low.policy, high.policy),
                        ratio,
                        high.model / low.model if low.model else 0.0,
                        high.model > low.model,
                    )
                )
    return found


def fact_rows(facts: Iterable[Any], model: Iterable[tuple[float, float]]) -> list[FactRow]:
    """Judge both times of each fact.  model: (operation_ms, rest_of_fault_ms) of each of them."""
    rows = []
    for fact, predicted in zip(facts, model, strict=True):
        for quantity, kernel, value in (
            ("operation_ms", fact.operation_ms, predicted[0]),
            ("rest_of_fault_ms", fact.rest_of_fault_ms, predicted[1]),
        ):
            limit = max(FACT_ABSOLUTE_MS, FACT_RELATIVE * kernel)
            right = abs(value - kernel) <= limit
            rows.append(
                FactRow(
                    fact.file, fact.policy, fact.operation, fact.beside, quantity, value, kernel,
                    right,
                )
            )  # fmt: skip
    return rows


def _row_document(row: Row) -> dict[str, Any]:
    return {
        "file": row.file,
        "policy": row.policy,
        "scenario": row.scenario,
        "actor": row.actor,
        "metric": row.metric,
        "model": round(row.model, 3),
        "kernel": round(row.kernel, 3),
        "rel_error": round(row.rel_error, 5),
        "noise": None if row.noise is None else round(row.noise, 5),
        "regime": row.regime,
        "regime_right": row.regime_right,
        "judged": row.judged,
    }


def _fact_document(row: FactRow) -> dict[str, Any]:
    return {**asdict(row), "model": round(row.model, 4), "kernel": round(row.kernel, 4)}


def summary(
    rows: Sequence[Row], pairs: Sequence[Ordering], facts: Sequence[FactRow]
) -> dict[str, Any]:
    """The document of `validate --json`."""
    judged = [row for row in rows if row.judged]
    errors = [abs(row.rel_error) for row in judged if not row.regime]
    regimes = [row for row in judged if row.regime]
    by_fact: dict[tuple[str, str, str, str], bool] = {}
    for fact in facts:
        key = (fact.file, fact.policy, fact.operation, fact.beside)
        by_fact[key] = by_fact.get(key, True) and fact.right
    return {
        "rows": [_row_document(row) for row in rows],
        "fact_rows": [_fact_document(row) for row in facts],
        "median_abs_rel_error": float(np.median(errors)) if errors else None,
        "p90_abs_rel_error": float(np.percentile(errors, 90)) if errors else None,
        "n": len(errors),
        "regime_right": sum(bool(row.regime_right) for row in regimes),
        "regime_rows": len(regimes),
        "orderings_right": sum(pair.right for pair in pairs),
        "orderings": len(pairs),
        "facts_right": sum(by_fact.values()),
        "facts": len(by_fact),
    }
