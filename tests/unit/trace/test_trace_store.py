# SPDX-License-Identifier: GPL-2.0-only
"""The file format: what is written is read again; what is no recording is refused."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faultlock.errors import FaultlockError, LimitReached
from faultlock.trace import store
from faultlock.trace.events import COLUMNS, EVENTS, SCHEMA_VERSION
from faultlock.trace.importer import import_text
from faultlock.trace.patterns import PATTERNS
from faultlock.trace.store import METADATA_KEY, Trace, read_trace, write_trace
from tests.paths import REPOSITORY
from tests.unit.trace.trace_samples import FTRACE


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    path = tmp_path / "trace.txt"
    path.write_text(FTRACE)
    return import_text(path, "6.18").trace


@pytest.fixture
def file(tmp_path: Path, trace: Trace) -> Path:
    path = tmp_path / "app.flt"
    write_trace(trace, path)
    return path


def test_a_recording_survives_the_file(trace: Trace, file: Path) -> None:
    again = read_trace(file)
    assert again.header == trace.header
    assert set(again.tables) == set(trace.tables)
    for name, table in again.tables.items():
        assert table.equals(trace.tables[name].select(table.columns))


def test_an_empty_recording_survives_too(tmp_path: Path, trace: Trace) -> None:
    write_trace(Trace(trace.header, {}), tmp_path / "empty.flt")
    empty = read_trace(tmp_path / "empty.flt")
    assert (empty.event_count, empty.span_ns) == (0, (0, 0))
    assert empty.table("mm_filemap_fault").columns == read_columns("mm_filemap_fault")


def read_columns(event: str) -> list[str]:
    return ["time_ns", "cpu", "tid", "tgid", "comm", *EVENTS[event], "sequence"]


def test_any_parquet_reader_sees_the_documented_columns(file: Path) -> None:
    table = pq.read_table(file)
    assert table.column_names == list(COLUMNS)
    assert table["event"].to_pylist()[0] == "page_fault_user"
    assert table["time_ns"].to_pylist() == sorted(table["time_ns"].to_pylist())
    assert json.loads(table.schema.metadata[METADATA_KEY])["kernel_version"] == "6.18"


def test_row_groups_are_joined(
    tmp_path: Path, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_ROWS_PER_GROUP", 3)
    write_trace(trace, tmp_path / "small-groups.flt")
    again = read_trace(tmp_path / "small-groups.flt")
    assert again.event_count == trace.event_count
    for name, table in again.tables.items():
        assert table.equals(trace.tables[name].select(table.columns))


def rewritten(file: Path, metadata: dict[bytes, bytes] | None = None, **columns: pa.Array) -> Path:
    table = pq.read_table(file)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, values)
    if metadata is not None:
        table = table.replace_schema_metadata(metadata)
    target = file.with_name("rewritten.flt")
    pq.write_table(table, target)
    return target


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "not a recording"),
        (b"{", "header is damaged"),
        (b"[]", "header is damaged"),
        (b'{"schema_version": 0, "source": "x"}', "header is damaged"),
        (b'{"schema_version": 1}', "header is damaged"),
        (b'{"schema_version": 1, "source": 5}', "header is damaged"),
        (b'{"schema_version": 1, "source": "x", "root_tids": ["x"]}', "header is damaged"),
        (b'{"schema_version": 1, "source": "x", "command": [1]}', "header is damaged"),
        (b"[" * 100_000, "header is damaged"),
        (b'{"schema_version": 999}', "schema version 999.*use a newer faultlock"),
    ],
)
def test_damaged_headers_are_refused(file: Path, header: bytes | None, message: str) -> None:
    metadata = {} if header is None else {METADATA_KEY: header}
    with pytest.raises(FaultlockError, match=message):
        read_trace(rewritten(file, metadata))


def test_unknown_fields_of_the_header_are_ignored(file: Path) -> None:
    header = b'{"schema_version": 1, "source": "x", "later": 5}'
    assert read_trace(rewritten(file, {METADATA_KEY: header})).header.source == "x"


def test_other_columns_and_unknown_events_are_refused(file: Path) -> None:
    rows = pq.read_table(file).num_rows
    with pytest.raises(FaultlockError, match="column tid is string"):
        read_trace(rewritten(file, tid=pa.array(["x"] * rows)))
    strange = pa.array(["strange"] * rows).dictionary_encode()
    with pytest.raises(FaultlockError, match="unknown event 'strange'"):
        read_trace(rewritten(file, event=strange))


def test_files_that_are_no_recording_are_refused(tmp_path: Path, file: Path) -> None:
    whole = file.read_bytes()
    for content in (b"", b"hello", whole[:100], whole[: len(whole) // 2], whole[:-8] + b"\xff" * 8):
        (tmp_path / "bad.flt").write_bytes(content)
        with pytest.raises(FaultlockError, match=r"bad\.flt: "):
            read_trace(tmp_path / "bad.flt")
    with pytest.raises(FaultlockError, match="No such file"):
        read_trace(tmp_path / "absent.flt")


def test_more_events_than_the_limit_are_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_EVENTS", 7)
    with pytest.raises(LimitReached, match="8 events, the limit is 7"):
        read_trace(file)


def test_a_failed_write_leaves_nothing(tmp_path: Path, trace: Trace) -> None:
    broken = Trace(trace.header, dict(trace.tables))
    broken.tables["mm_filemap_fault"] = broken.tables["mm_filemap_fault"].with_columns(
        dev=pl.lit("no number")
    )
    with pytest.raises(pa.ArrowInvalid):
        write_trace(broken, tmp_path / "half.flt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trace.txt"]


def test_every_event_has_known_columns_and_a_pattern() -> None:
    for event, columns in EVENTS.items():
        assert set(columns) <= set(COLUMNS), event
        assert event in PATTERNS or event == "vma_snapshot"
    assert set(PATTERNS) <= set(EVENTS)


def test_every_column_is_documented() -> None:
    text = (REPOSITORY / "docs" / "reference-trace.md").read_text()
    missing = [name for name in COLUMNS if f"| `{name}` |" not in text]
    missing += [event for event in EVENTS if f"`{event}`" not in text]
    assert missing == []
    assert f"schema version {SCHEMA_VERSION}" in text
