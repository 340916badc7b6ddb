# SPDX-License-Identifier: GPL-2.0-only
"""The event log against the result of the same run, read back by another library."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars
import pyarrow.parquet
import pytest

from faultlock.errors import FaultlockError
from faultlock.sim import event_log
from faultlock.sim.event_log import COLUMNS, METADATA_KEY, write_events
from faultlock.sim.run import Simulation, simulate
from faultlock.workload.library import loads
from faultlock.workload.schema import Workload
from tests.e2e.test_sweep import WORKLOAD
from tests.paths import REPOSITORY

SEED = 7


def small() -> Workload:
    return loads(WORKLOAD.format(duration="60ms"), "small.toml", "small")


def test_rows_are_what_the_result_counts(tmp_path: Path) -> None:
    written = write_events(tmp_path / "run.parquet", small(), "hold", SEED)
    result = simulate(small(), "hold", SEED)
    table = polars.read_parquet(tmp_path / "run.parquet")
    assert len(table) == written.rows and written.lost == 0
    assert table["time_ns"].is_sorted()
    ended = table.filter(polars.col("event") == "OP_END")["actor"].value_counts()
    counts = dict(ended.iter_rows())
    assert counts == {name: times.n for name, times in result.actors.items() if times.n}
    waits = table.filter(polars.col("event") == "WAIT")
    assert len(waits) > 10
    for lock, roots in result.waits.items():
        total_us = waits.filter(polars.col("lock") == lock)["wait_ns"].sum() / 1000
        assert total_us == pytest.approx(sum(row["sum_us"] for row in roots.values()))
    assert waits["a"].null_count() == len(waits) == table["wait_ns"].count()
    held = waits.filter(polars.col("holder").is_not_null())
    assert len(held) and held["holder_name"].null_count() == 0
    # Who is waited for has taken that lock and not given it back before the wait began.
    row = held.row(0, named=True)
    begun = row["time_ns"] - row["wait_ns"]
    own = table.filter(
        (polars.col("thread") == row["holder"])
        & (polars.col("lock") == row["lock"])
        & (polars.col("lock_number") == row["lock_number"])
        & (polars.col("time_ns") <= begun)
        & (polars.col("event") != "WAIT")
    )
    assert own["event"].to_list()[-1] == "LOCK_ACQUIRED"
    assert own["place"].to_list()[-1] == row["holder_place"]


def test_memory_is_bounded_and_the_file_the_same_bytes_for_a_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, again = tmp_path / "whole", tmp_path / "again"
    write_events(whole, small(), "hold", SEED)
    write_events(again, small(), "hold", SEED)
    assert whole.read_bytes() == again.read_bytes()
    monkeypatch.setattr(event_log, "LOG_ROWS", 1024)
    shares: list[float] = []
    written = write_events(tmp_path / "groups", small(), "hold", SEED, shares.append)
    file = pyarrow.parquet.ParquetFile(tmp_path / "groups")
    groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert len(groups) > 2 and max(groups) <= 1024 and sum(groups) == written.rows
    assert shares == sorted(shares) and len(shares) == len(groups)
    one, two = polars.read_parquet(whole), polars.read_parquet(tmp_path / "groups")
    assert one.equals(two)
    about = json.loads(file.schema_arrow.metadata[METADATA_KEY])
    assert (about["policy"], about["seed"], about["workload"]) == ("hold", SEED, "small")


def test_what_does_not_fit_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write_events(tmp_path / "whole", small(), "drop-retry", SEED)
    monkeypatch.setattr(event_log, "LOG_ROWS", 2)
    part = write_events(tmp_path / "part", small(), "drop-retry", SEED)
    assert part.lost > 0 and part.rows + part.lost == whole.rows


def test_after_an_error_the_old_file_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(simulation: Simulation, until_ns: int, progress: object) -> bool:
        raise FaultlockError("the model broke")

    target = tmp_path / "run.parquet"
    target.write_bytes(b"before")
    monkeypatch.setattr(event_log, "advance", fails)
    with pytest.raises(FaultlockError, match="the model broke"):
        write_events(target, small(), "hold", SEED)
    assert [path.name for path in tmp_path.iterdir()] == ["run.parquet"]
    assert target.read_bytes() == b"before"
    with pytest.raises(FaultlockError, match="cannot be written"):
        write_events(tmp_path / "no" / "run.parquet", small(), "hold", SEED)


def test_every_column_is_documented() -> None:
    text = (REPOSITORY / "docs" / "reference-events.md").read_text(encoding="utf-8")
    columns = re.findall(r"^\| `([a-z_]+)` \| (signed \d+|dictionary of UTF-8) \|", text, re.M)
    kinds = {"int64": "signed 64", "int32": "signed 32"}
    assert columns == [
        (name, kinds.get(str(kind), "dictionary of UTF-8")) for name, kind in COLUMNS.items()
    ]
