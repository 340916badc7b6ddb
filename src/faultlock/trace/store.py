# SPDX-License-Identifier: GPL-2.0-only
"""The file format `.flt`: one Parquet file (zstd) whose rows are events in order of time.

What is true of the whole recording is JSON under the key `faultlock.trace` of the file's
metadata. docs/reference-trace.md documents both. Any Parquet reader opens such a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from faultlock.errors import FaultlockError, LimitReached, atomic_write
from faultlock.trace.events import (
    COLUMNS,
    COMMON_COLUMNS,
    EVENTS,
    LIMITS,
    MAX_EVENTS,
    SCHEMA_VERSION,
)

METADATA_KEY = b"faultlock.trace"
_ROWS_PER_GROUP = 1 << 17
_MAX_METADATA_BYTES = 16 << 20
_MAX_FILE_BYTES = 2 << 30
_ARROW = {
    "u64": pa.uint64(),
    "u32": pa.uint32(),
    "u8": pa.uint8(),
    "i64": pa.int64(),
    "bool": pa.bool_(),
    "name": pa.dictionary(pa.int32(), pa.string()),
}


@dataclass
class TraceHeader:
    """What is true of a whole recording. Unknown is None (or empty), never a guess."""

    source: str
    schema_version: int = SCHEMA_VERSION
    kernel_version: str | None = None
    cpu_count: int | None = None
    memory_bytes: int | None = None
    clock: str | None = None
    command: list[str] = field(default_factory=list)
    root_tids: list[int] = field(default_factory=list)
    page_cache_dropped: bool | None = None
    readahead_bytes: dict[str, int] = field(default_factory=dict)
    lost_events: int = 0
    unparseable_lines: int = 0
    unknown_events: dict[str, int] = field(default_factory=dict)


@dataclass
class Trace:
    """A recording in memory: one narrow table per event type, rows in order of time.

    Every table has the common columns, the event's own ones, and `sequence`: the position of the
    row among all events (u32), which orders events of the same time.
    """

    header: TraceHeader
    tables: dict[str, pl.DataFrame]

    @cached_property
    def event_count(self) -> int:
        """Number of events of all types."""
        return sum(len(table) for table in self.tables.values())

    @cached_property
    def span_ns(self) -> tuple[int, int]:
        """Time of the first and of the last event, ns; (0, 0) when there is none."""
        tables = [table["time_ns"] for table in self.tables.values() if len(table)]
        if not tables:
            return (0, 0)
        return (min(int(t[0]) for t in tables), max(int(t[-1]) for t in tables))

    def table(self, event: str) -> pl.DataFrame:
        """The events of one type; an empty table with the right columns if there is none."""
        if event in self.tables:
            return self.tables[event]
        names = (*COMMON_COLUMNS, *EVENTS[event])
        schema = {name: _polars_type(COLUMNS[name].kind) for name in names}
        return pl.DataFrame(schema={**schema, "sequence": pl.UInt32()})


def _polars_type(kind: str) -> pl.DataType:
    types: dict[str, pl.DataType] = {
        "u64": pl.UInt64(),
        "u32": pl.UInt32(),
        "u8": pl.UInt8(),
        "i64": pl.Int64(),
        "bool": pl.Boolean(),
        "name": pl.Categorical(),
    }
    return types[kind]


def arrow_schema(header: TraceHeader) -> pa.Schema:
    """The schema of the file, with the header as metadata."""
    columns = [pa.field(column.name, _ARROW[column.kind]) for column in COLUMNS.values()]
    metadata = {METADATA_KEY: json.dumps(asdict(header), ensure_ascii=True).encode()}
    return pa.schema(columns, metadata=metadata)


def in_order_of_time(tables: Mapping[str, pl.DataFrame], tie_break: str) -> dict[str, pl.DataFrame]:
    """Give every row its `sequence` among all: by time_ns, then by `tie_break`, which goes."""
    names = [name for name, table in tables.items() if len(table)]
    if not names:
        return {}
    times = np.concatenate([tables[name]["time_ns"].to_numpy() for name in names])
    ties = np.concatenate([tables[name][tie_break].to_numpy() for name in names])
    order = np.lexsort((ties, times))
    sequence = np.empty(len(order), dtype=np.uint32)
    sequence[order] = np.arange(len(order), dtype=np.uint32)
    result, start = {}, 0
    for name in names:
        table = tables[name]
        rank = pl.Series("sequence", sequence[start : start + len(table)])
        start += len(table)
        result[name] = table.drop(tie_break).with_columns(rank).sort("sequence")
    return result


def _row_groups(trace: Trace) -> Iterator[pl.DataFrame]:
    """Wide tables of consecutive events, with a column `event`."""
    for first in range(0, trace.event_count, _ROWS_PER_GROUP):
        parts = []
        for name, table in trace.tables.items():
            low, high = np.searchsorted(
                table["sequence"].to_numpy(), [first, first + _ROWS_PER_GROUP]
            )
            if high > low:
                part = table.slice(int(low), int(high - low))
                parts.append(part.with_columns(pl.lit(name).alias("event")))
        yield pl.concat(parts, how="diagonal_relaxed").sort("sequence")


def write_trace(trace: Trace, path: Path, compression_level: int = 9) -> None:
    """Write a recording, whole or not at all."""
    schema = arrow_schema(trace.header)
    with atomic_write(path, "wb") as stream:
        writer = pq.ParquetWriter(
            stream,
            schema,
            compression="zstd",
            compression_level=compression_level,
            use_dictionary=[name for name, column in COLUMNS.items() if column.kind == "name"],
            column_encoding={
                name: "DELTA_BINARY_PACKED"
                for name, column in COLUMNS.items()
                if column.kind in ("u64", "u32", "i64")
            },
            write_statistics=False,
        )
        with writer:
            for wide in _row_groups(trace):
                arrays = []
                for column in COLUMNS.values():
                    if column.name in wide.columns:
                        series = wide[column.name]
                        if column.kind == "name":
                            series = series.cast(pl.String)
                        arrays.append(series.to_arrow().cast(_plain(column.kind)))
                    else:
                        arrays.append(pa.nulls(len(wide), _plain(column.kind)))
                arrays = [
                    array.dictionary_encode() if column.kind == "name" else array
                    for array, column in zip(arrays, COLUMNS.values(), strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _plain(kind: str) -> pa.DataType:
    return pa.string() if kind == "name" else _ARROW[kind]


def read_trace(path: Path) -> Trace:
    """Read a `.flt` file.

    Raises FaultlockError when it is no recording, damaged, or of a newer schema; LimitReached
    when it holds more than MAX_EVENTS events.
    """
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise LimitReached(f"{path}: larger than {_MAX_FILE_BYTES >> 30} GiB; record less")
        file = pq.ParquetFile(
            path,
            read_dictionary=[name for name, column in COLUMNS.items() if column.kind == "name"],
            thrift_string_size_limit=_MAX_METADATA_BYTES,
            thrift_container_size_limit=1_000_000,
        )
    except OSError as error:
        if error.strerror:
            text = f"cannot be read: {error.strerror}; check the name and its permissions"
        else:
            text = "is not a recording (.flt); make one with faultlock record or faultlock import"
        raise FaultlockError(f"{path}: {text}") from None
    except (pa.ArrowException, KeyError, ValueError):  # columns are missing, a name is no UTF-8
        raise FaultlockError(
            f"{path}: is not a recording (.flt); make one with faultlock record or faultlock import"
        ) from None
    with file:
        header = _read_header(file, path)
        _check_shape(file, path)
        try:
            tables = _read_tables(file)
        except (OSError, pa.ArrowException, pl.exceptions.PolarsError, ValueError) as error:
            raise FaultlockError(
                f"{path}: damaged ({str(error).splitlines()[0][:100]}); record or import it again"
            ) from None
    return Trace(header, tables)


def _read_header(file: pq.ParquetFile, path: Path) -> TraceHeader:
    """The header of the file, every field checked for its type."""
    metadata = file.schema_arrow.metadata or {}
    text = metadata.get(METADATA_KEY)
    if text is None:
        raise FaultlockError(
            f"{path}: a Parquet file but not a recording (no key {METADATA_KEY.decode()}); "
            "make one with faultlock record or faultlock import"
        )
    try:
        values = json.loads(text)
        version = values["schema_version"]
        if not isinstance(version, int) or version < 1:
            raise ValueError("schema_version")
        if version <= SCHEMA_VERSION:
            return _header_from(values)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FaultlockError(
            f"{path}: its header is damaged ({str(error)[:60]}); record or import it again"
        ) from None
    raise FaultlockError(
        f"{path}: has schema version {version}, this faultlock reads up to {SCHEMA_VERSION}; "
        "use a newer faultlock"
    )


def _header_from(values: dict[str, Any]) -> TraceHeader:
    """Known keys only; a value of another type than the default's is refused."""
    checks: dict[str, tuple[type, ...]] = {
        "source": (str,),
        "schema_version": (int,),
        "kernel_version": (str, type(None)),
        "cpu_count": (int, type(None)),
        "memory_bytes": (int, type(None)),
        "clock": (str, type(None)),
        "command": (list,),
        "root_tids": (list,),
        "page_cache_dropped": (bool, type(None)),
        "readahead_bytes": (dict,),
        "lost_events": (int,),
        "unparseable_lines": (int,),
        "unknown_events": (dict,),
    }
    known = {}
    for item in fields(TraceHeader):
        if item.name in values:
            if not isinstance(values[item.name], checks[item.name]):
                raise ValueError(item.name)
            known[item.name] = values[item.name]
    header = TraceHeader(**known)
    numbers = [*header.root_tids, *header.readahead_bytes.values(), *header.unknown_events.values()]
    if not all(isinstance(n, int) for n in numbers):
        raise ValueError("a number is not a number")
    if not all(isinstance(word, str) for word in header.command):
        raise ValueError("command")
    return header


