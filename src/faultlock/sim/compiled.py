# SPDX-License-Identifier: GPL-2.0-only
"""Functions of the event engine: written in Python, run as machine code.

A function under `@compiled` runs as machine code when its first argument is a handle
(handle.py), and as the plain Python that it is when that is an Engine or anything else.  So the
whole engine can be run by the Python interpreter too, and a test holds the two against each
other.  translate/module.py says what these functions may contain, engine_text.py what besides.

The functions that a simulation calls (ENTRY_POINTS) are one LLVM module with all that they call.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from faultlock.translate.functions import CompiledFunction, Handle, Library
from faultlock.translate.kinds import Kind

if TYPE_CHECKING:
    from faultlock.sim.engine_text import EngineWriter

__all__ = ["ENTRY_POINTS", "CompiledFunction", "compiled", "functions"]

Function = TypeVar("Function", bound=Callable[..., Any])

ENTRY_POINTS = (
    "engine.run_events", "starting.start_interrupt_thread", "starting.start_main_thread",
    "starting.start_queued_thread", "starting.start_thread", "starting.start_waiting_thread",
    "timers.push",
)  # fmt: skip


class EngineLibrary(Library):
    """The compiled functions of the simulator."""

    name = "the engine"

    def exports(self) -> list[CompiledFunction]:
        """The functions that a simulation calls."""
        importlib.import_module("faultlock.sim.engine")
        importlib.import_module("faultlock.sim.starting")
        return [self.functions[name] for name in ENTRY_POINTS]

    def is_export(self, function: CompiledFunction) -> bool:
        """Whether a simulation calls it."""
        return function.name in ENTRY_POINTS

    def kind_of(self, text: str, names: dict[str, Any]) -> Kind | None:
        """Also: an Engine by its handle, and the model's code by its address."""
        if text == "Engine":
            from faultlock.sim.handle import ENGINE

            return ENGINE
        return "ptr" if text == "Step" else super().kind_of(text, names)

    @property
    def writer(self) -> type[EngineWriter]:
        """What translates them."""
        from faultlock.sim.engine_text import EngineWriter

        return EngineWriter


class EngineFunction(CompiledFunction):
    """One function of the engine, callable with a handle or as plain Python."""

    def __call__(self, *arguments: Any) -> Any:
        if not arguments or not isinstance(arguments[0], Handle):
            return self.python(*arguments)
        return super().__call__(*arguments)


library = EngineLibrary(__file__)
functions = library.functions


def compiled(function: Function) -> Function:
    """A function of the engine (see the module's docstring)."""
    return cast(Function, EngineFunction(function, library))
