# SPDX-License-Identifier: GPL-2.0-only
"""One pointer to all of the engine's arrays, for its machine code.

The words behind it: the address of each array of Engine, in order, then the sizes of those
dimensions that differ from run to run (SHAPES); the others are constants of the machine code.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from faultlock.sim.arrays import SHAPES, TYPES, Engine
from faultlock.translate.functions import Handle
from faultlock.translate.kinds import ELEMENTS, ArrayKind, Field, StructKind


def _engine_kind() -> StructKind:
    shapes: dict[str, tuple[str | int, ...]] = {"memory": ("byte",)} | {
        name: shape for shape, names in SHAPES for name in names.split()}
    named = sorted({size for shape in shapes.values() for size in shape if isinstance(size, str)})
    words = {name: len(shapes) + number for number, name in enumerate(named)}
    elements = {element.numpy: name for name, element in ELEMENTS.items()}
    fields = {}
    for number, name in enumerate(Engine._fields):
        numpy_type = TYPES.get(name, np.uint8 if name == "memory" else np.int64)
        kind = ArrayKind(elements[numpy_type], len(shapes[name]))
        sizes = tuple(words[size] if isinstance(size, str) else str(size) for size in shapes[name])
        fields[name] = Field(kind, number, sizes)
    return StructKind(Engine, fields, len(fields) + len(words))


ENGINE = _engine_kind()


def make_handle(engine: Engine) -> Any:
    """A handle to these arrays; it keeps them alive.

    Raises TypeError: an array that the engine's machine code cannot read."""
    return Handle(engine, ENGINE)
