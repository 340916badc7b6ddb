# SPDX-License-Identifier: GPL-2.0-only
"""Text of other programs -> a recording: ftrace, trace-cmd report, perf script."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from faultlock.errors import FaultlockError, LimitReached
from faultlock.trace.events import COLUMNS, EVENTS, MAX_EVENTS, MAX_NAMES, MAX_SPAN_NS
from faultlock.trace.layouts import Block, detect_layout, parse_block
from faultlock.trace.source import TextBlock, text_blocks
from faultlock.trace.store import Trace, TraceHeader, in_order_of_time

_MAX_UNKNOWN_NAMES = 1000
_MAX_LINES_WITHOUT = 1_000_000
KEPT_LINES = 10
_ENTRIES = re.compile(r"^# entries-in-buffer/entries-written: (\d{1,18})/(\d{1,18})\s+#P:(\d{1,6})")
_WITHOUT_SECONDS = re.compile(
    r"^.{1,60}\[\d{1,6}\]\s+(?:[^\s:]{1,8}\s+)?\d{1,20}: [A-Za-z_0-9]+[:(]"
)
_FACTS = {
    "kernel_version": re.compile(r"^# os release : (\S{1,100})$"),
    "cpu_count": re.compile(r"^(?:# nrcpus online : |cpus=)(\d{1,6})$"),
}


@dataclass
class Imported:
    """A recording and what could not be read: the first unparseable lines as (number, text)."""

    trace: Trace
    unparseable: list[tuple[int, str]]


@dataclass
class _Reading:
    """State while the blocks of a file go by."""

    path: Path
    header: TraceHeader
    tables: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    unparseable: list[tuple[int, str]] = field(default_factory=list)
    event_count: int = 0
    line_count: int = 0
    event_line: int = 0  # the last block with an event ends there
    names_count: int = 0

    def add(self, block: Block) -> None:
        """Take over a parsed block; refuse what exceeds the limits."""
        header = self.header
        header.lost_events += block.lost_events
        header.unparseable_lines += block.unparseable_count
        for name, count in block.unknown.items():
            known = name if name in header.unknown_events else "(other)"
            if len(header.unknown_events) < _MAX_UNKNOWN_NAMES:
                known = name
            header.unknown_events[known] = header.unknown_events.get(known, 0) + count
        self.unparseable += block.unparseable[: KEPT_LINES - len(self.unparseable)]
        for name, table in block.tables.items():
            if not len(table):
                continue
            self.event_count += len(table)
            texts = [c for c in table.columns if c != "line" and COLUMNS[c].kind == "name"]
            self.names_count += sum(table[c].n_unique() for c in texts if c != "comm")
            table = table.with_columns(pl.col(texts).cast(pl.Categorical))
            self.tables.setdefault(name, []).append(table)
        if block.tables or block.unknown:
            self.event_line = self.line_count
        if self.line_count - self.event_line > _MAX_LINES_WITHOUT:
            raise FaultlockError(
                f"{self.path}:{self.event_line + 1}: no event in the next "
                f"{self.line_count - self.event_line:,} lines; expected text of tracefs `trace`, "
                "`trace-cmd report` or `perf script`"
            )
        if self.event_count > MAX_EVENTS:
            raise LimitReached(
                f"{self.path}: more than {MAX_EVENTS:,} events by line {self.line_count:,}; "
                "record for a shorter time, or keep only one process"
            )


def import_text(path: Path, kernel_version: str | None = None) -> Imported:
    """Read a text trace. `kernel_version` overrides what the text says (ftrace text says
    nothing).

    Raises FaultlockError when the file holds no event this program knows, LimitReached when it
    is too large. Lines that cannot be parsed are counted in the header, the first ten are
    returned.
    """
    reading = _Reading(path, TraceHeader(source=""))
    for text in text_blocks(path):
        if not reading.header.source:
            reading.header.source = _layout(reading, text)
        _read_facts(text, reading.header)
        _check_names(reading, text)
        lines = pl.DataFrame({"text": text.lines}).with_row_index("line", text.first_line)
        reading.line_count = text.first_line + len(text.lines) - 1
        reading.add(parse_block(lines, reading.header.source or "ftrace"))
    if not reading.line_count or not reading.event_count:
        raise FaultlockError(_no_events(reading))
    if kernel_version is not None:
        reading.header.kernel_version = kernel_version
    return Imported(_assemble(reading), reading.unparseable)


def _no_events(reading: _Reading) -> str:
    """Why nothing was found, and what to do."""
    if any(_WITHOUT_SECONDS.match(text) for _, text in reading.unparseable):
        return (
            f"{reading.path}: its times have no seconds (trace_clock counter, x86-tsc or uptime); "
            "record with `echo mono > trace_clock`"
        )
    return (
        f"{reading.path}: no event that is used in {reading.line_count:,} lines; expected the text "
        "of tracefs `trace`, `trace-cmd report` or `perf script` with page-fault events"
    )


def _layout(reading: _Reading, text: TextBlock) -> str:
    """The layout of the first block that has one; "" while there is none."""
    layout = detect_layout(pl.Series("text", text.lines[:2000]))
    layout = layout or detect_layout(pl.Series("text", text.lines))
    return layout or ""


def _check_names(reading: _Reading, text: TextBlock) -> None:
    """Names are kept once each for the whole recording, so their number must be bounded."""
    if reading.names_count > MAX_NAMES:
        raise LimitReached(
            f"{reading.path}:{text.first_line}: more than {MAX_NAMES:,} different names of files "
            "and functions; is this a trace of one application?"
        )


def _read_facts(text: TextBlock, header: TraceHeader) -> None:
    """Facts in the comment lines at the beginning (and in those that perf repeats)."""
    for line in text.lines[:200]:
        if entries := _ENTRIES.match(line):
            kept, written, cpus = (int(group) for group in entries.groups())
            header.lost_events += max(0, written - kept)
            header.cpu_count = cpus
        for name, pattern in _FACTS.items():
            if fact := pattern.match(line):
                value = fact.group(1)
                setattr(header, name, int(value) if name == "cpu_count" else value)


def _assemble(reading: _Reading) -> Trace:
    """One table per event type in order of time, without the line numbers."""
    tables = {}
    for name in [name for name in EVENTS if name in reading.tables]:
        tables[name] = pl.concat(reading.tables.pop(name))
    trace = Trace(reading.header, in_order_of_time(tables, "line"))
    first_ns, last_ns = trace.span_ns
    if last_ns - first_ns > MAX_SPAN_NS:
        raise FaultlockError(
            f"{reading.path}: its times span {(last_ns - first_ns) / 86_400e9:,.0f} days "
            f"({first_ns / 1e9:.6f} to {last_ns / 1e9:.6f} s); it is damaged, or two recordings in "
            "one file: split it"
        )
    return trace
