# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts as data for --json and as text for people and for kernel CI (KTAP)."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from faultlock.check.path import PathStep
from faultlock.check.verdict import UNKNOWN, VIOLATED, PropertyResult, ScenarioResult

Result = dict[str, Any]


def result_of(policy: str, scenarios: Sequence[ScenarioResult], interrupted: str = "") -> Result:
    """The `--json` form of a check; `interrupted` says where Ctrl-C ended it."""
    rows = [_row(item, found) for item in scenarios for found in item.properties]
    result = {"policy": policy, "results": rows, "assumed": assumptions(scenarios),
              "io_bounds": [row for item in scenarios for row in _bounds(item)]}
    return {**result, "interrupted": interrupted} if interrupted else result


def _bounds(item: ScenarioResult) -> list[Result]:
    """How many reads one operation of each thread waits for; null: there is no bound."""
    return [{"scenario": item.scenario, "thread": bound.thread, "reads": bound.reads}
            for bound in item.io_bounds or ()]


def assumptions(scenarios: Sequence[ScenarioResult]) -> list[str]:
    """What a verdict rests on, in sentences."""
    said = [
        "sequential consistency: a line of the model is one step, steps of threads interleave",
        "the bounds of each scenario (threads, VMAs, folios, requests)",
        "weak fairness per thread for liveness; reads in flight complete",
    ]
    if scenarios:
        options = scenarios[0].exploration.options
        used = [name for name, on in (
            ("local steps fused", options.fuse),
            ("partial order reduction", options.partial_order),
            ("symmetry of threads", any(item.exploration.is_symmetric for item in scenarios)),
        ) if on]
        missed = sum(item.missed_below for item in scenarios)
        compared = "full states are compared"
        if options.fingerprints:
            compared = ("64-bit fingerprints of states are compared: if they are as good as "
                        f"random the probability of a missed state is < {missed:.1e}")
        said.append(f"{compared}; reductions: " + (", ".join(used) or "none"))
    return said


def _row(item: ScenarioResult, found: PropertyResult) -> Result:
    run = found.run or item.exploration
    row: Result = {
        "scenario": item.scenario,
        "property": found.name,
        "verdict": found.verdict,
        "states": run.states,
        "transitions": run.transitions,
        "depth": run.depth,
        "seconds": round(item.seconds, 3),
        "counterexample": [],
    }
    if item.exploration.options.fingerprints:
        row["fingerprints"] = {"bits": 64, "missed_state_probability_below": item.missed_below}
    if found.reason:
        row["reason"] = found.reason
    if found.counterexample is not None:
        row.update(_example(item, found))
    return row


def _example(item: ScenarioResult, found: PropertyResult) -> Result:
    example = found.counterexample
    assert example is not None
    steps = example.run.steps
    shown = [number for number, step in enumerate(steps) if step.shown]
    no_return = 0
    if example.no_return:
        target = example.no_return - 1 if example.no_return > 0 else len(steps) - 1
        no_return = sum(number < target for number in shown) + 1
    schedule = example.run.schedule()
    ignored = "".join(f" --ignore {name}" for name in sorted(found.ignored))
    command = f"faultlock check {item.policy} --scenario {item.scenario}{ignored}"
    return {
        "wrong": example.wrong,
        "no_return": no_return,
        "counterexample": [step_row(steps[number]) for number in shown],
        "cycle_from": sum(number < example.cycle_from for number in shown) + 1
        if example.cycle_from else 0,
        "schedule": schedule,
        "replay": f"{command} --replay {schedule}",
    }


def step_row(step: PathStep) -> Result:
    """One step of a run for --json."""
    return {
        "thread": step.thread,
        "function": step.step.function,
        "file": step.step.file,
        "line": step.step.line,
        "text": step.step.text,
        "note": step.note,
    }


# ---- text ----------------------------------------------------------------------------------------


