# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-untyped-call"
"""One pointer to all of the engine's arrays, for compiled functions.

Passing a NamedTuple of some seventy arrays by value makes every compiled function slow to
compile and to call; a numba StructRef with the same fields is one pointer.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
from numba.core import types
from numba.experimental import structref

from faultlock.sim.arrays import Engine


@structref.register
class EngineType(types.StructRef):
    """The numba type of the handle; its fields are those of Engine."""


class EngineHandle(structref.StructRefProxy):
    """The handle as Python sees it; the arrays themselves stay reachable through Engine."""


structref.define_boxing(EngineType, EngineHandle)


@functools.cache  # compiling it takes a second, more than many a simulation
def _constructor(fields: tuple[tuple[str, Any], ...]) -> Any:
    struct_type = EngineType(fields)
    names = [name for name, _ in fields]
    lines = [f"def build({', '.join(names)}):", "    handle = new(struct_type)"]
    lines += [f"    handle.{name} = {name}" for name in names]
    lines.append("    return handle")
    space = {"new": structref.new, "struct_type": struct_type}
    exec("\n".join(lines), space)
    return numba.njit(space["build"])


def make_handle(engine: Engine) -> Any:
    """A handle to these arrays (they must stay alive as long as it is used: it counts them)."""
    fields = tuple((name, numba.typeof(getattr(engine, name))) for name in Engine._fields)
    return _constructor(fields)(*engine)