def _check_shape(file: pq.ParquetFile, path: Path) -> None:
    """Refuse what would not fit into memory, and columns of other types, before reading rows."""
    rows = file.metadata.num_rows
    if rows > MAX_EVENTS:
        raise LimitReached(
            f"{path}: {rows:,} events, the limit is {MAX_EVENTS:,}; record for a shorter time"
        )
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        if group.num_rows > 2 * _ROWS_PER_GROUP or group.num_rows < 0:
            raise FaultlockError(f"{path}: row group {number} is damaged; record or import again")
    schema = file.schema_arrow
    for column in COLUMNS.values():
        position = schema.get_field_index(column.name)
        kind = schema.field(position).type if position >= 0 else None
        if kind != _ARROW[column.kind]:
            raise FaultlockError(
                f"{path}: column {column.name} is {kind}, expected {_ARROW[column.kind]}; "
                "record or import it again"
            )


def _read_tables(file: pq.ParquetFile) -> dict[str, pl.DataFrame]:
    """The narrow tables. Rows of an event type that this version does not know are an error."""
    parts: dict[str, list[pl.DataFrame]] = {}
    first = 0
    for number in range(file.metadata.num_row_groups):
        group = file.read_row_group(number, list(COLUMNS))
        group.validate(full=True)  # polars trusts dictionary indexes and UTF-8
        # A schema of our own: metadata of the file's fields may be anything.
        columns = {name: group.column(name).combine_chunks() for name in COLUMNS}
        wide = cast(pl.DataFrame, pl.from_arrow(pa.table(columns)))
        rank = pl.int_range(first, first + len(wide), dtype=pl.UInt32).alias("sequence")
        wide = wide.with_columns(rank, pl.col("event").cast(pl.String))
        first += len(wide)
        for (name,), table in wide.partition_by("event", as_dict=True).items():
            if name not in EVENTS:
                raise ValueError(f"unknown event {str(name)[:40]!r}")
            parts.setdefault(str(name), []).append(
                table.select(*COMMON_COLUMNS, *EVENTS[str(name)], "sequence")
            )
        for name, limit in LIMITS.items():
            highest = cast(int | None, wide[name].max())
            if highest is not None and highest > limit:
                raise ValueError(f"{name} {highest} is beyond what a kernel can mean")
        del wide
    return {name: pl.concat(tables) for name, tables in parts.items()}
