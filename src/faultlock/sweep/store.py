# SPDX-License-Identifier: GPL-2.0-only
"""A sweep on disk: a folder with sweep.json and one Parquet file per finished cell.

A cell's file appears whole or not at all, so an interrupted sweep goes on where it was.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from faultlock.errors import FaultlockError, atomic_write
from faultlock.sweep.cell import Row

MANIFEST = "sweep.json"
SAME = ("digest", "version")
MAX_MANIFEST_BYTES = 64 << 20


class Store:
    """The folder of one sweep."""

    def __init__(self, folder: Path, manifest: dict[str, Any], restart: bool = False) -> None:
        """Open or create.  Raises FaultlockError when the folder holds something else."""
        self.folder = folder
        self._cells = folder / "cells"
        if restart and (folder / MANIFEST).is_file():
            shutil.rmtree(self._cells, ignore_errors=True)
            (folder / MANIFEST).unlink()
        self._check(manifest)
        try:
            self._cells.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FaultlockError(f"{folder}: cannot be made: {error.strerror}") from None
        with atomic_write(folder / MANIFEST) as stream:
            json.dump(manifest, stream, indent=2)

    def _check(self, manifest: dict[str, Any]) -> None:
        path = self.folder / MANIFEST
        if not path.exists():
            if self.folder.exists() and (
                not self.folder.is_dir() or any(self.folder.iterdir())
            ):
                raise FaultlockError(
                    f"{self.folder}: is there already and holds no sweep; name another folder"
                )
            return
        known = read_manifest(self.folder)
        for key in SAME:
            if known.get(key) != manifest[key]:
                what = "another grid, workload or policy text" if key == "digest" else "another "\
                    f"version ({known.get(key)})"
                raise FaultlockError(
                    f"{self.folder}: holds a sweep of {what}; name another folder, "
                    "or --restart to throw it away"
                )

    def _path(self, number: int) -> Path:
        return self._cells / f"{number:06}.parquet"

    def done(self) -> set[int]:
        """Numbers of the finished cells."""
        return {int(path.stem) for path in self._cells.glob("*.parquet") if path.stem.isdigit()}

    def put(self, number: int, rows: list[Row]) -> None:
        """Keep the rows of one cell."""
        import polars

        with atomic_write(self._path(number), "wb") as stream:
            polars.DataFrame(rows).write_parquet(stream)

    def rows(self) -> list[Row]:
        """All rows, by cell.  Raises FaultlockError on a file that is no Parquet."""
        import polars

        found: list[Row] = []
        for number in sorted(self.done()):
            try:
                found += polars.read_parquet(self._path(number)).to_dicts()
            except (OSError, polars.exceptions.PolarsError) as error:
                raise FaultlockError(
                    f"{self._path(number)}: {str(error)[:120]}; remove it, the same command "
                    "makes it again"
                ) from None
        return found


def read_manifest(folder: Path) -> dict[str, Any]:
    """sweep.json of a folder.  Raises FaultlockError when it is not one."""
    path = folder / MANIFEST
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise FaultlockError(f"{path}: too large for a manifest")
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FaultlockError(f"{path}: cannot be read: {error}") from None
    if not isinstance(value, dict) or value.get("schema") != "faultlock-sweep/1":
        raise FaultlockError(f"{path}: is no sweep of faultlock (schema faultlock-sweep/1)")
    return value
