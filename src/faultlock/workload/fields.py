# SPDX-License-Identifier: GPL-2.0-only
"""How a field of a schema class says which key of the workload file it is."""

from __future__ import annotations

from dataclasses import Field, field
from typing import Any


def key(default: Any, kind: str, text: str, **limits: Any) -> Any:
    """One key of the file with its default and one sentence of explanation.

    kind: text, choice, bool, int, float, time, size, rate, distribution, table or tables.
    limits: minimum, maximum, choices, optional (None stands for "not given").
    """
    return field(default=default, metadata={"kind": kind, "text": text, **limits})


def key_name(item: Field[Any]) -> str:
    """The key in the file that belongs to a field: the name without its unit."""
    name = item.name
    for unit in ("_ns", "_bytes_per_s", "_bytes"):
        name = name.removesuffix(unit)
    return name
