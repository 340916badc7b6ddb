# SPDX-License-Identifier: GPL-2.0-only
"""Byte places of everything in a state: the arithmetic behind lang/layout.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from faultlock.errors import FaultlockError
from faultlock.lang import program as ir
from faultlock.lang.constants import evaluate_constant
from faultlock.lang.memory import Place, signed_width, unsigned_width
from faultlock.lang.traverse import call_order, reachable

FREE_LEVELS = 5
MOST_STATE_BYTES = 1 << 20  # in check mode; the catalogue's largest takes less than 1,000
MOST_INSTANCES = 64**FREE_LEVELS  # 1,073,741,824
MOST_STEPS = {"check": (1 << 15) - 1, "simulate": (1 << 31) - 1}  # what a pc holds


@dataclass(frozen=True)
class FieldPlace:
    """Where a field is.  Scalar: base + (instance - 1) * stride.
    Array: base + ((instance - 1) * length + element) * width.  `base` includes the region."""

    base: int
    stride: int
    width: int
    signed: bool
    length: int | None


class Placement:
    """Byte places of every scalar of `program` with these parameters.

    Raises FaultlockError when a size is negative, a range is empty, or (simulate) a range does
    not fit in 4 bytes.
    """

    def __init__(
        self, program: ir.Program, parameters: Mapping[str, int] | None = None, mode: str = "check"
    ) -> None:
        if mode not in ("check", "simulate"):
            raise ValueError(f"mode {mode!r} is neither 'check' nor 'simulate'")
        if len(program.steps) > MOST_STEPS[mode]:
            raise FaultlockError(
                f"{program.name}: {len(program.steps)} steps are more than {MOST_STEPS[mode]}"
            )
        self.program = program
        self.mode = mode
        self.simulate = mode == "simulate"
        self.parameters = {**program.parameters, **(parameters or {})}
        self.counts = {s.name: self._size(s.count, s.name) for s in program.structs.values()}
        self.thread_count = self.counts["Thread"]
        self.table: dict[tuple[str, ...], int] = head_table(program) if self.simulate else {}
        self.pc_width = 4 if self.simulate else 2
        self.pc_base = head_bytes(self.table)
        self.frame_offsets, self.frame_ends = self._frames()
        self._places: dict[tuple[str, str], FieldPlace] = {}
        self._locals: dict[tuple[str, str], Place] = {}
        self._free: dict[str, tuple[int, ...]] = {}
        self._regions: dict[tuple[str, ...], int] = {}
        self._place_locals()
        end = self._place_threads(self.pc_base + self.pc_width * self.thread_count)
        end = self._place_structs(end)
        end = self._place_free_maps(end)
        self.size: int = -(-end // 8) * 8
        if not self.simulate and self.size > MOST_STATE_BYTES:
            raise FaultlockError(
                f"{program.name}: a state takes {self.size} bytes, more than {MOST_STATE_BYTES}; "
                "make counts and arrays smaller"
            )

    # ---- sizes ---------------------------------------------------------------------------------

    def constant(self, expression: ir.Expr) -> int:
        """The value of a constant expression with this layout's parameters."""
        return evaluate_constant(expression, self.parameters)

    def _size(self, expression: ir.Expr, what: str) -> int:
        count = self.constant(expression)
        if count < 0:
            raise FaultlockError(f"{what}: the count is {count}; set parameters that make it >= 0")
        if count > MOST_INSTANCES:
            raise FaultlockError(f"{what}: the count is {count}, more than {MOST_INSTANCES}")
        return count

    def width_of(self, type_: ir.Type, what: str) -> tuple[int, bool]:
        """(bytes, signed) that hold every value of a type."""
        if isinstance(type_, ir.IntType):
            return self._int_width(type_, what)
        if self.simulate:
            return 4, True
        if isinstance(type_, ir.RefType):
            return unsigned_width(self.counts[type_.struct] + 1), False
        return 1, False

    def _int_width(self, type_: ir.IntType, what: str) -> tuple[int, bool]:
        if type_.low is None or type_.high is None:
            return 8, True
        low, high = self.constant(type_.low), self.constant(type_.high)
        if low > high:
            raise FaultlockError(f"{what}: the range {low} .. {high} is empty; change its bounds")
        if not self.simulate:
            return (signed_width(low, high), True) if low < 0 else (unsigned_width(high), False)
        if signed_width(low, high) > 4:
            raise FaultlockError(
                f"{what}: the range {low} .. {high} does not fit in 32 bits; declare it int"
            )
        return 4, True

    # ---- placing -------------------------------------------------------------------------------

    def _frames(self) -> tuple[dict[str, int], dict[str, int]]:
        """Start and end (relative to the thread's frame) of each step function's locals."""
        functions = self.program.functions
        start = dict.fromkeys(functions, 0)
        end: dict[str, int] = {}
        for name in call_order(functions):
            size = sum(
                self.width_of(t, f"{name}: {local}")[0]
                for local, t in functions[name].locals.items()
            )
            end[name] = start[name] + size
            for callee in functions[name].calls:
                start[callee] = max(start[callee], end[name])
        return start, end

    def _place_locals(self) -> None:
        for name, function in self.program.functions.items():
            offset = self.frame_offsets[name]
            for local, type_ in function.locals.items():
                width, signed = self.width_of(type_, f"{name}: {local}")
                self._locals[name, local] = Place(offset, width, signed)
                offset += width

    def _place_threads(self, end: int) -> int:
        """Frame of each thread: in check mode only as long as what the thread can reach."""
        whole = max(self.frame_ends.values(), default=0)
        functions = self.program.functions
        self.thread_functions = [list(functions)] * self.thread_count
        if not self.simulate and self.program.threads:
            entries = [t.function for t in self.program.threads[: self.thread_count]]
            self.thread_functions = [reachable(functions, entry) for entry in entries]
            self.thread_functions += [[] for _ in range(self.thread_count - len(entries))]
        ends = ([self.frame_ends[f] for f in each] for each in self.thread_functions)
        sizes = [max(each, default=0) for each in ends]
        end = self._region(("frames",), end)
        self.frame_stride = -(-whole // 8) * 8 if self.simulate else whole
        self.frame_bases: list[int] = []
        for size in sizes:
            self.frame_bases.append(end)
            end += self.frame_stride if self.simulate else size
        return end

    def _region(self, key: tuple[str, ...], end: int) -> int:
        start = -(-end // 64) * 64 if self.simulate else end
        self._regions[key] = start
        return start

    def _place_structs(self, end: int) -> int:
        for struct in self.program.structs.values():
            end = self._region(("struct", struct.name), end)
            shape, stride = self.struct_shape(struct.name)
            for field, place in shape.items():
                self._places[struct.name, field] = FieldPlace(
                    end + place.offset, stride, place.width, place.signed, None
                )
            end += stride * self.counts[struct.name]
        for struct in self.program.structs.values():
            for array in struct.fields.values():
                if array.length is None or array.own:
                    continue
                what = f"{struct.name}.{array.name}"
                end = self._region(("array", struct.name, array.name), end)
                width, signed = self.width_of(array.type, what)
                length = self._size(array.length, what)
                self._places[struct.name, array.name] = FieldPlace(
                    end, width * length, width, signed, length
                )
                end += width * length * self.counts[struct.name]
        return end

    def _place_free_maps(self, end: int) -> int:
        for struct in self.program.structs.values():
            if not struct.allocated:
                continue
            count = self.counts[struct.name]
            offsets = []
            for level in range(FREE_LEVELS if self.simulate else 1):
                end = self._region(("free", struct.name, str(level)), end)
                offsets.append(end)
                words = -(-count // 64 ** (level + 1))
                end += 8 * max(words, 1) if self.simulate else count
            self._free[struct.name] = tuple(offsets)
        return end

    # ---- places --------------------------------------------------------------------------------

    def struct_shape(self, struct: str) -> tuple[dict[str, Place], int]:
        """Scalar fields relative to an instance, and the size of an instance in bytes."""
        places: dict[str, Place] = {}
        offset = 0
        for field in self.program.structs[struct].fields.values():
            if field.length is None and not field.own:
                width, signed = self.width_of(field.type, f"{struct}.{field.name}")
                places[field.name] = Place(offset, width, signed)
                offset += width
        return places, offset

    def count(self, struct: str) -> int:
        """The number of instances of a struct."""
        return self.counts[struct]

    def region(self, *key: str) -> int:
        """Byte offset of a region: "frames" | "struct", S | "array", S, F | "free", S, level."""
        return self._regions[key]

    def field_place(self, struct: str, field: str) -> FieldPlace:
        """Where a field is, for all instances; KeyError for a field without storage (Own)."""
        return self._places[struct, field]

    def local_place(self, function: str, name: str) -> Place:
        """Where a local of a step function is, relative to its thread's frame."""
        return self._locals[function, name]

    def place(self, struct: str, field: str, instance: int, element: int = 0) -> Place:
        """The bytes of a scalar field, or of an element of an array field."""
        where = self._places[struct, field]
        if not 1 <= instance <= self.counts[struct]:
            raise IndexError(f"{struct} {instance}: instances are 1 .. {self.counts[struct]}")
        if not 0 <= element < (1 if where.length is None else where.length):
            raise IndexError(f"{struct}.{field}[{element}]: the length is {where.length}")
        offset = where.base + (instance - 1) * where.stride + element * where.width
        return Place(offset, where.width, where.signed)

    def offset(self, struct: str, field: str, instance: int, element: int = 0) -> tuple[int, int]:
        """(byte offset, width) of a field."""
        return self.place(struct, field, instance, element)[:2]

    def pc_offset(self, thread: int) -> int:
        """Byte offset of the pc of a thread (1-based); little-endian, pc_width bytes, signed."""
        return self.pc_base + (thread - 1) * self.pc_width

    def thread_local_place(self, thread: int, function: str, name: str) -> Place:
        """The bytes of a step function's local in a thread's frame."""
        place = self._locals[function, name]
        return place._replace(offset=place.offset + self.frame_bases[thread - 1])


def head_table(program: ir.Program) -> dict[tuple[str, ...], int]:
    """Word number in the head of each region offset and parameter; needs no parameter values."""
    keys: list[tuple[str, ...]] = [("frames",)]
    for struct in program.structs.values():
        keys.append(("struct", struct.name))
    for struct in program.structs.values():
        for field in struct.fields.values():
            if field.length is not None and not field.own:
                keys.append(("array", struct.name, field.name))
    for struct in program.structs.values():
        if struct.allocated:
            keys.extend(("free", struct.name, str(level)) for level in range(FREE_LEVELS))
    keys.extend(("param", name) for name in sorted(program.parameters))
    return {key: word for word, key in enumerate(keys)}


def head_bytes(table: Mapping[tuple[str, ...], int]) -> int:
    """Size of the head; the pcs start there."""
    return 8 * len(table)
