# SPDX-License-Identifier: GPL-2.0-only
"""Grids, the folder of a sweep, means and heat maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faultlock.errors import FaultlockError
from faultlock.sweep.grid import make_cells, manifest, parse_grid
from faultlock.sweep.store import Store
from faultlock.sweep.summary import heat_maps, parse_metric, points
from faultlock.workload.library import load


def test_grid_words_become_keys_and_values() -> None:
    assert parse_grid(["device.latency=0.1ms,1ms", "threads.0.think=uniform(1ms, 2ms),0s"]) == [
        ("device.latency", ["0.1ms", "1ms"]),
        ("threads.0.think", ["uniform(1ms, 2ms)", "0s"]),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["device.latency"], "write KEY=VALUE,VALUE"),
        (["=1"], "write KEY=VALUE,VALUE"),
        (["device.latency=1ms,"], "write KEY=VALUE,VALUE"),
        (["a=1,1"], "a value is given twice"),
        (["a=1", "a=2"], "given twice; put all values into one"),
    ],
)
def test_bad_grid_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(FaultlockError, match=message):
        parse_grid(words)


def cells(policies: list[str] | None = None) -> list[Any]:
    grid = parse_grid(["device.latency=1ms,2ms", "machine.cpus=2,4"])
    return make_cells(load("fork-storm"), policies or ["drop-retry", "hold"], grid, 5, 2)


def test_cells_are_all_combinations_with_their_workload() -> None:
    made = cells()
    assert [cell.number for cell in made] == list(range(8))
    assert made[0].seeds == (5, 6)
    assert made[-1].settings == (("device.latency", "2ms"), ("machine.cpus", "4"))
    assert made[-1].document["machine"]["cpus"] == 4
    assert made[0].document["machine"]["cpus"] == 2
    assert {cell.policy_files for cell in made} == {()}


def test_settings_and_policies_are_checked_before_anything_runs() -> None:
    with pytest.raises(FaultlockError, match="latencyy"):
        make_cells(load("fork-storm"), ["hold"], [("device.latencyy", ["1ms"])], 1, 1)
    with pytest.raises(FaultlockError, match="did you mean hold"):
        make_cells(load("fork-storm"), ["hodl"], [], 1, 1)
    with pytest.raises(FaultlockError, match="at least 1"):
        make_cells(load("fork-storm"), ["hold"], [], 1, 0)


def test_a_policy_file_travels_with_its_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text('"""Mine."""\nbase = "hold"\n')
    made = make_cells(load("fork-storm"), [str(path)], [], 1, 1)
    assert made[0].policy_files == (("mine.py", '"""Mine."""\nbase = "hold"\n'),)
    other = manifest(made, "v")["digest"]
    path.write_text('"""Mine, changed."""\nbase = "hold"\n')
    made = make_cells(load("fork-storm"), [str(path)], [], 1, 1)
    assert manifest(made, "v")["digest"] != other


ROW = {"cell": 0, "policy": "hold", "seed": 1, "actor": "fork", "n": 3, "p99_us": 4.0}


def test_finished_cells_are_found_again(tmp_path: Path) -> None:
    about = manifest(cells(), "v1")
    store = Store(tmp_path / "out", about)
    store.put(3, [ROW])
    again = Store(tmp_path / "out", about)
    assert again.done() == {3}
    assert again.rows() == [ROW]


def test_another_sweep_does_not_mix_in(tmp_path: Path) -> None:
    store = Store(tmp_path / "out", manifest(cells(), "v1"))
    store.put(0, [ROW])
    with pytest.raises(FaultlockError, match="another grid, workload or policy text"):
        Store(tmp_path / "out", manifest(cells(["hold"]), "v1"))
    with pytest.raises(FaultlockError, match=r"another version \(v1\)"):
        Store(tmp_path / "out", manifest(cells(), "v2"))
    assert Store(tmp_path / "out", manifest(cells(), "v2"), restart=True).done() == set()


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(FaultlockError, match="holds no sweep"):
        Store(tmp_path, manifest(cells(), "v1"))
    assert (tmp_path / "precious").read_text() == "x"


@pytest.mark.parametrize("content", ["", "[]", '{"schema": "other"}', "{"])
def test_a_broken_manifest_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(FaultlockError, match=r"sweep\.json"):
        Store(tmp_path, manifest(cells(), "v1"))


def test_a_broken_cell_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "out", manifest(cells(), "v1"))
    store.put(0, [ROW])
    (tmp_path / "out" / "cells" / "000001.parquet").write_bytes(b"no parquet")
    with pytest.raises(FaultlockError, match=r"000001\.parquet"):
        store.rows()


def rows(values: dict[tuple[str, str], list[float]]) -> list[dict[str, Any]]:
    return [
        {"policy": policy, "a": setting, "actor": "fork", "n": 9, "seed": seed, "p99_us": value}
        for (policy, setting), numbers in values.items()
        for seed, value in enumerate(numbers)
    ]


def test_mean_and_interval() -> None:
    found = points(rows({("hold", "1"): [10.0, 12.0, 14.0]}), ["a"], "p99_us")
    assert found[0].value == 12.0
    assert found[0].half_width == pytest.approx(4.303 * 2 / 3**0.5)
    assert points(rows({("hold", "1"): [10.0]}), ["a"], "p99_us")[0].half_width is None


def test_heat_map_is_divided_by_the_first_policy() -> None:
    table = rows({("base", "1"): [2.0], ("base", "2"): [4.0], ("hold", "1"): [6.0]})
    found = points(table, ["a"], "p99_us")
    maps = heat_maps(found, {"a": ["1", "2"]}, ["base", "hold"], "fork")
    assert [(heat.title, heat.values) for heat in maps] == [("hold", ((3.0,), (None,)))]
    alone = heat_maps(found, {"a": ["1", "2"]}, ["base"], "fork")
    assert alone[0].values == ((2.0,), (4.0,))


@pytest.mark.parametrize("text", ["", "fork", "fork.p98_us", ".p99_us"])
def test_bad_metric_is_refused(text: str) -> None:
    with pytest.raises(FaultlockError, match=r"ACTOR\.METRIC"):
        parse_metric(text)
