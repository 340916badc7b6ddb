# SPDX-License-Identifier: GPL-2.0-only
"""A sweep as tables, as heat maps on a terminal and as a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from faultlock.report import page as html
from faultlock.report.check_page import add_policy_diff
from faultlock.report.markup import Markup, tag
from faultlock.report.tables import Table, significant
from faultlock.sweep.summary import HeatMap, Point


def sweep_rows(found: Sequence[Point], keys: Sequence[str], metric: str) -> Table:
    """One row per setting and policy, one column per actor; `±` is half of the 95 % interval."""
    actors = list(dict.fromkeys(point.actor for point in found))
    cells: dict[tuple[Any, str], dict[str, str]] = {}
    for point in found:
        text = significant(point.value)
        if point.half_width is not None:
            text += f" ±{significant(point.half_width, 2)}"
        cells.setdefault((point.settings, point.policy), {})[point.actor] = text
    rows = [
        [*(value for _, value in settings), policy, *(values.get(actor, "-") for actor in actors)]
        for (settings, policy), values in cells.items()
    ]
    return [*keys, "policy", *(f"{actor} {metric}" for actor in actors)], rows


def heat_lines(heat: HeatMap) -> Table:
    """A heat map as a table of numbers."""
    rows = [
        [name, *(significant(value) for value in line)]
        for name, line in zip(heat.rows, heat.values, strict=True)
    ]
    return [f"{heat.title} ({heat.what})", *heat.columns], rows


def sweep_page(
    manifest: Mapping[str, Any],
    table: Table,
    maps: Sequence[HeatMap],
    shown: str,
    command: str,
) -> str:
    """The page of one sweep; `shown` is the metric of the maps (`fork.p99_us`)."""
    policies = manifest["policies"]
    page = html.Page(
        f"faultlock sweep of {manifest['workload']}: {', '.join(policies)}",
        [f"{manifest['cells']} cells, {len(manifest['seeds'])} replications each. "
         f"Maps show {shown}."],
    )
    page.add("Heat maps", *(_heat(heat) for heat in maps))
    page.add("Every cell", html.table(*table))
    for policy in policies:
        add_policy_diff(page, "drop-retry", policy)
    page.add("How to reproduce", html.reproduce([command]))
    return html.render(page)


def _heat(heat: HeatMap) -> Markup:
    """Cells shaded by the logarithm of their value: two colours around 1 for ratios."""
    known = [value for line in heat.values for value in line if value and value > 0]
    reach = max((abs(math.log10(value)) for value in known), default=0.0) or 1.0
    low = min((math.log10(value) for value in known), default=0.0)
    ratio = heat.what.startswith("divided")
    body = []
    for name, line in zip(heat.rows, heat.values, strict=True):
        cells = []
        for value in line:
            shade = 0.0
            colour = "var(--c1)"
            if value and value > 0:
                if ratio:
                    shade = abs(math.log10(value)) / reach
                    colour = "var(--c1)" if value > 1 else "var(--c0)"
                else:
                    shade = (math.log10(value) - low) / reach
            percent = round(min(1.0, max(0.0, shade)) * 70)
            style = f"background:color-mix(in srgb, {colour} {percent}%, transparent)"
            cells.append(tag("td", significant(value), style=style))
        body.append(tag("tr", tag("th", name, scope="row"), *cells))
    head = tag("tr", tag("th", ""), *(tag("th", name, scope="col") for name in heat.columns))
    grid = tag("table", tag("thead", head), tag("tbody", *body), class_="heat")
    return tag("figure", tag("figcaption", f"{heat.title} ({heat.what})"),
               tag("div", grid, class_="scroll", tabindex=0))
