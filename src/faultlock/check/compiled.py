# SPDX-License-Identifier: GPL-2.0-only
"""Functions of the checker that run as machine code.

A function under `@compiled` is called from Python; one under `@inlined` is a part of such
functions (translate/module.py says what they may contain).  Besides they may call intrinsics.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from faultlock.translate.functions import CompiledFunction, Handle, Library, compile_functions

if TYPE_CHECKING:
    from faultlock.check.search_text import SearchWriter

__all__ = ["CompiledFunction", "compile_functions", "compiled", "functions", "handle",
           "import_all", "inlined"]

Function = TypeVar("Function", bound=Callable[..., Any])


class SearchLibrary(Library):
    """The compiled functions of the checker."""

    name = "the checker"

    def exports(self) -> list[CompiledFunction]:
        """Every function of the package that is under `@compiled`."""
        import_all()
        return [function for _, function in sorted(self.functions.items())
                if self.is_export(function)]

    @property
    def writer(self) -> type[SearchWriter]:
        """What translates them."""
        from faultlock.check.search_text import SearchWriter

        return SearchWriter


library = SearchLibrary(__file__)
functions = library.functions


def compiled(function: Function) -> Function:
    """A function that Python calls (see the module's docstring)."""
    return cast(Function, CompiledFunction(function, library))


def inlined(function: Function) -> Function:
    """A part of compiled functions: it becomes a part of each of its callers."""
    return cast(Function, CompiledFunction(function, library, inlined=True))


def handle(values: Any) -> Any:
    """What a compiled function takes instead of this NamedTuple, made once for many calls."""
    return Handle(values)


def import_all() -> None:
    """Import every module of the checker that has functions for Python to call."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if b"\n@compiled\n" in path.read_bytes():
            importlib.import_module(f"faultlock.check.{path.stem}")
