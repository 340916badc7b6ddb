# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock sweep`: a grid of settings and policies, resumable, on all cores or a cluster."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultlock.errors import EXIT_INTERRUPTED, EXIT_OK, FaultlockError, atomic_write
from faultlock.report import console
from faultlock.report.arguments import output_file, seed_number

if TYPE_CHECKING:
    from faultlock.sweep.grid import Cell
    from faultlock.sweep.store import Store

HELP = """\
Simulate every combination of settings and policies.

  faultlock sweep -w fork-storm --grid device.latency=0.1ms,1ms,10ms \\
    --grid threads.fault=1,8,64 --policies drop-retry hold my_policy.py

Finished cells are kept in a folder (one Parquet file each): the same command goes on where an
interrupted one stopped.  Read them with polars.read_parquet("sweep-fork-storm/cells/*.parquet").
With --scheduler the cells run on a Dask cluster, whose workers need the same faultlock."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-w", "--workload", default="default", help="workload or file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="a setting that is the same in all cells")
    parser.add_argument("--grid", action="append", default=[], metavar="KEY=VALUE,VALUE",
                        help="a setting to vary; repeat for more dimensions")
    parser.add_argument("-p", "--policies", nargs="+", default=["drop-retry", "hold"],
                        metavar="POLICY", help="default: drop-retry hold; the first is the base")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER",
                        help="default: sweep-WORKLOAD")
    parser.add_argument("--metric", default="", metavar="ACTOR.METRIC",
                        help="what maps and table show (default: fork.p99_us, or the first actor)")
    parser.add_argument("--seed", type=seed_number, default=1, help="first seed (default: 1)")
    parser.add_argument("--replications", type=int, default=3, help="seeds per cell (default: 3)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1,
                        help="processes (default: one per CPU)")
    parser.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster instead")
    parser.add_argument("--restart", action="store_true", help="throw earlier results away")
    parser.add_argument("--html", type=output_file, metavar="FILE",
                        help="a page with the heat maps")
    parser.add_argument("--json", action="store_true", help="the table as JSON")


def _names(policies: list[str]) -> list[str]:
    """`a b` and `a,b` alike: the values of --grid stand between commas, too."""
    return [name for part in policies for name in part.split(",") if name]


def run(arguments: argparse.Namespace) -> int:
    from faultlock.sweep.grid import make_cells, manifest, parse_grid
    from faultlock.sweep.store import Store
    from faultlock.sweep.summary import parse_metric
    from faultlock.version import version_line
    from faultlock.workload.library import load, overrides

    if arguments.workers < 1:
        raise FaultlockError(f"--workers {arguments.workers}: at least 1")
    if arguments.metric:
        parse_metric(arguments.metric)
    workload = overrides(load(arguments.workload), arguments.set)
    cells = make_cells(workload, _names(arguments.policies), parse_grid(arguments.grid),
                       arguments.seed, arguments.replications)
    about = manifest(cells, version_line())
    store = Store(arguments.output or Path(f"sweep-{workload.name}"), about, arguments.restart)
    done = store.done()
    left = [cell for cell in cells if cell.number not in done]
    if done:
        console.warn(f"{len(done)} of {len(cells)} cells are in {store.folder} already")
    try:
        _run(left, len(done), len(cells), store, arguments)
    except KeyboardInterrupt:
        console.warn(
            f"interrupted; {len(store.done())} of {len(cells)} cells are in {store.folder}; "
            "the same command goes on"
        )
        return EXIT_INTERRUPTED
    _report(store, about, arguments)
    return EXIT_OK


def _run(
    left: list[Cell], before: int, total: int, store: Store, arguments: argparse.Namespace
) -> None:
    from faultlock.sweep.run import run_dask, run_local

    with console.progress("sweep") as report:
        finished = before

        def keep(number: int, rows: list[dict[str, Any]]) -> None:
            nonlocal finished
            store.put(number, rows)
            finished += 1
            report(finished / total, f"{finished} of {total} cells")

        if not left:
            return
        if arguments.scheduler:
            run_dask(left, arguments.scheduler, keep)
        else:
            run_local(left, arguments.workers, keep)


def _report(store: Store, about: dict[str, Any], arguments: argparse.Namespace) -> None:
    from faultlock.report.sweep_page import heat_lines, sweep_page, sweep_rows
    from faultlock.sweep.summary import heat_maps, parse_metric, points

    rows = store.rows()
    actors = list(dict.fromkeys(str(row["actor"]) for row in rows))
    chosen = arguments.metric or f"{'fork' if 'fork' in actors else actors[0]}.p99_us"
    actor, metric = parse_metric(chosen)
    if actor not in actors:
        raise FaultlockError(f"--metric {chosen}: no actor {actor!r} ({', '.join(actors)})")
    keys = list(about["grid"])
    found = points(rows, keys, metric)
    table = sweep_rows(found, keys, metric)
    maps = heat_maps(found, about["grid"], about["policies"], actor)
    if arguments.html:
        command = shlex.join(["faultlock", *sys.argv[1:]])
        with atomic_write(arguments.html) as stream:
            stream.write(sweep_page(about, table, maps, chosen, command))
    if arguments.json:
        _json(about, found, metric)
        return
    console.out_table(*table)
    for heat in maps:
        console.out()
        console.out(console.paint(f"{actor} {metric}", "head"))
        console.out_table(*heat_lines(heat))
    console.out()
    console.out(f"{len(rows)} rows in {store.folder}/cells/*.parquet")


def _json(about: dict[str, Any], found: list[Any], metric: str) -> None:
    console.out_json(
        {
            **{key: about[key] for key in ("workload", "policies", "grid", "seeds")},
            "metric": metric,
            "points": [
                {
                    "policy": point.policy, "settings": dict(point.settings),
                    "actor": point.actor, "value": point.value,
                    "half_width": point.half_width, "seeds": point.seeds,
                }
                for point in found
            ],
        }
    )
