# SPDX-License-Identifier: GPL-2.0-only
"""Functions of the event engine: written in Python, run as machine code.

A function under `@compiled` runs as machine code when its first argument is a handle
(handle.py), and as the plain Python that it is when that is an Engine or anything else.  So the
whole engine can be run by the Python interpreter too, and a test holds the two against each
other.  engine_text.py says what these functions may contain.

The functions that a simulation calls (ENTRY_POINTS) are one LLVM module with all that they call:
it compiles in about a second, and the object code is kept in the cache folder under a digest of
the engine's source, the compiler's and the processor.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from faultlock.sim.engine_text import Signature

Function = TypeVar("Function", bound=Callable[..., Any])

ENTRY_POINTS = (
    "engine.run_events", "engine.start_interrupt_thread", "engine.start_thread",
    "engine.start_waiting_thread", "timers.push",
)  # fmt: skip
SPEED_LEVEL = 2  # of LLVM's optimiser
C_TYPES: dict[str, Any] = {
    "int": ctypes.c_int64, "bool": ctypes.c_int64, "word": ctypes.c_uint64,
    "float": ctypes.c_double, "engine": ctypes.c_void_p, "step": ctypes.c_int64,
}  # fmt: skip
functions: dict[str, CompiledFunction] = {}  # by "module.name"


class Handle:
    """One pointer to the addresses and sizes of all of the engine's arrays (handle.py)."""

    def __init__(self, words: Any, arrays: Any) -> None:
        self.address: int = words.ctypes.data
        self._alive = (words, arrays)


class CompiledFunction:
    """One function of the engine, callable with a handle or as plain Python."""

    def __init__(self, python: Callable[..., Any]) -> None:
        self.python = python
        self.module = python.__module__.rpartition(".")[2]
        self.name = f"{self.module}.{python.__name__}"
        self.file = str(python.__code__.co_filename)
        self.globals: dict[str, Any] = python.__globals__
        self._native: tuple[Any, Signature] | None = None
        functools.update_wrapper(self, python)

    def __call__(self, *arguments: Any) -> Any:
        if not arguments or not isinstance(arguments[0], Handle):
            return self.python(*arguments)
        if self._native is None:
            self._native = native_function(self)
        function, signature = self._native
        words = [arguments[0].address, *(word(each) for each in arguments[1:])]
        if signature.results is None:
            return function(*words)
        results = (ctypes.c_int64 * len(signature.results))()
        function(*words, results)
        return tuple(results)


def word(argument: Any) -> Any:
    """An argument as ctypes wants it (also numpy's numbers)."""
    return argument if isinstance(argument, float) else int(argument)


def compiled(function: Function) -> Function:
    """A function of the engine (see the module's docstring)."""
    made = CompiledFunction(function)
    functions[made.name] = made
    return cast(Function, made)


def native_function(function: CompiledFunction) -> tuple[Any, Signature]:
    """The machine code of a function as something that ctypes calls."""
    from faultlock.sim.engine_text import signature_of

    exports = ENTRY_POINTS if function.name in ENTRY_POINTS else (function.name,)
    signature = signature_of(function)
    kinds = [C_TYPES[kind] for _, kind in signature.parameters]
    if signature.results is None:
        made = ctypes.CFUNCTYPE(C_TYPES.get(signature.result), *kinds)
    else:
        made = ctypes.CFUNCTYPE(None, *kinds, ctypes.c_void_p)
    return made(loaded(exports).get_function_address(f"call.{function.name}")), signature


@functools.cache
def loaded(exports: tuple[str, ...]) -> Any:
    """The module with these functions, from the cache or compiled now."""
    from faultlock.lang import native
    from faultlock.lang.cache import cache_folder

    path = cache_folder() / f"{native.digest(f'{engine_digest()} {exports}')}.o"
    machine_code = native.kept_code(path)
    if machine_code is None:
        machine_code = compile_engine(exports)
        native.save(path, machine_code)
    return native.load_object(machine_code)


def compile_engine(exports: tuple[str, ...]) -> bytes:
    """Object code of these functions and of all that they call."""
    import llvmlite.binding as llvm

    from faultlock.lang.native import target_machine
    from faultlock.sim.engine_text import module_text

    machine = target_machine(SPEED_LEVEL)
    module = llvm.parse_assembly(module_text([functions[name] for name in exports]))
    options = llvm.create_pipeline_tuning_options(speed_level=SPEED_LEVEL)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


@functools.cache
def engine_digest() -> str:
    """Digest of the source of the simulator, which holds both the engine and its compiler, and
    of what that takes from the compiler of the model."""
    from faultlock.lang.cache import compiler_digest

    digest = hashlib.sha256(compiler_digest().encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def resolve(function: CompiledFunction, name: str, attribute: str = "") -> Any:
    """What a global name (or `attribute` of a module of that name) of a function stands for.

    Raises KeyError: no such name."""
    value = function.globals[name]
    if attribute:
        if not isinstance(value, ModuleType) or not hasattr(value, attribute):
            raise KeyError(f"{name}.{attribute}")
        return getattr(value, attribute)
    return value
