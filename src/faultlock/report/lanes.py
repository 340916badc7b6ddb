# SPDX-License-Identifier: GPL-2.0-only
"""Swim lanes: what each thread did, side by side.

Two forms: steps without time (counterexamples, one row per step, with a slider) and spans in
time (wait chains: who held, who waited).  A click or Enter on a piece shows its source line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faultlock.report.markup import Markup, join, tag
from faultlock.report.plots import format_us


@dataclass(frozen=True)
class StepCell:
    """One step of a counterexample; `place` is file:line, `note` what was acquired, lost ..."""

    thread: str
    function: str
    place: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class Span:
    """What a thread did from start_us to end_us.  `kind`: run, hold, wait or io."""

    thread: str
    start_us: float
    end_us: float
    kind: str
    label: str
    place: str = ""
    text: str = ""


def step_lanes(name: str, steps: Sequence[StepCell], wrong: str, return_point: int = 0) -> Markup:
    """A counterexample: one column per thread, one row per step, a slider over the steps.

    `wrong` is the sentence of the last row.  `return_point` (from 1, 0 = unknown) is the first
    step after which the violation could not be avoided.
    """
    threads = list(dict.fromkeys(step.thread for step in steps))
    head = tag("tr", tag("th", "step", scope="col"),
               *(tag("th", thread, scope="col") for thread in threads))
    rows = []
    for number, step in enumerate(steps, 1):
        kind = "no-return" if number == return_point else None
        cells = [
            tag("td", _step_cell(step)) if thread == step.thread else tag("td")
            for thread in threads
        ]
        rows.append(tag("tr", tag("th", number, scope="row"), *cells, class_=kind,
                        data_step=number))
    last = tag("tr", tag("th", "✗", scope="row"), tag("td", wrong, colspan=len(threads)),
               class_="wrong", data_step=len(steps) + 1)
    slider = tag(
        "label", "step ",
        tag("input", type="range", min=1, max=len(steps) + 1, value=len(steps) + 1, step=1,
            class_="slider", aria_label=f"step of {name}"),
        " ", tag("output", f"{len(steps) + 1} of {len(steps) + 1}"),
        class_="slider-label",
    )
    buttons = [
        tag("button", text, type="button", class_="move", data_by=by, aria_label=label)
        for text, by, label in (("◀", -1, "one step back"), ("▶", 1, "one step on"))
    ]
    said = ""
    if return_point:
        said = f"From step {return_point} on (marked) the violation could not be avoided any more."
    grid = tag("div", tag("table", tag("thead", head), tag("tbody", *rows, last), class_="steps"),
               class_="scroll", tabindex=0)
    return tag(
        "div", tag("div", *buttons, slider, class_="controls"), tag("p", said) if said else "",
        grid, class_="stepper", data_name=name,
    )


def _step_cell(step: StepCell) -> Markup:
    return join([
        tag("span", step.function, class_="function"), " ",
        tag("span", step.place, class_="place"),
        tag("code", step.text),
        tag("span", step.note, class_="step-note") if step.note else "",
    ])


def time_lanes(title: str, spans: Sequence[Span]) -> Markup:
    """Threads over time, what they hold above what they do; the axis begins at the first span."""
    if not spans:
        return tag("p", f"{title}: no waits", class_="note")
    threads = list(dict.fromkeys(span.thread for span in spans))
    start = min(span.start_us for span in spans)
    length = max(max(span.end_us for span in spans) - start, 1e-3)
    lanes = []
    for thread in threads:
        rows = [
            [_span(span, start, length) for span in spans
             if span.thread == thread and (span.kind == "hold") is holds]
            for holds in (True, False)
        ]
        stack = tag("div", *(tag("div", *row, class_="lane") for row in rows if row))
        lanes.append(
            tag("div", tag("span", thread, class_="lane-name"), stack, class_="lane-row")
        )
    marks = [
        tag("span", format_us(length * part / 4), class_="mark", style=f"left:{25 * part}%")
        for part in range(5)
    ]
    axis = tag("div", tag("span", class_="lane-name"), tag("div", *marks, class_="lane axis"),
               class_="lane-row")
    return tag(
        "figure", tag("figcaption", title), *lanes, axis,
        tag("p", "Select a piece to see where it happens.", class_="source", aria_live="polite"),
        class_="lanes",
    )


def _span(span: Span, start_us: float, length_us: float) -> Markup:
    left = 100 * (span.start_us - start_us) / length_us
    width = max(0.4, 100 * (span.end_us - span.start_us) / length_us)
    took = format_us(span.end_us - span.start_us)
    source = f"{span.thread}: {span.label}, {took}"
    if span.place or span.text:
        source += f" · {': '.join(part for part in (span.place, span.text) if part)}"
    return tag(
        "button", span.label, type="button", class_=f"span {span.kind}",
        style=f"left:{left:.3f}%;width:{min(width, 100 - left):.3f}%", data_source=source,
        title=source,
    )
