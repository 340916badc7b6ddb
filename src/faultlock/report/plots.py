# SPDX-License-Identifier: GPL-2.0-only
"""Plots as SVG text that scales with the page: latency by percentile, stacked bars.

Colours are CSS variables of the page (`--c0` ... `--c7`), so that light and dark both work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from faultlock.report.markup import Markup, join, tag
from faultlock.units import format_time_ns

COLOURS = 8
DASHES = ("", "7 3", "2 3", "9 3 2 3", "5 5", "1 4", "12 4", "4 2 1 2")

Points = Sequence[tuple[float, float]]  # (share of the samples at or below, latency in us)


@dataclass(frozen=True)
class Box:
    """The drawing area inside an SVG of `width` x `height`, in its own units."""

    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float

    @property
    def inner_width(self) -> float:
        """Width between the margins."""
        return self.width - self.left - self.right

    @property
    def inner_height(self) -> float:
        """Height between the margins."""
        return self.height - self.top - self.bottom


def format_us(value_us: float) -> str:
    """`1.5ms`: three digits, shortest unit."""
    return format_time_ns(float(f"{value_us * 1000:.3g}"))


def tail_position(share: float) -> float:
    """Where a percentile stands on the tail axis: each further nine takes the same room.

    0 -> 0, 0.9 -> 1, 0.99 -> 2, 0.999 -> 3; the maximum (share 1) is drawn at 4.
    """
    return 4.0 if share >= 1 else min(4.0, -math.log10(1 - share))


TICKS = ((0.0, "0"), (0.5, "50"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"), (1.0, "max"))


def latency_plot(actor: str, series: Mapping[str, Points]) -> Markup:
    """Latency (log axis) by percentile (tail axis), one line per policy.

    `series`: policy -> points sorted by share.  Zero latencies are drawn at 1 ns.
    """
    box = Box(460, 290, 62, 14, 22, 40)
    values = [max(value, 1e-3) for points in series.values() for _, value in points]
    if not values:
        return tag("p", f"{actor}: nothing was measured", class_="note")
    low = math.floor(math.log10(min(values)))
    high = max(low + 1, math.ceil(math.log10(max(values))))

    def x(share: float) -> float:
        return box.left + box.inner_width * tail_position(share) / 4

    def y(value: float) -> float:
        part = (math.log10(max(value, 1e-3)) - low) / (high - low)
        return box.top + box.inner_height * (1 - part)

    parts: list[Markup] = [*_latency_axes(box, low, high, x, y)]
    for number, (policy, points) in enumerate(series.items()):
        parts.append(_latency_line(number, policy, [(x(s), y(v)) for s, v in points]))
    label = f"Latency of {actor} by percentile, log axis: " + "; ".join(
        f"{policy} max {format_us(points[-1][1])}" for policy, points in series.items() if points
    )
    picture = tag(
        "svg", *parts, viewBox=f"0 0 {box.width:g} {box.height:g}", role="img", aria_label=label
    )
    return tag("figure", tag("figcaption", actor), picture, class_="plot")


def _latency_axes(box: Box, low: int, high: int, x: object, y: object) -> list[Markup]:
    assert callable(x) and callable(y)
    parts = []
    for exponent in range(low, high + 1):
        at = y(10.0**exponent)
        parts.append(
            tag("line", x1=box.left, x2=box.width - box.right, y1=_n(at), y2=_n(at), class_="grid")
        )
        parts.append(_text(box.left - 6, at + 4, format_us(10.0**exponent), "end"))
    for share, name in TICKS:
        at = x(share)
        bottom = box.height - box.bottom
        parts.append(tag("line", x1=_n(at), x2=_n(at), y1=box.top, y2=bottom, class_="grid"))
        parts.append(_text(at, bottom + 16, name, "middle"))
    parts.append(_text(box.left + box.inner_width / 2, box.height - 6, "percentile", "middle"))
    return parts


def _latency_line(number: int, policy: str, points: list[tuple[float, float]]) -> Markup:
    colour = f"var(--c{number % COLOURS})"
    path = " ".join(f"{_n(px)},{_n(py)}" for px, py in points)
    dots = [tag("circle", cx=_n(px), cy=_n(py), r=2.6, fill=colour) for px, py in points]
    line = tag(
        "polyline", points=path, fill="none", stroke=colour, stroke_width=2,
        stroke_dasharray=DASHES[number % COLOURS] or None,
    )
    return tag("g", tag("title", policy), line, *(dots if len(points) < 20 else []))


def legend(names: Sequence[str]) -> Markup:
    """What colour and dash belongs to which name."""
    entries = []
    for number, name in enumerate(names):
        colour = f"var(--c{number % COLOURS})"
        sample = tag(
            "line", x1=1, x2=27, y1=6, y2=6, stroke=colour, stroke_width=3,
            stroke_dasharray=DASHES[number % COLOURS] or None,
        )
        picture = tag("svg", sample, viewBox="0 0 28 12", width=28, height=12, aria_hidden="true")
        entries.append(tag("span", picture, " ", name, class_="key"))
    return tag("p", *entries, class_="legend")


def stacked_bars(title: str, bars: Mapping[str, Mapping[str, float]], unit: str) -> Markup:
    """One bar per name, split by cause; every part has its value in the table under it.

    `bars`: name -> {cause: value in `unit`}.
    """
    causes = sorted(
        {cause for parts in bars.values() for cause in parts},
        key=lambda cause: -sum(parts.get(cause, 0.0) for parts in bars.values()),
    )
    largest = max((sum(parts.values()) for parts in bars.values()), default=0.0)
    if largest <= 0:
        return tag("p", f"{title}: nothing was blocked", class_="note")
    rows = []
    for name, parts in bars.items():
        segments = [
            tag(
                "span", class_="segment",
                style=f"width:{100 * parts[cause] / largest:.3f}%;"
                f"background:var(--c{causes.index(cause) % COLOURS})",
                title=f"{cause}: {parts[cause]:.4g} {unit}",
            )
            for cause in causes
            if parts.get(cause, 0.0) > 0
        ]
        total = f"{sum(parts.values()):.4g} {unit}"
        rows.append(
            tag("div", tag("span", name, class_="bar-name"),
                tag("span", *segments, class_="bar"), tag("span", total, class_="bar-total"),
                class_="bar-row")
        )
    body = [
        tag("tr", tag("th", _swatch(number), cause, scope="row"),
            *(tag("td", _value(parts.get(cause, 0.0))) for parts in bars.values()))
        for number, cause in enumerate(causes)
    ]
    head = tag("tr", tag("th", f"cause, {unit}"), *(tag("th", name) for name in bars))
    table = tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll")
    return tag("figure", tag("figcaption", title), join(rows), table, class_="bars")


def _value(value: float) -> str:
    """Four digits, never in exponent form."""
    if 0 < value < 1e-4:
        return "< 0.0001"
    return f"{value:.4g}" if value < 9999.5 else f"{value:.0f}"


def _swatch(number: int) -> Markup:
    return tag("span", class_="swatch", style=f"background:var(--c{number % COLOURS})")


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return tag("text", text, x=_n(x), y=_n(y), text_anchor=anchor)


def _n(value: float) -> str:
    return f"{value:.1f}"
