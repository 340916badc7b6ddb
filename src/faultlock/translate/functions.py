# SPDX-License-Identifier: GPL-2.0-only
"""Functions that are written in Python and run as machine code, and the packages they are of.

A library is one LLVM module: all of a package's compiled functions that Python calls, and what
they call.  It compiles in a second or two; the object code is kept in the cache folder under a
digest of the package's source, the translator's and the processor.  Compiled functions run
without the interpreter lock and hold no references: the caller keeps alive what it passes.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from faultlock.translate.kinds import (
    C_TYPES,
    ELEMENTS,
    ArrayKind,
    Kind,
    Signature,
    StructKind,
    kind_of,
    struct_kind,
)

if TYPE_CHECKING:
    from faultlock.translate.statements import FunctionWriter

SPEED_LEVEL = 2  # of LLVM's optimiser
_LOCK = threading.Lock()  # LLVM's state is not for two threads at once


class Library(ABC):
    """The compiled functions of one package."""

    name: str  # for messages

    def __init__(self, file: str) -> None:
        self.folder = Path(file).parent
        self.functions: dict[str, CompiledFunction] = {}  # by "module.name"
        self._loaded: dict[str, Any] = {}

    @abstractmethod
    def exports(self) -> list[CompiledFunction]:
        """The functions that Python calls, all modules that have some imported."""

    @property
    @abstractmethod
    def writer(self) -> type[FunctionWriter]:
        """What translates its functions."""

    def kind_of(self, text: str, names: dict[str, Any]) -> Kind | None:
        """The kind that an annotation of a module with these names stands for; None: none."""
        return kind_of(text, names)

    def loaded(self, function: CompiledFunction) -> Any:
        """Loaded code with this function: from the cache, or compiled now.

        A function that is none of `exports` (a test's, say) has a module of its own."""
        from faultlock.lang import native
        from faultlock.lang.cache import cache_folder

        with _LOCK:
            alone = "" if self.is_export(function) else function.name
            if alone not in self._loaded:
                key = f"{source_digest(self.folder, Path(function.file))} {alone}"
                path = cache_folder() / f"{native.digest(key)}.o"
                machine_code = native.kept_code(path)
                if machine_code is None:
                    machine_code = compile_functions([function] if alone else self.exports())
                    native.save(path, machine_code)
                self._loaded[alone] = native.load_object(machine_code)
            return self._loaded[alone]

    def is_export(self, function: CompiledFunction) -> bool:
        """Whether the library's own module has this function for Python to call."""
        return Path(function.file).parent == self.folder and not function.inlined


class CompiledFunction:
    """One function, written in Python and run as machine code."""

    def __init__(self, python: Callable[..., Any], library: Library, inlined: bool = False) -> None:
        self.python = python
        self.library = library
        self.inlined = inlined  # a part of each of its callers, not called from Python
        self.module = python.__module__.rpartition(".")[2]
        self.name = f"{self.module}.{python.__name__}"
        self.file = str(python.__code__.co_filename)
        self.globals: dict[str, Any] = python.__globals__
        library.functions[self.name] = self
        functools.update_wrapper(self, python)

    @functools.cached_property
    def signature(self) -> Signature:
        """What it takes and gives.  Raises CompiledTextError."""
        from faultlock.translate.source import signature_of

        return signature_of(self)

    @functools.cached_property
    def native(self) -> Any:
        """The machine code as something that ctypes calls."""
        return self.bound_to(self.library.loaded(self))

    def bound_to(self, engine: Any) -> Any:
        """The function in this loaded module."""
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
                words.append(argument if kind == "float" else int(argument))
            elif isinstance(kind, ArrayKind):
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
    """One pointer to the words of a NamedTuple, made once for many calls; it keeps its arrays
    alive.  Raises TypeError: an array that is not of its field's kind."""

    def __init__(self, values: Any, kind: StructKind | None = None) -> None:
        kind = kind or struct_kind(cast(Any, type(values)))
        words = np.zeros(kind.words, np.int64)
        _fill(words, values, kind)
        self.address: int = words.ctypes.data
        self._alive = (words, values)


def _fill(words: np.ndarray[Any, Any], values: Any, kind: StructKind) -> None:
    if type(values) is not kind.python:
        raise TypeError(f"{type(values).__name__} is not {kind.python.__name__}")
    for name, field in kind.fields.items():
        value = getattr(values, name)
        if isinstance(field.kind, StructKind):
            _fill(words[field.word :], value, field.kind)
        elif isinstance(field.kind, str):
            words[field.word] = int(value)
        else:
            what = f"{kind.python.__name__}.{name}"
            words[field.word], *sizes = array_words(value, field.kind, what)
            for size, given in zip(field.sizes, sizes, strict=True):
                if isinstance(size, int):
                    words[size] = given
                elif int(size) != given:
                    raise TypeError(f"{what}: sizes {value.shape}, wanted {size}")


def array_words(array: Any, kind: ArrayKind, what: str) -> list[int]:
    """Address and sizes of an array.  Raises TypeError when it is not of this kind."""
    wanted = (ELEMENTS[kind.element].numpy, kind.dimensions, True)
    if (array.dtype, array.ndim, array.flags.c_contiguous) != wanted:
        raise TypeError(f"{what}: {array.dtype}, {array.ndim} dimensions, "
                        f"wanted {kind.element}, {kind.dimensions}")
    return [array.__array_interface__["data"][0], *array.shape]


def compile_functions(exports: Sequence[CompiledFunction]) -> bytes:
    """Object code with `call.NAME` for each of these functions of one library, and of all that
    they call.  Raises CompiledTextError."""
    import llvmlite.binding as llvm

    from faultlock.lang.native import target_machine
    from faultlock.translate.module import module_text

    machine = target_machine(SPEED_LEVEL)
    module = llvm.parse_assembly(module_text(exports))
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=SPEED_LEVEL)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


@functools.cache
def source_digest(folder: Path, file: Path) -> str:
    """Digest of the source that a function is compiled from: a package (all of it, as it may
    hold what the function calls), the function's own file, and the translator."""
    from faultlock.lang.cache import compiler_digest

    digest = hashlib.sha256(compiler_digest().encode())
    translator = Path(__file__).parent
    paths = {file, *folder.glob("*.py"), *translator.glob("*.py")}
    for path in sorted(paths):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
