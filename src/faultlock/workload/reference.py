# SPDX-License-Identifier: GPL-2.0-only
"""The reference of the workload file, printed from the schema itself."""

from __future__ import annotations

import dataclasses
from typing import Any

from faultlock.units import format_size_bytes, format_time_ns
from faultlock.workload import schema
from faultlock.workload.fields import key_name
from faultlock.workload.operations import ALWAYS, OPERATIONS

_TABLES: tuple[tuple[str, type[Any]], ...] = (
    ("(top of the file)", schema.Workload),
    ("[kernel]", schema.Kernel),
    ("[machine]", schema.Machine),
    ("[device]", schema.Device),
    ("[page_cache]", schema.PageCache),
    ("[[files]]", schema.File),
    ("[[mappings]]", schema.Mapping),
    ("[[threads]]", schema.Threads),
    ("an operation", schema.Operation),
)


def _default(item: dataclasses.Field[Any]) -> str:
    value: Any = item.default
    kind = item.metadata["kind"]
    if kind in ("table", "tables") or value is None:
        return ""
    if kind == "size":
        return format_size_bytes(value) if value else "0"
    if kind == "time":
        return format_time_ns(value)
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def reference_lines() -> list[str]:
    """Markdown: every table with its keys (kind, default, allowed values), then every operation."""
    lines: list[str] = []
    for title, cls in _TABLES:
        lines += [
            f"## `{title}`",
            "",
            "| key | kind | default | meaning |",
            "| --- | --- | --- | --- |",
        ]
        for item in dataclasses.fields(cls):
            if not item.metadata:
                continue
            choices = [choice for choice in item.metadata.get("choices", ()) if choice]
            allowed = f" ({', '.join(choices)})" if choices else ""
            lines.append(
                f"| {key_name(item)} | {item.metadata['kind']} | {_default(item)} "
                f"| {item.metadata['text']}{allowed} |"
            )
        lines.append("")
    lines += ["## Operations", "", f"Every operation takes {', '.join(sorted(ALWAYS))}.", ""]
    lines += ["| op | more keys | name in the results | real kernel | what is timed |",
              "| --- | --- | --- | --- | --- |"]  # fmt: skip
    for name, kind in OPERATIONS.items():
        more = ", ".join(sorted(kind.keys - ALWAYS))
        actor = kind.actor or "smaps, read_maps ..."
        real = "yes" if kind.real else "no"
        lines.append(f"| {name} | {more} | {actor} | {real} | {kind.text} |")
    return lines
