# SPDX-License-Identifier: GPL-2.0-only
"""Finding workloads: shipped ones by name, others by path; and changing single keys (`--set`)."""

from __future__ import annotations

import copy
import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from faultlock.errors import FaultlockError
from faultlock.workload.operations import OPERATIONS, default_actor
from faultlock.workload.read import MAX_FILE_BYTES, WorkloadError, nearest, read_document
from faultlock.workload.schema import Workload

SHIPPED = Path(__file__).parent / "shipped"
_SET_PART = re.compile(r"[A-Za-z0-9_-]{1,100}")


def shipped_names() -> list[str]:
    """Names of the shipped workloads, sorted: first the top ones, then `ground-truth/NAME`."""
    paths = sorted(path.relative_to(SHIPPED).with_suffix("") for path in SHIPPED.rglob("*.toml"))
    return [path.as_posix() for path in sorted(paths, key=lambda path: (len(path.parts), path))]


def shipped_path(name: str) -> Path | None:
    """The file of a shipped workload; the part after the last / is enough where it is unique."""
    for candidate in shipped_names():
        if name in (candidate, candidate.rpartition("/")[2]):
            return SHIPPED / f"{candidate}.toml"
    return None


def load(name: str | Path) -> Workload:
    """The shipped workload `name`, or the one in the file `name`.

    A name with a slash or ending in .toml that is no shipped one is a path.
    Raises WorkloadError: unknown name (with the nearest), unreadable, no TOML, not valid.
    """
    text = str(name)
    path = shipped_path(text.removesuffix(".toml")) if not Path(text).is_file() else None
    if path is None:
        path = Path(text)
        if not path.exists() and "/" not in text and not text.endswith(".toml"):
            names = shipped_names()
            short = [item.rpartition("/")[2] for item in names]
            if not difflib.get_close_matches(text, short, n=1):
                short = [item for item in names if "/" not in item]
            raise WorkloadError(
                f"there is no shipped workload {text!r} ({nearest(text, short)}; "
                "`faultlock workloads` lists them; a file is named by its path)"
            )
        return loads(_text_of(path), str(path))
    shown = path.relative_to(SHIPPED).with_suffix("").as_posix()
    return loads(_text_of(path), f"shipped workload {shown}", path.stem)


def text_of(name: str) -> str:
    """The text of a shipped workload's file, or of the file `name`. Raises WorkloadError."""
    return _text_of(shipped_path(name) or Path(load(name).path))


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise WorkloadError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise WorkloadError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB, no workload file")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise WorkloadError(f"{path}: no UTF-8 text, so no workload file") from None


def loads(text: str, path: str, name: str = "") -> Workload:
    """A workload from TOML text; `path` appears in messages. Raises WorkloadError."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise WorkloadError(f"{path}: no valid TOML: {str(error)[:200]}") from None
    return read_document(document, path, name)


def _parsed(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError, KeyError):
        return text


def _entry(items: Any, part: str, key: str) -> Any:
    """The entry of a list of tables by its name or number."""
    known = []
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            continue
        operation = item.get("op", "")
        default = (
            default_actor(operation, item.get("proc_file", "smaps_rollup"))
            if operation in OPERATIONS
            else ""
        )
        name = item.get("name") or item.get("actor") or default
        known.append(str(name))
        if part in (name, operation, str(index)):
            return item
    raise FaultlockError(
        f"--set {key}: there is no {part!r} ({nearest(part, known or map(str, range(len(items))))})"
    )


def override(workload: Workload, key: str, text: str) -> Workload:
    """The workload with one key changed: override(w, "device.latency", "2ms").

    Entries of lists are named: `threads.fork.count`, `threads.0.loop.1.think`; `threads.fork` is
    short for its count.
    Numbers, booleans and tables are written as in TOML, texts without quotes.
    Raises WorkloadError when the key does not exist or the changed workload is not valid.
    """
    document = copy.deepcopy(dict(workload.document))
    parts = key.split(".")
    if parts[0] == "threads" and len(parts) == 2:
        parts.append("count")
    if not all(_SET_PART.fullmatch(part) for part in parts):
        raise WorkloadError(
            f"--set {key[:100]!r}: not a key (write for example --set device.latency=2ms)"
        )
    table: Any = document
    for part in parts[:-1]:
        # A table that the file leaves out may still be set; an unknown name is refused below.
        is_list = isinstance(table, list)
        table = _entry(table, part, key) if is_list else table.setdefault(part, {})
        if not isinstance(table, dict | list):
            raise WorkloadError(f"--set {key}: {part!r} is a value, not a table")
    if isinstance(table, list):
        raise WorkloadError(f"--set {key}: {parts[-1]!r} is an entry of a list; name a key of it")
    value = _parsed(text)
    table[parts[-1]] = value
    try:
        return read_document(document, workload.path, workload.name)
    except WorkloadError:
        if isinstance(value, str):
            raise
        # `--set name=42`: the key may want a text that happens to look like a number.
        table[parts[-1]] = text
        try:
            return read_document(document, workload.path, workload.name)
        except WorkloadError:
            table[parts[-1]] = value
            return read_document(document, workload.path, workload.name)


def overrides(workload: Workload, settings: Iterable[str]) -> Workload:
    """Applies `KEY=VALUE` settings in order. Raises WorkloadError on a setting without `=`."""
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise WorkloadError(f"--set {setting[:100]!r}: the = is missing (write KEY=VALUE)")
        workload = override(workload, key.strip(), text.strip())
    return workload
