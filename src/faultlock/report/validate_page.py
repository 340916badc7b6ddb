# SPDX-License-Identifier: GPL-2.0-only
"""The page of `faultlock validate --html`: model against kernel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from faultlock.report import page as html
from faultlock.report.markup import Markup, tag
from faultlock.report.plots import Box, format_us
from faultlock.report.tables import validate_rows

MOST_ROWS = 500


def validate_page(result: Mapping[str, Any], verdict: Sequence[str], command: str) -> str:
    """The page for a `validate --json` result."""
    page = html.Page("faultlock validate: model against kernel", verdict)
    rows = [row for row in result["rows"] if row["metric"] == "mean_us"]
    if rows:
        page.add("Mean latency, model against kernel", scatter(rows))
    summary = [
        ["median of the absolute relative error", _percent(result["median_abs_rel_error"])],
        ["90th percentile", _percent(result["p90_abs_rel_error"])],
        ["values compared", str(result["n"])],
        ["regime rows right", f"{result['regime_right']} of {result['regime_rows']}"],
        ["orderings right", f"{result['orderings_right']} of {result['orderings']}"],
        ["facts right", f"{result['facts_right']} of {result['facts']}"],
    ]
    page.add("Summary", html.table(["measure", "value"], summary))
    header, lines = validate_rows(result)
    page.add("Every value, largest error first", html.table(header, lines[:MOST_ROWS]))
    page.add("How to reproduce", html.reproduce([command]))
    return html.render(page)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def scatter(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """Model (up) over kernel (right), both on log axes; the line is equality, the band 15 %."""
    box = Box(560, 420, 62, 14, 30, 44)
    points = [(row["kernel"], row["model"], row) for row in rows
              if row["kernel"] > 0 and row["model"] > 0]
    if not points:
        return tag("p", "No value above zero.", class_="note")
    values = [value for kernel, model, _ in points for value in (kernel, model)]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def at(value: float) -> tuple[float, float]:
        part = (math.log10(value) - low) / (high - low)
        return box.left + box.inner_width * part, box.top + box.inner_height * (1 - part)

    parts = []
    for exponent in range(low, high + 1):
        x, y = at(10.0**exponent)
        right, bottom = box.width - box.right, box.height - box.bottom
        parts += [
            tag("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=box.top, y2=bottom, class_="grid"),
            tag("line", x1=box.left, x2=right, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid"),
            tag("text", format_us(10.0**exponent), x=f"{x:.1f}", y=bottom + 16,
                text_anchor="middle"),
            tag("text", format_us(10.0**exponent), x=box.left - 6, y=f"{y + 4:.1f}",
                text_anchor="end"),
        ]
    ends = at(10.0**low), at(10.0**high)
    parts.append(tag("line", x1=ends[0][0], y1=ends[0][1], x2=ends[1][0], y2=ends[1][1],
                     stroke="var(--soft)", stroke_dasharray="4 4"))
    for kernel, model, row in points:
        x, y = at(kernel)[0], at(model)[1]
        name = (f"{row['scenario']} {row['actor']} ({row['file']}): model {format_us(model)}, "
                f"kernel {format_us(kernel)}")
        far = abs(model - kernel) > 0.15 * kernel
        parts.append(tag("circle", tag("title", name), cx=f"{x:.1f}", cy=f"{y:.1f}", r=3.5,
                         fill="var(--c1)" if far else "var(--c0)", fill_opacity=0.75))
    parts.append(tag("text", "kernel", x=box.left + box.inner_width / 2, y=box.height - 6,
                     text_anchor="middle"))
    label = "Model over kernel, log axes, dashed line: equal; other colour: more than 15 % off"
    picture = tag("svg", *parts, viewBox=f"0 0 {box.width} {box.height}", role="img",
                  aria_label=label)
    return tag("figure", tag("figcaption", label), picture, class_="plot")
