# SPDX-License-Identifier: GPL-2.0-only
"""Operations on whole segments of a state (SEGMENT words), as vector instructions.

numba does not vectorise loops over array elements whose index might be negative; these take
addresses.  All words are u64, addresses are i64 and aligned to 8.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

SEGMENT = 16  # words
MASK = (1 << 64) - 1
WORD = ir.IntType(64)
VECTOR = ir.VectorType(WORD, SEGMENT)


def _splitmix(count: int) -> list[int]:
    """Odd constants (Steele, Lea and Flood's splitmix64)."""
    found, state = [], 0
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        word = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & MASK
        word = ((word ^ word >> 27) * 0x94D049BB133111EB) & MASK
        found.append((word ^ word >> 31) | 1)
    return found


FACTORS = _splitmix(256)


def _load(builder: Any, address: Any) -> Any:
    return builder.load(builder.inttoptr(address, VECTOR.as_pointer()), align=8)


def _differences(typing: Any, left: Any, right: Any) -> Any:
    """A bit per word in which two segments differ."""
    signature = types.int64(types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        unequal = builder.icmp_unsigned("!=", _load(builder, arguments[0]),
                                        _load(builder, arguments[1]))
        return builder.zext(builder.bitcast(unequal, ir.IntType(SEGMENT)), WORD)

    return signature, generate


def _copy_segment(typing: Any, source: Any, target: Any) -> Any:
    """Copy a segment."""
    signature = types.int64(types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[1], VECTOR.as_pointer())
        builder.store(_load(builder, arguments[0]), pointer, align=8)
        return arguments[1]

    return signature, generate


def _sum_of_products(typing: Any, address: Any) -> Any:
    """Sum over the words of a segment, each folded and multiplied with its odd factor."""
    signature = types.uint64(types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words = _load(builder, arguments[0])
        folded = builder.xor(words, builder.lshr(words, ir.Constant(VECTOR, [32] * SEGMENT)))
        products = builder.mul(folded, ir.Constant(VECTOR, FACTORS[:SEGMENT]))
        kind = ir.FunctionType(WORD, [VECTOR])
        name = f"llvm.vector.reduce.add.v{SEGMENT}i64"
        module = builder.module
        reduce = module.globals.get(name) or ir.Function(module, kind, name)
        return builder.call(reduce, [products])

    return signature, generate


def _prefetch(typing: Any, address: Any) -> Any:
    """Bring the cache line at an address nearer."""
    signature = types.int64(types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        i32, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, i32, i32, i32])
        module = builder.module
        name = "llvm.prefetch.p0i8"
        function = module.globals.get(name) or ir.Function(module, kind, name)
        flags = [ir.Constant(i32, value) for value in (0, 3, 1)]
        builder.call(function, [builder.inttoptr(arguments[0], pointer), *flags])
        return arguments[0]

    return signature, generate


def _word_at(typing: Any, address: Any) -> Any:
    """The word at an address."""
    signature = types.uint64(types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], WORD.as_pointer()), align=8)

    return signature, generate


def _set_word(typing: Any, address: Any, value: Any) -> Any:
    """Store a word at an address."""
    signature = types.int64(types.int64, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], WORD.as_pointer())
        builder.store(arguments[1], pointer, align=8)
        return arguments[0]

    return signature, generate


word_at: Any = intrinsic(_word_at)
set_word: Any = intrinsic(_set_word)
differences: Any = intrinsic(_differences)
copy_segment: Any = intrinsic(_copy_segment)
sum_of_products: Any = intrinsic(_sum_of_products)
prefetch: Any = intrinsic(_prefetch)
