# SPDX-License-Identifier: GPL-2.0-only
"""What compiled functions call that is no Python: memory by address, atomic operations, vector
instructions on whole segments of a state (SEGMENT words), and the model's own native code.

Addresses are i64 and aligned to 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SEGMENT = 16  # words
MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Intrinsic:
    """A function that is written in LLVM IR; it exists in machine code only."""

    name: str
    parameters: tuple[str, ...]  # kinds: int or word
    result: str
    text: str

    def __call__(self, *arguments: Any) -> Any:
        """Not from Python."""
        raise TypeError(f"{self.name}() can be called by compiled functions only")


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
_VECTOR = f"<{SEGMENT} x i64>"
_FACTORS = ", ".join(f"i64 {factor}" for factor in FACTORS[:SEGMENT])
_SHIFTS = ", ".join(["i64 32"] * SEGMENT)

DECLARATIONS = f"""
declare i64 @llvm.vector.reduce.add.v{SEGMENT}i64({_VECTOR})
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
declare i32 @sched_yield() nounwind
"""

intrinsics: dict[str, Intrinsic] = {}


def _intrinsic(name: str, parameters: str, result: str, body: str) -> Intrinsic:
    kinds = tuple(parameters.split())
    given = ", ".join(f"i64 %{number}" for number in range(len(kinds)))
    kind = "void" if result == "none" else "i64"
    text = (f"define internal {kind} @{name}({given}) alwaysinline nounwind {{\nentry:\n"
            f"{body.strip()}\n}}\n")
    intrinsics[name] = Intrinsic(name, kinds, result, text)
    return intrinsics[name]


# step(u8* state, i32 thread, i64 choice, i64* out) at an address; its code
call_step = _intrinsic("call_step", "int int int int int", "int", """
  %f = inttoptr i64 %0 to ptr
  %state = inttoptr i64 %1 to ptr
  %thread = trunc i64 %2 to i32
  %out = inttoptr i64 %4 to ptr
  %code = call i32 %f(ptr %state, i32 %thread, i64 %3, ptr %out) nounwind
  %wide = sext i32 %code to i64
  ret i64 %wide
""")

# i64 property(u8* state, i32 thread) at an address, thread 0: nobody
call_property = _intrinsic("call_property", "int int", "int", """
  %f = inttoptr i64 %0 to ptr
  %state = inttoptr i64 %1 to ptr
  %value = call i64 %f(ptr %state, i32 0) nounwind
  ret i64 %value
""")

# store a value at an address when it holds what is expected; what it held
compare_and_swap = _intrinsic("compare_and_swap", "int word word", "word", """
  %p = inttoptr i64 %0 to ptr
  %pair = cmpxchg ptr %p, i64 %1, i64 %2 seq_cst seq_cst
  %held = extractvalue { i64, i1 } %pair, 0
  ret i64 %held
""")

# add to the word at an address; what it held before
fetch_add = _intrinsic("fetch_add", "int int", "int", """
  %p = inttoptr i64 %0 to ptr
  %held = atomicrmw add ptr %p, i64 %1 seq_cst
  ret i64 %held
""")

# the word at an address, read from memory each time
load_word = _intrinsic("load_word", "int", "word", """
  %p = inttoptr i64 %0 to ptr
  %held = load atomic i64, ptr %p acquire, align 8
  ret i64 %held
""")

word_at = _intrinsic("word_at", "int", "word", """
  %p = inttoptr i64 %0 to ptr
  %held = load i64, ptr %p, align 8
  ret i64 %held
""")

set_word = _intrinsic("set_word", "int word", "none", """
  %p = inttoptr i64 %0 to ptr
  store i64 %1, ptr %p, align 8
  ret void
""")

# a bit per word in which two segments differ
differences = _intrinsic("differences", "int int", "int", f"""
  %p = inttoptr i64 %0 to ptr
  %q = inttoptr i64 %1 to ptr
  %left = load {_VECTOR}, ptr %p, align 8
  %right = load {_VECTOR}, ptr %q, align 8
  %unequal = icmp ne {_VECTOR} %left, %right
  %bits = bitcast <{SEGMENT} x i1> %unequal to i{SEGMENT}
  %wide = zext i{SEGMENT} %bits to i64
  ret i64 %wide
""")

copy_segment = _intrinsic("copy_segment", "int int", "none", f"""
  %p = inttoptr i64 %0 to ptr
  %q = inttoptr i64 %1 to ptr
  %words = load {_VECTOR}, ptr %p, align 8
  store {_VECTOR} %words, ptr %q, align 8
  ret void
""")

# sum over the words of a segment, each folded and multiplied with its odd factor
sum_of_products = _intrinsic("sum_of_products", "int", "word", f"""
  %p = inttoptr i64 %0 to ptr
  %words = load {_VECTOR}, ptr %p, align 8
  %shifted = lshr {_VECTOR} %words, <{_SHIFTS}>
  %folded = xor {_VECTOR} %words, %shifted
  %products = mul {_VECTOR} %folded, <{_FACTORS}>
  %sum = call i64 @llvm.vector.reduce.add.v{SEGMENT}i64({_VECTOR} %products)
  ret i64 %sum
""")

# bring the cache line at an address nearer
prefetch = _intrinsic("prefetch", "int", "none", """
  %p = inttoptr i64 %0 to ptr
  call void @llvm.prefetch.p0(ptr %p, i32 0, i32 3, i32 1)
  ret void
""")

# sched_yield(2): the thread would only wait
let_others_run = _intrinsic("let_others_run", "", "none", """
  %ignored = call i32 @sched_yield()
  ret void
""")
