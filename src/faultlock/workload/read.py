# SPDX-License-Identifier: GPL-2.0-only
"""From the TOML of a workload file to `Workload`, with errors that name file, key and cure."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from faultlock.errors import FaultlockError
from faultlock.units import parse_rate_bytes_per_s, parse_size_bytes, parse_time_ns
from faultlock.workload import schema
from faultlock.workload.check import check_workload
from faultlock.workload.distribution import parse_distribution
from faultlock.workload.fields import key_name
from faultlock.workload.operations import OPERATIONS, default_actor

MAX_FILE_BYTES = 4 << 20
MAX_TABLES = 4096
_TABLES: dict[str, type[Any]] = {
    "kernel": schema.Kernel,
    "machine": schema.Machine,
    "device": schema.Device,
    "page_cache": schema.PageCache,
    "files": schema.File,
    "mappings": schema.Mapping,
    "threads": schema.Threads,
    "loop": schema.Operation,
}
_QUANTITIES: dict[str, Callable[[str], int]] = {
    "time": parse_time_ns,
    "size": parse_size_bytes,
    "rate": parse_rate_bytes_per_s,
}
_EXAMPLES = {"time": "10ms", "size": "4KiB", "rate": "200MB/s"}
Table = TypeVar("Table")


class WorkloadError(FaultlockError):
    """A workload file that cannot be used: `FILE: key: what (cure)`."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`, did you mean X?` or the list of what is allowed."""
    known = [item for item in known if item]
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(known)}"


def _fail(path: str, where: str, what: str) -> WorkloadError:
    return WorkloadError(f"{path}: {where}: {what}" if where else f"{path}: {what}")


def _number(value: Any, limits: Mapping[str, Any], kind: str) -> int | float:
    allowed = (int, float) if kind == "float" else (int,)
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise FaultlockError(
            f"{value!r} is not a {'number' if kind == 'float' else 'whole number'}"
        )
    return float(value) if kind == "float" else value


def _limited(number: float, value: Any, limits: Mapping[str, Any]) -> None:
    low, high = limits.get("minimum"), limits.get("maximum")
    if low is not None and number < low:
        cure = "0 or more" if low == 0 else f"at least {low}"
        raise FaultlockError(
            f"{value!r} is {'negative' if number < 0 else 'too small'} (must be {cure})"
        )
    if high is not None and not number <= high:
        raise FaultlockError(f"{value!r} is too large (at most {high})")


def _value(value: Any, limits: Mapping[str, Any]) -> Any:
    """One value of one key. Raises FaultlockError without the place."""
    kind = limits["kind"]
    if kind == "distribution":
        return parse_distribution(value)
    if kind in ("int", "float"):
        number = _number(value, limits, kind)
        _limited(number, value, limits)
        return number
    if kind == "bool":
        if not isinstance(value, bool):
            raise FaultlockError(f"{value!r} is neither true nor false")
        return value
    if not isinstance(value, str):
        quantity = f', for example "{_EXAMPLES[kind]}"' if kind in _EXAMPLES else ""
        raise FaultlockError(f"{value!r} is not a text in quotes{quantity}")
    if kind in _QUANTITIES:
        number = _QUANTITIES[kind](value)
        _limited(number, value, limits)
        return number
    if kind == "choice" and value not in limits["choices"]:
        raise FaultlockError(f"{value!r} is not allowed ({nearest(value, limits['choices'])})")
    if len(value) > 4096 or not value.isprintable():
        raise FaultlockError(
            "the text is too long or holds control characters (printable, at most 4096 characters)"
        )
    return value


def _read_tables(name: str, value: Any, path: str, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise _fail(path, where, f"must be a list of tables (write [[{name}]])")
    if len(value) > MAX_TABLES:
        raise _fail(path, where, f"{len(value)} tables (at most {MAX_TABLES}; use count)")
    places = [f"{where}[{index}]" for index in range(len(value))]
    if name == "threads":
        return tuple(
            _read_threads(item, path, place) for item, place in zip(value, places, strict=True)
        )
    if name == "loop":
        return tuple(
            _read_operation(item, path, place) for item, place in zip(value, places, strict=True)
        )
    return tuple(
        read_table(_TABLES[name], item, path, place)
        for item, place in zip(value, places, strict=True)
    )


def read_table(cls: type[Table], table: Mapping[str, Any], path: str, where: str) -> Table:
    """An instance of a schema class from its TOML table. Raises WorkloadError."""
    fields = {key_name(item): item for item in dataclasses.fields(cls) if item.metadata}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in table.items():
        place = f"{where}.{name}" if where else name
        if name not in fields:
            raise _fail(path, place, f"unknown key ({nearest(name, fields)})")
        item = fields[name]
        kind = item.metadata["kind"]
        if kind == "table":
            if not isinstance(value, Mapping):
                raise _fail(path, place, f"must be a table (write [{name}])")
            values[item.name] = read_table(_TABLES[name], value, path, place)
        elif kind == "tables":
            values[item.name] = _read_tables(name, value, path, place)
        else:
            try:
                values[item.name] = _value(value, item.metadata)
            except FaultlockError as error:
                raise _fail(path, place, str(error)) from None
    return cls(**values)


def _read_operation(table: Mapping[str, Any], path: str, where: str) -> schema.Operation:
    name = table.get("op")
    if not isinstance(name, str) or name not in OPERATIONS:
        what = "the key op is missing" if name is None else f"unknown operation {name!r}"
        raise _fail(path, f"{where}.op", f"{what} ({nearest(str(name or ''), OPERATIONS)})")
    allowed = OPERATIONS[name].keys
    for given in table:
        if given not in allowed:
            raise _fail(
                path,
                f"{where}.{given}",
                f"{name} has no such key ({nearest(given, sorted(allowed))})",
            )
    operation = read_table(schema.Operation, table, path, where)
    return dataclasses.replace(
        operation,
        actor=operation.actor or default_actor(operation.op, operation.proc_file),
        size_bytes=operation.size_bytes or OPERATIONS[name].size_bytes,
    )


def _read_threads(table: Mapping[str, Any], path: str, where: str) -> schema.Threads:
    own = {key_name(item) for item in dataclasses.fields(schema.Threads)}
    if "op" in table:
        if "loop" in table:
            raise _fail(
                path, f"{where}.loop", "op and loop exclude each other (put op into the loop)"
            )
        short = {name: value for name, value in table.items() if name not in own}
        table = {name: value for name, value in table.items() if name in own}
        group = read_table(schema.Threads, table, path, where)
        group = dataclasses.replace(group, loop=(_read_operation(short, path, where),))
    else:
        group = read_table(schema.Threads, table, path, where)
    if not group.loop:
        raise _fail(path, where, "threads without anything to do (give op or loop)")
    return dataclasses.replace(group, name=group.name or group.loop[0].actor)


def read_document(document: Mapping[str, Any], path: str, name: str = "") -> schema.Workload:
    """A checked workload from the parsed TOML `document`; `path` is used in messages only.

    Raises WorkloadError naming the path, the key, what is wrong and the cure.
    """
    workload = read_table(schema.Workload, document, path, "")
    workload = dataclasses.replace(
        workload, name=workload.name or name or Path(path).stem, document=document, path=path
    )
    for where, what in check_workload(workload):
        raise _fail(path, where, what)
    return workload
