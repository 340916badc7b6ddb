# SPDX-License-Identifier: GPL-2.0-only
"""The page of `faultlock check --html`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faultlock.errors import FaultlockError
from faultlock.report import page as html
from faultlock.report.lanes import StepCell, step_lanes
from faultlock.report.markup import Markup, join, tag
from faultlock.report.model_text import differences, read_model_text
from faultlock.report.tables import check_rows

MOST_COUNTEREXAMPLES = 30
ASSUMED = (
    "Assumed: sequential consistency; the bounds of each scenario (threads, pages, folios); for "
    "liveness weak fairness. A verdict says nothing about larger configurations."
)


def check_page(result: Mapping[str, Any], command: str) -> str:
    """The page for a `check --json` result; `command` is what reproduces it."""
    page = html.Page(f"faultlock check {result['policy']}", verdict_of(result), state_of(result))
    broken = [one for one in result["results"] if one["verdict"] == "violated"]
    page.add("Results", *_results(result))
    if broken:
        page.add("Counterexamples", *_counterexamples(broken))
    add_policy_diff(page, "drop-retry", str(result["policy"]))
    page.add("How to reproduce", html.reproduce([command], [assumptions(result)]))
    return html.render(page)


def assumptions(result: Mapping[str, Any]) -> str:
    """What the verdicts assume, as the result says it, else in general."""
    said = result.get("assumed")
    if not said:
        return ASSUMED
    text = said if isinstance(said, str) else "; ".join(map(str, said))
    return f"Assumed: {text}."


def verdict_of(result: Mapping[str, Any]) -> list[str]:
    """The verdict in sentences, worst news first."""
    results = result["results"]
    counts = {
        verdict: sum(one["verdict"] == verdict for one in results)
        for verdict in ("violated", "unknown", "holds")
    }
    scenarios = len({one["scenario"] for one in results})
    interrupted = str(result.get("interrupted", ""))
    said = [f"{interrupted[0].upper()}{interrupted[1:]}."] if interrupted else []
    broken = [one for one in results if one["verdict"] == "violated"]
    if broken:
        names = sorted({str(one["property"]) for one in broken})
        where = len({one["scenario"] for one in broken})
        said.append(
            f"{result['policy']} violates {len(names)} {_plural(len(names), 'property')} in "
            f"{where} of {scenarios} {_plural(scenarios, 'scenario')}: {'; '.join(names)}."
        )
    if counts["unknown"]:
        ended = "" if interrupted else ": a limit was reached before there was an answer"
        said.append(
            f"{counts['unknown']} {_plural(counts['unknown'], 'question')} stayed open{ended}."
        )
    if not broken and not counts["unknown"] and not interrupted:
        said.append(
            f"{result['policy']}: everything that was checked holds "
            f"({counts['holds']} results in {scenarios} {_plural(scenarios, 'scenario')})."
        )
    elif counts["holds"]:
        said.append(f"{counts['holds']} other results hold.")
    return said


def state_of(result: Mapping[str, Any]) -> str:
    """good, bad or unknown: unknown is never shown as good."""
    verdicts = {one["verdict"] for one in result["results"]}
    if "violated" in verdicts:
        return html.BAD
    open_ones = "unknown" in verdicts or not verdicts or result.get("interrupted")
    return html.UNKNOWN if open_ones else html.GOOD


def _plural(count: int, word: str) -> str:
    if count == 1:
        return word
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def _results(result: Mapping[str, Any]) -> list[Markup]:
    """What is not `holds` in full; the others in one line per scenario, in full on demand."""
    header, rows = check_rows(result)
    order = {"violated": 0, "unknown": 1}
    news = sorted((row for row in rows if row[2] in order), key=lambda row: order[row[2]])
    rest = [row for row in rows if row[2] not in order]
    parts = [html.table(header, news)] if news else []
    if rest:
        scenarios = list(dict.fromkeys(row[0] for row in rest))
        counts = [[name, sum(row[0] == name for row in rest)] for name in scenarios]
        parts += [
            tag("h3", "Holds"),
            html.table(["scenario", "properties that hold"], counts),
            tag("details", tag("summary", "each of them"), html.table(header, rest)),
        ]
    return parts


def _counterexamples(broken: list[Mapping[str, Any]]) -> list[Markup]:
    """Each violation's shortest counterexample; one is open, the others fold out."""
    parts = []
    for number, one in enumerate(broken[:MOST_COUNTEREXAMPLES]):
        name = f"{one['scenario']}: {one['property']}"
        lanes = lanes_of(one)
        parts.append(tag("details", tag("summary", name), lanes, open=number == 0))
    if len(broken) > MOST_COUNTEREXAMPLES:
        parts.append(tag("p", f"{len(broken) - MOST_COUNTEREXAMPLES} more are in the JSON form."))
    return parts


def lanes_of(one: Mapping[str, Any]) -> Markup:
    """The swim lanes of one result with a counterexample."""
    steps = [
        StepCell(
            str(step["thread"]), str(step["function"]), f"{step['file']}:{step['line']}",
            str(step["text"]), str(step.get("note") or ""),
        )
        for step in one.get("counterexample") or ()
    ]
    if not steps:
        return tag("p", "The first state violates it already.", class_="note")
    wrong = str(one.get("wrong") or f"{one['property']}: violated here")
    lanes = step_lanes(
        f"{one['scenario']} {one['property']}", steps, wrong, int(one.get("no_return") or 0)
    )
    replay = one.get("replay")
    return join([lanes, html.reproduce([str(replay)]) if replay else ""])


def add_policy_diff(page: html.Page, base: str, policy: str) -> None:
    """A section with what `policy` changes; none when a text cannot be read any more."""
    if policy == base:
        return
    try:
        found = differences(read_model_text(base), read_model_text(policy))
    except FaultlockError:
        return
    page.add(f"What {policy} changes", html.policy_diff(base, policy, found))
