# SPDX-License-Identifier: GPL-2.0-only
"""What numba lacks: calls through raw addresses, atomic operations on array elements.

The search is compiled once per installation; the model's native code is called through its
address, so that no engine is compiled again for another policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from faultlock.lang.cache import cache_folder

Function = TypeVar("Function", bound=Callable[..., Any])

I8 = ir.IntType(8)
I32 = ir.IntType(32)
I64 = ir.IntType(64)


COMPILED_WORDS = (b"@compiled", b"@inlined", b"intrinsic")


def _compiled_folder() -> str:
    """Where compiled code is kept: numba looks only at the file of a function, not at those of
    the functions it calls, so the folder's name is a digest of all files that have any."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        text = path.read_bytes()
        if any(word in text for word in COMPILED_WORDS):
            digest.update(text)
    folder = cache_folder() / f"check-{digest.hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ""  # nothing is kept
    return str(folder)


COMPILED_FOLDER = _compiled_folder()


def compiled(function: Function) -> Function:
    """Compile with numba: without the interpreter lock, kept on disk.

    Reference counting of arrays is off (it took three quarters of the search's time, and two
    workers that count the same array's references slow each other down): compiled functions
    may not make arrays; the caller keeps what it passes alive.
    """
    return _njit(function, forceinline=False)


def inlined(function: Function) -> Function:
    """The same for a part of another compiled function: a call would pass some hundred words
    (every array of every tuple), which takes longer than most of these functions do."""
    return _njit(function, forceinline=True)


def _njit(function: Function, forceinline: bool) -> Function:
    njit: Any = numba.njit  # _nrt is not in its declared signature
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, COMPILED_FOLDER
    try:
        return cast(Function, njit(nogil=True, cache=bool(COMPILED_FOLDER), _nrt=False,
                                   forceinline=forceinline)(function))
    finally:
        config.CACHE_DIR = before


def _call(builder: Any, address: Any, result: Any, values: list[Any]) -> Any:
    kind = ir.FunctionType(result, [value.type for value in values])
    return builder.call(builder.inttoptr(address, kind.as_pointer()), values)


def _call_step(typing: Any, address: Any, state: Any, thread: Any, choice: Any, out: Any) -> Any:
    """i32 step(u8* state, i32 thread, i64 choice, i64* out) at `address`."""
    signature = types.int64(types.int64, types.int64, types.int64, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, state, thread, choice, out = arguments
        values = [
            builder.inttoptr(state, I8.as_pointer()),
            builder.trunc(thread, I32),
            choice,
            builder.inttoptr(out, I64.as_pointer()),
        ]
        return builder.sext(_call(builder, address, I32, values), I64)

    return signature, generate


def _call_property(typing: Any, address: Any, state: Any) -> Any:
    """i64 property(u8* state, i32 thread) at `address`, thread 0: nobody."""
    signature = types.int64(types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = [builder.inttoptr(arguments[1], I8.as_pointer()), ir.Constant(I32, 0)]
        return _call(builder, arguments[0], I64, values)

    return signature, generate


def _compare_and_swap(typing: Any, address: Any, expected: Any, value: Any) -> Any:
    """Store `value` at `address` when it holds `expected`; returns what it held."""
    signature = types.uint64(types.int64, types.uint64, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], I64.as_pointer())
        pair = builder.cmpxchg(pointer, arguments[1], arguments[2], "seq_cst", "seq_cst")
        return builder.extract_value(pair, 0)

    return signature, generate


def _fetch_add(typing: Any, address: Any, value: Any) -> Any:
    """Add to the word at `address`; returns what it held before."""
    signature = types.int64(types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], I64.as_pointer())
        return builder.atomic_rmw("add", pointer, arguments[1], "seq_cst")

    return signature, generate


def _load_word(typing: Any, address: Any) -> Any:
    """The word at `address`, read from memory each time (acquire)."""
    signature = types.uint64(types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], I64.as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return signature, generate


call_step: Any = intrinsic(_call_step)
call_property: Any = intrinsic(_call_property)
compare_and_swap: Any = intrinsic(_compare_and_swap)
fetch_add: Any = intrinsic(_fetch_add)
load_word: Any = intrinsic(_load_word)
