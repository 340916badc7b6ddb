# SPDX-License-Identifier: GPL-2.0-only
"""One pointer to all of the engine's arrays, for its machine code.

The words behind it: the address of each array of Engine, in order, then the sizes of those
dimensions that differ from run to run (DIMENSIONS).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from faultlock.sim.arrays import SHAPES, TYPES, Engine
from faultlock.sim.compiled import Handle

FIELDS = {name: number for number, name in enumerate(Engine._fields)}
# array -> its dimensions: a number, or the word for a size that differs from run to run
DIMENSIONS: dict[str, tuple[str | int, ...]] = {"memory": ("byte",)} | {
    name: shape for shape, names in SHAPES for name in names.split()
}
SIZES = {
    size: len(FIELDS) + number
    for number, size in enumerate(
        sorted({size for shape in DIMENSIONS.values() for size in shape if isinstance(size, str)})
    )
}
ELEMENTS: dict[str, type[np.generic]] = {
    name: TYPES.get(name, np.uint8 if name == "memory" else np.int64) for name in FIELDS
}


def make_handle(engine: Engine) -> Any:
    """A handle to these arrays; it keeps them alive.

    Raises TypeError: an array that the engine's machine code cannot read."""
    words = np.zeros(len(FIELDS) + len(SIZES), dtype=np.int64)
    for name, number in FIELDS.items():
        array = getattr(engine, name)
        shape = DIMENSIONS[name]
        fixed = [size for size in shape if isinstance(size, int)]
        told = [given for size, given in zip(shape, array.shape, strict=True) if size in fixed]
        if array.dtype != ELEMENTS[name] or not array.flags.c_contiguous or told != fixed:
            raise TypeError(f"Engine.{name}: {array.dtype} {array.shape}")
        words[number] = array.ctypes.data
        for size, given in zip(shape, array.shape, strict=True):
            if isinstance(size, str):
                words[SIZES[size]] = given
    return Handle(words, engine)
