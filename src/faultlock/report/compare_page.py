# SPDX-License-Identifier: GPL-2.0-only
"""The pages of `compare`, `simulate`, `replay` and `measure` --html: policies side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from faultlock.report import page as html
from faultlock.report.check_page import add_policy_diff
from faultlock.report.lanes import Span, time_lanes
from faultlock.report.markup import Markup, tag
from faultlock.report.plots import format_us, latency_plot, legend, stacked_bars
from faultlock.report.tables import actor_rows, actors_of, counter_rows

SHARES = (("p10_us", 0.1), ("p50_us", 0.5), ("p90_us", 0.9), ("p99_us", 0.99), ("p999_us", 0.999),
          ("max_us", 1.0))
MOST_CHAINS = 10
BASE = "drop-retry"

Policies = Mapping[str, Mapping[str, Any]]


def compare_page(result: Mapping[str, Any], verdict: Sequence[str], command: str) -> str:
    """The page for a `compare --json` result; `verdict` in sentences, `command` makes it again."""
    policies: Policies = result["policies"]
    page = html.Page(
        f"faultlock: {', '.join(policies)} under {result['workload']}", verdict or ["Done."]
    )
    page.add("Latencies", *latency_plots(policies), html.table(*actor_rows(policies)))
    if any(entry.get("waits") for entry in policies.values()):
        page.add("Time blocked", *blocked_bars(policies))
    if any(entry.get("chains") for entry in policies.values()):
        page.add("Who waited for whom", *wait_chains(policies))
    page.add("Counters", html.table(*counter_rows(policies)))
    for policy in policies:
        add_policy_diff(page, BASE, policy)
    seed = result.get("seed")
    notes = [] if seed is None else [f"Seed {seed}: the same seed gives the same bytes."]
    page.add("How to reproduce", html.reproduce([command], notes))
    return html.render(page)


def measurement_page(measured: Mapping[str, Mapping[str, Any]], command: str) -> str:
    """The page for `faultlock-measurement/1` documents by kernel: the kernels side by side."""
    page = html.Page(
        f"faultlock measure: {', '.join(measured)}",
        [_measured_on(name, document) for name, document in measured.items()],
    )
    scenarios = list(dict.fromkeys(
        str(scenario["name"])
        for document in measured.values()
        for scenario in document["scenarios"]
    ))
    for wanted in scenarios:
        kernels = {
            name: scenario
            for name, document in measured.items()
            for scenario in document["scenarios"]
            if scenario["name"] == wanted
        }
        page.add(
            wanted, *latency_plots(kernels), html.table(*actor_rows(kernels)),
            html.table(*counter_rows(kernels)),
        )
    page.add("How to reproduce", html.reproduce([command]))
    return html.render(page)


def _measured_on(name: str, document: Mapping[str, Any]) -> str:
    device = document.get("device", {})
    latency = format_us((device.get("latency_ns") or 0) / 1000)
    return (
        f"{name}: {document.get('kernel', 'kernel')}, "
        f"policy {document.get('policy') or 'unknown'}, "
        f"clock {document.get('clock', 'unknown')}, {document.get('cpus', '?')} CPU, "
        f"{device.get('kind', 'device')} {latency}."
    )


def percentile_points(values: Mapping[str, float]) -> list[tuple[float, float]]:
    """(share, latency in us) for the percentiles that a table of an actor has."""
    return [(share, values[key]) for key, share in SHARES if key in values]


def latency_plots(policies: Policies) -> list[Markup]:
    """One plot per actor, all policies in it."""
    plots = []
    for actor in actors_of(policies):
        series = {
            policy: percentile_points(entry["actors"][actor])
            for policy, entry in policies.items()
            if entry.get("actors", {}).get(actor, {}).get("n")
        }
        if series:
            plots.append(latency_plot(actor, series))
    parts = [legend(list(policies))] if len(policies) > 1 else []
    return [*parts, tag("div", *plots, class_="plots")]


def blocked_bars(policies: Policies) -> list[Markup]:
    """Seconds blocked: by what the last thread of the chain was doing, and by lock."""
    by_root: dict[str, dict[str, float]] = {}
    by_lock: dict[str, dict[str, float]] = {}
    for policy, entry in policies.items():
        roots = by_root.setdefault(policy, {})
        locks = by_lock.setdefault(policy, {})
        for lock, rows in entry.get("waits", {}).items():
            for root, row in rows.items():
                seconds = row["sum_us"] / 1e6
                roots[root] = roots.get(root, 0.0) + seconds
                locks[lock] = locks.get(lock, 0.0) + seconds
    return [
        stacked_bars("By root cause: what the last one of the chain waits for", by_root, "s"),
        stacked_bars("By what is waited for", by_lock, "s"),
    ]


def wait_chains(policies: Policies) -> list[Markup]:
    """The worst chains of each policy as swim lanes; the worst of all is open."""
    longest = max(
        (chain["duration_us"] for entry in policies.values() for chain in entry.get("chains", ())),
        default=0.0,
    )
    parts = []
    for policy, entry in policies.items():
        for number, chain in enumerate(entry.get("chains", ())[:MOST_CHAINS], 1):
            title = (
                f"{policy} {number}: {chain['links'][0]['thread']} waited "
                f"{format_us(chain['duration_us'])}, depth {len(chain['links'])}, "
                f"root cause {chain['root']}"
            )
            lanes = time_lanes(title, chain_spans(chain))
            parts.append(
                tag("details", tag("summary", title), lanes,
                    open=chain["duration_us"] == longest)
            )
    return parts


def chain_spans(chain: Mapping[str, Any]) -> list[Span]:
    """The links of one chain as spans that all end when the first waiter went on.

    What the later links did after the first had begun to wait is not recorded.
    """
    links = chain["links"]
    end = links[0]["since_us"] + chain["duration_us"]
    spans = []
    for number, link in enumerate(links):
        is_io = number == len(links) - 1 and chain["root"] == "io"
        held = f", held by {link['holder']}" if link["holder"] else ""
        label = f"I/O of {_lock(link)}" if is_io else f"waits for {_lock(link)}{held}"
        spans.append(
            Span(link["thread"], link["since_us"], max(end, link["since_us"]),
                 "io" if is_io else "wait", label, _place(link["caller"]), _sleeps(link))
        )
        if held:
            after = links[number + 1] if number + 1 < len(links) else None
            spans.append(_hold(link, end, str(chain["root"]) if after is None else
                               f"waits itself at {_place(after['caller'])}"))
    return spans


def _hold(link: Mapping[str, Any], end_us: float, meanwhile: str) -> Span:
    """What `link` waits for, in the lane of its holder; the line is the one that took it."""
    since = link.get("held_since_us")
    start = link["since_us"] if since is None else since
    return Span(link["holder"], start, max(end_us, start), "hold", f"holds {_lock(link)}",
                _place(link["taken"]), f"{link['taken']['text']} · meanwhile: {meanwhile}")


def _lock(link: Mapping[str, Any]) -> str:
    return f"{link['waits_for']} {link['number']}"


def _sleeps(link: Mapping[str, Any]) -> str:
    """The caller's line, and where in the lock functions the thread sleeps, if it is elsewhere."""
    text = str(link["caller"]["text"])
    if link["at"] == link["caller"]["at"]:
        return text
    return f"{text} · sleeps in {_place(link)}"


def _place(step: Mapping[str, Any]) -> str:
    """`kernel/fork.py:206 dup_mmap`."""
    return f"{step['at']} {step['in']}" if step.get("at") else str(step["in"])