def path_lines(steps: Sequence[Mapping[str, Any]], width: int, no_return: int = 0) -> list[str]:
    """A run as a table: one column per thread, one row per step; `!` marks no return."""
    threads = list(dict.fromkeys(str(step["thread"]) for step in steps))
    if not threads:
        return ["(the first state)"]
    column = max(24, (width - 6) // len(threads) - 2)
    lines = ["      " + "  ".join(name.ljust(column) for name in threads).rstrip()]
    for number, step in enumerate(steps, start=1):
        mark = "!" if number == no_return else " "
        before = " " * ((column + 2) * threads.index(str(step["thread"])))
        head = f"{number:>4}{mark} "
        room = max(column, width - len(head) - len(before))
        for position, piece in enumerate(_cell(step, room)):
            lines.append((head if position == 0 else " " * 6) + before + piece)
    return lines


def _cell(step: Mapping[str, Any], room: int) -> list[str]:
    place = f"{step['function']}  {step['file']}:{step['line']}"
    pieces = [place, *textwrap.wrap(str(step["text"]), room, initial_indent="  ",
                                    subsequent_indent="    ")]
    if step["note"]:
        pieces += textwrap.wrap(f"-> {step['note']}", room, initial_indent="  ",
                                subsequent_indent="     ")
    return pieces


def example_lines(row: Mapping[str, Any], width: int) -> list[str]:
    """A violated row with its run, what is wrong, and how to replay it."""
    lines = [f"{row['scenario']}: {row['property']}: violated"]
    if not row.get("wrong"):
        return [*lines, f"  {row.get('reason', '')}"]
    lines += path_lines(row["counterexample"], width, row["no_return"])
    lines += textwrap.wrap(f"=> {row['wrong']}", width, subsequent_indent="   ")
    if row["no_return"]:
        lines.append(f"   no return: from step {row['no_return']} (!) on, every run violates it")
    if row["cycle_from"]:
        lines.append(f"   the cycle begins at step {row['cycle_from']}")
    lines.append(f"   replayed on the reference interpreter; again: {row['replay']}")
    return lines


def summary_rows(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The table: a row per scenario whose properties all hold, else one per other property."""
    header = ["scenario", "property", "verdict", "states", "depth", "seconds"]
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for row in result["results"]:
        grouped.setdefault(str(row["scenario"]), []).append(row)
    rows = []
    for scenario, found in grouped.items():
        other = [row for row in found if row["verdict"] != "holds"]
        holding = len(found) - len(other)
        tail = [str(found[0]["states"]), str(found[0]["depth"]), f"{found[0]['seconds']:.2f}"]
        for row in other:
            verdict = row["verdict"]
            if verdict == UNKNOWN or not row.get("wrong"):
                verdict += f" ({row.get('reason', '')})"
            rows.append([scenario, str(row["property"]), verdict, *tail])
        if holding:
            rest = "other " if other else ""
            said = f"holds{hedge(found[0])}"
            rows.append([scenario, f"{holding} {rest}properties", said, *tail])
    return header, rows


def hedge(row: Mapping[str, Any]) -> str:
    """What a verdict `holds` rests on beyond the assumptions that are always printed."""
    if "fingerprints" not in row:
        return ""
    below = row["fingerprints"]["missed_state_probability_below"]
    return f" (64-bit fingerprints: probability of a missed state < {below:.1e})"


def bound_rows(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The table of bounds: a row per scenario, `thread reads` for each thread."""
    grouped: dict[str, list[str]] = {}
    for row in result["io_bounds"]:
        reads = "any number" if row["reads"] is None else str(row["reads"])
        grouped.setdefault(str(row["scenario"]), []).append(f"{row['thread']} {reads}")
    rows = [[scenario, ", ".join(parts)] for scenario, parts in grouped.items()]
    return ["scenario", "reads that one operation waits for at most"], rows


def ktap_lines(result: Mapping[str, Any]) -> list[str]:
    """KTAP: a subtest per scenario, a case per property; unknown is SKIP, never ok alone."""
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for row in result["results"]:
        grouped.setdefault(str(row["scenario"]), []).append(row)
    lines = ["KTAP version 1", f"1..{len(grouped)}"]
    for number, (scenario, rows) in enumerate(grouped.items(), start=1):
        lines += ["  KTAP version 1", f"  1..{len(rows)}"]
        for position, row in enumerate(rows, start=1):
            lines += _ktap_case(position, row)
        bad = any(row["verdict"] == VIOLATED for row in rows)
        skip = " # SKIP not everything was decided" if not bad and any(
            row["verdict"] == UNKNOWN for row in rows) else ""
        lines.append(f"{'not ok' if bad else 'ok'} {number} {scenario}{skip}")
    return [*lines, f"# {result['interrupted']}"] if result.get("interrupted") else lines


def _ktap_case(position: int, row: Mapping[str, Any]) -> list[str]:
    name = str(row["property"]).replace("#", "")
    if row["verdict"] == VIOLATED:
        wrong = row.get("wrong") or row.get("reason", "")
        lines = [f"  # {line}" for line in textwrap.wrap(str(wrong), 90)]
        if row.get("replay"):
            lines.append(f"  # {row['replay']}")
        return [*lines, f"  not ok {position} {name}"]
    skip = f" # SKIP {row.get('reason', 'unknown')}" if row["verdict"] == UNKNOWN else ""
    said = [f"  #{hedge(row)}"] if hedge(row) and not skip else []
    return [*said, f"  ok {position} {name}{skip}"]
