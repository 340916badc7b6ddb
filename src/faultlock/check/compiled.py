# SPDX-License-Identifier: GPL-2.0-only
"""Functions of the checker that run as machine code.

A function under `@compiled` is called from Python; one under `@inlined` is a part of such
functions.  All of them are one LLVM module (text_module.py says what they may contain): it
compiles in about a second, and the object code is kept in the cache folder under a digest of the
source of the checker, of the compiler and the processor.  They run without the interpreter lock
and hold no references: the caller keeps alive what it passes.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from faultlock.check.kinds import ELEMENTS

if TYPE_CHECKING:
    from faultlock.check.text_types import Signature, StructType

Function = TypeVar("Function", bound=Callable[..., Any])
SPEED_LEVEL = 2  # of LLVM's optimiser
_LOCK = threading.Lock()  # LLVM's state is not for two threads at once


class CompiledFunction:
    """One function, written in Python and run as machine code."""

    def __init__(self, python: Callable[..., Any], inlined: bool) -> None:
        self.python = python
        self.inlined = inlined
        self.name = f"{python.__module__.rpartition('.')[2]}.{python.__name__}"
        self.file = str(python.__code__.co_filename)
        self.globals: dict[str, Any] = python.__globals__
        functools.update_wrapper(self, python)

    @functools.cached_property
    def signature(self) -> Signature:
        """What it takes and gives."""
        from faultlock.check.text_types import signature_of

        return signature_of(self)

    @functools.cached_property
    def native(self) -> Any:
        """The machine code as something that ctypes calls."""
        return self.bound_to(loaded())

    def bound_to(self, engine: Any) -> Any:
        """The function in this loaded module."""
        from faultlock.check.text_types import C_TYPES

        signature = self.signature
        kinds = [C_TYPES[kind] for _, kind in signature.words]
        result = None if signature.results else C_TYPES[signature.result]
        if signature.results:
            kinds.append(ctypes.c_void_p)
        self._engine = engine  # the code lives as long as that
        address = engine.get_function_address(f"call.{self.name}")
        return ctypes.CFUNCTYPE(result, *kinds)(address)

    def __call__(self, *arguments: Any) -> Any:
        """Call the machine code.  Raises TypeError: an array of another type."""
        if self.inlined:
            raise TypeError(f"{self.name} is a part of compiled functions only")
        signature = self.signature
        words: list[Any] = []
        alive = []
        for (name, kind), argument in zip(signature.parameters, arguments, strict=True):
            if isinstance(kind, str):
                words.append(int(argument))
            elif isinstance(kind, tuple):
                words += array_words(argument, kind, f"{self.name}: {name}")
            else:
                handle = argument if isinstance(argument, Handle) else Handle(argument, kind)
                alive.append(handle)
                words.append(handle.address)
        if not signature.results:
            return self.native(*words)
        results = (ctypes.c_int64 * len(signature.results))()
        self.native(*words, results)
        return tuple(results)


class Handle:
    """One pointer to the numbers of a NamedTuple, and the addresses and sizes of its arrays."""

    def __init__(self, values: Any, kind: StructType | None = None) -> None:
        from faultlock.check.text_types import struct_type

        words: list[int] = []
        _flatten(values, kind or struct_type(cast(Any, type(values))), words)
        self._words = np.array(words, np.int64)
        self.address: int = self._words.ctypes.data
        self._alive = values


def handle(values: Any) -> Any:
    """What a compiled function takes instead of this NamedTuple, made once for many calls."""
    return Handle(values)


def _flatten(values: Any, kind: StructType, words: list[int]) -> None:
    if type(values) is not kind.python:
        raise TypeError(f"{type(values).__name__} is not {kind.python.__name__}")
    for name, field in kind.fields.items():
        value = getattr(values, name)
        if isinstance(field.type, str):
            words.append(int(value))
        elif isinstance(field.type, tuple):
            words += array_words(value, field.type, f"{kind.python.__name__}.{name}")
        else:
            _flatten(value, field.type, words)


def array_words(array: Any, kind: tuple[str, int], what: str) -> list[int]:
    """Address and sizes of an array.  Raises TypeError when it is not of this kind."""
    element, rank = kind
    if array.dtype != ELEMENTS[element] or array.ndim != rank or not array.flags.c_contiguous:
        raise TypeError(f"{what}: {array.dtype}, {array.ndim} dimensions, wanted {element}, {rank}")
    return [array.__array_interface__["data"][0], *array.shape]


functions: dict[str, CompiledFunction] = {}  # by "module.name"


def compiled(function: Function) -> Function:
    """A function that Python calls (see the module's docstring)."""
    return _made(function, inlined=False)


def inlined(function: Function) -> Function:
    """A part of compiled functions: it becomes a part of each of its callers."""
    return _made(function, inlined=True)


def _made(function: Function, inlined: bool) -> Function:
    made = CompiledFunction(function, inlined)
    functions[made.name] = made
    return cast(Function, made)


def loaded() -> Any:
    """The module with all functions, from the cache or compiled now."""
    with _LOCK:
        return _loaded()


@functools.cache
def _loaded() -> Any:
    from faultlock.lang import native
    from faultlock.lang.cache import cache_folder

    path = cache_folder() / f"{native.digest(source_digest())}.o"
    machine_code = native.kept_code(path)
    if machine_code is None:
        import_all()
        here = str(Path(__file__).parent)
        machine_code = compile_functions([
            functions[name] for name in sorted(functions)
            if not functions[name].inlined and functions[name].file.startswith(here)])
        native.save(path, machine_code)
    return native.load_object(machine_code)


def import_all() -> None:
    """Import every module of the checker that has functions for Python to call."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if b"\n@compiled\n" in path.read_bytes():
            importlib.import_module(f"faultlock.check.{path.stem}")


def compile_functions(exports: Sequence[CompiledFunction]) -> bytes:
    """Object code with `call.NAME` for each of these functions, and of all that they call."""
    import llvmlite.binding as llvm

    from faultlock.check.text_module import module_text
    from faultlock.lang.native import target_machine

    machine = target_machine(SPEED_LEVEL)
    module = llvm.parse_assembly(module_text(exports))
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=SPEED_LEVEL)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


@functools.cache
def source_digest() -> str:
    """Digest of the source of the checker, which holds both the functions and their compiler,
    and of what that takes from the compiler of the model."""
    from faultlock.lang.cache import compiler_digest

    digest = hashlib.sha256(compiler_digest().encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
