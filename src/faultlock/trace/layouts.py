# SPDX-License-Identifier: GPL-2.0-only
"""The beginnings of lines: who, where, when, which event; one layout per printing program.

tracefs `trace`      chromium-16054   (  16054) [001] d..2.  3317.880211: sched_switch: ...
trace-cmd report     chromium-16054   [001] d..2.  3317.880211: sched_switch:         ...
perf script          chromium 16054 [001]  3317.880211:     sched:sched_switch: ...
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from faultlock.trace.events import EVENTS
from faultlock.trace.patterns import parse_arguments

_TIME = r"(?P<seconds>\d{1,10})\.(?P<fraction>\d{1,9}):\s+"
_FTRACE = (
    r"^\s*(?P<comm>.{1,16}?)-(?P<tid>\d{1,10})\s+(?:\(\s*(?P<tgid>[\d-]{1,10})\)\s+)?"
    r"\[(?P<cpu>\d{1,6})\]\s+(?:[^\s:]{1,8}\s+)?"
    rf"{_TIME}(?P<event>[A-Za-z_0-9]{{1,100}})(?P<rest>.*)$"
)
_PERF = (
    r"^\s*(?P<comm>.{1,16}?)\s+(?:(?P<tgid>\d{1,10})/)?(?P<tid>\d{1,10})\s+"
    r"(?:\[(?P<cpu>\d{1,6})\]\s+)?"
    rf"{_TIME}(?:\d+\s+)?(?:[A-Za-z_0-9-]{{1,100}}:)?(?P<event>[A-Za-z_0-9]{{1,100}})(?P<rest>:.*)$"
)
# With several buffers trace-cmd says first which one an event is from.
_BUFFER = r"^[A-Za-z0-9_.@+-]{1,64}:\s+"
HEADERS = {"ftrace": _FTRACE, "perf": _PERF, "trace-cmd": _BUFFER + _FTRACE.removeprefix(r"^\s*")}

# Lines that are no events: headers, comments, call chains of `perf record -g`, blank lines.
_NOT_EVENTS = r"^\s*$|^#|^cpus=\d+|^\s+[0-9a-f]{6,16} |^version = |^CPU \d+ is empty"
_BEFORE_ARGUMENTS = r"^(?:\(| -> |:\s*)"
_LOST = r"LOST (\d{1,15}) (?:EVENTS|events)"


@dataclass
class Block:
    """What one block of lines holds. `tables` have a column `line` (number of the line, from 1)."""

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    unparseable: list[tuple[int, str]] = field(default_factory=list)
    unparseable_count: int = 0
    lost_events: int = 0


def detect_layout(lines: pl.Series) -> str | None:
    """The layout that most of the first lines have, or None if none has any."""
    scores = {name: int(lines.str.contains(header).sum()) for name, header in HEADERS.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > 0 else None


def _event_names() -> pl.Expr:
    """ftrace prints `sys_mmap(...)` and `sys_mmap -> ...` for sys_enter_mmap and sys_exit_mmap."""
    call = pl.col("event").str.slice(4)
    is_call = pl.col("event").str.starts_with("sys_")
    return (
        pl.when(is_call & pl.col("rest").str.starts_with("("))
        .then(pl.concat_str(pl.lit("sys_enter_"), call))
        .when(is_call & pl.col("rest").str.starts_with(" ->"))
        .then(pl.concat_str(pl.lit("sys_exit_"), call))
        .otherwise(pl.col("event"))
    )


def _headers(lines: pl.DataFrame, layout: str) -> pl.DataFrame:
    """Columns line, text, comm, tid, tgid, cpu, time_ns, event, rest; null event: no header."""
    groups = lines["text"].str.extract_groups(HEADERS[layout]).struct.unnest()
    digits = pl.col("fraction").str.len_bytes().cast(pl.Int64)
    fraction_ns = pl.col("fraction").cast(pl.Int64) * (
        pl.lit(10, pl.Int64).pow((9 - digits).cast(pl.UInt32))
    )
    seconds = pl.col("seconds").cast(pl.Int64)
    # Beyond nine billion seconds nanoseconds do not fit into 63 bits: such a line is unparseable.
    time_ns = pl.when(seconds < 9_000_000_000).then(seconds * 1_000_000_000 + fraction_ns)
    typed = groups.with_columns(
        pl.col("tid").cast(pl.UInt32, strict=False),
        pl.col("tgid").cast(pl.UInt32, strict=False),
        pl.col("cpu").cast(pl.UInt32, strict=False).fill_null(0),
        time_ns.alias("time_ns"),
        _event_names().alias("event"),
    )
    valid = pl.col("time_ns").is_not_null() & pl.col("tid").is_not_null()
    typed = typed.with_columns(pl.when(valid).then(pl.col("event")).alias("event"))
    chosen = typed.select("time_ns", "cpu", "tid", "tgid", "comm", "event", "rest")
    return pl.concat([lines, chosen], how="horizontal")


def parse_block(lines: pl.DataFrame, layout: str, keep_lines: int = 10) -> Block:
    """Parse lines (columns `line`, `text`); keep at most `keep_lines` unparseable ones."""
    block = Block()
    rows = _headers(lines, layout)
    headless = rows.filter(pl.col("event").is_null())
    if len(headless):
        lost = headless["text"].str.extract(_LOST, 1).cast(pl.Int64)
        block.lost_events = int(lost.sum() or 0)
        strange = headless.filter(lost.is_null() & ~headless["text"].str.contains(_NOT_EVENTS))
        _count_unparseable(block, strange, keep_lines)
    for (name,), group in rows.drop_nulls("event").partition_by("event", as_dict=True).items():
        if name not in EVENTS:
            block.unknown[str(name)] = len(group)
            continue
        common = group.select("line", "text", "time_ns", "cpu", "tid", "tgid", "comm")
        arguments = group["rest"].str.replace(_BEFORE_ARGUMENTS, "")
        table = parse_arguments(str(name), common, arguments)
        _count_unparseable(block, table.filter(~pl.col("parsed")), keep_lines)
        block.tables[str(name)] = table.filter(pl.col("parsed")).drop("text", "parsed")
    block.unparseable = sorted(block.unparseable)[:keep_lines]
    return block


def _count_unparseable(block: Block, rows: pl.DataFrame, keep_lines: int) -> None:
    """Count the rows and keep the first of them, cut to 200 characters."""
    block.unparseable_count += len(rows)
    for line, text in rows.select("line", "text").head(keep_lines).iter_rows():
        block.unparseable.append((line, text[:200]))
