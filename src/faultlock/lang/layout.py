# SPDX-License-Identifier: GPL-2.0-only
"""Where everything is in a state: one flat byte buffer.

    check      [pc of each thread: i16] [frame of each thread] [struct pools] [arrays] [free maps]
               every scalar in 1, 2, 4 or 8 bytes by its range; no head, no gaps; padded to 8.
    simulate   [head: i64 words] [pc of each thread: i32] [frames] [pools] [arrays] [free bitmaps]
               every scalar in 4 bytes (an unbounded `int` in 8).  The head holds the byte offset
               of every region and the value of every parameter, so that native code does not
               depend on the workload; regions start at multiples of 64 bytes.

A function's frame starts behind the deepest of its callers' frames, so functions that are never
active together share bytes.  A pool is an array of structs; an array field is a region of its
own (element i of instance r is number (r - 1) * length + i).  A free map has one byte per
instance in check mode; in simulate mode it is a bitmap of FREE_LEVELS levels: a bit of level 0
is set when the instance is allocated, a bit of level k when its word of level k - 1 is full.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from faultlock.lang import program as ir
from faultlock.lang.memory import Place, load, sparse_buffer, store
from faultlock.lang.placement import FREE_LEVELS, FieldPlace, Placement
from faultlock.lang.traverse import locals_of_step

__all__ = ["FREE_LEVELS", "RESULT", "RETURN_SITE", "FieldPlace", "Layout", "Place", "Variable"]

RETURN_SITE = "return site"
RESULT = "return value"


class Variable(NamedTuple):
    """One scalar of the state.  key: ("pc", thread) | ("local", thread, function, name) |
    ("field", struct, instance, field, element) | ("free", struct, instance).

    kind: "pc", "int", "bool", "free" or the struct's name for a reference."""

    key: tuple[Any, ...]
    place: Place
    kind: str


class Layout(Placement):
    """Byte places of every scalar of `program` with these parameters, and states in them."""

    # ---- states --------------------------------------------------------------------------------

    def new_state(self, entries: list[int] | None = None) -> Any:
        """A zeroed numpy uint8 buffer with the head filled in; pages are made when touched.

        entries: the label each thread starts at (default: those of program.threads; a thread
        without one has finished).  The setup function is not called.
        """
        state = sparse_buffer(self.size)
        for key, word in self.table.items():
            value = self.parameters[key[1]] if key[0] == "param" else self._regions[key]
            store(state, Place(word * 8, 8, True), value)
        if self.simulate:
            self._close_free_maps(state)
        if entries is None:
            entries = [thread.entry for thread in self.program.threads]
        for thread, entry in enumerate(entries[: self.thread_count], start=1):
            self.set_pc(state, thread, entry)
        return state

    def _close_free_maps(self, state: Any) -> None:
        """Mark the bits behind the last instance as allocated, at every level."""
        for struct, offsets in self._free.items():
            bits = self.counts[struct]
            for offset in offsets:
                words = max(-(-bits // 64), 1)
                used = bits - (words - 1) * 64
                spare = ((1 << 64) - 1) & ~((1 << used) - 1)
                store(state, Place(offset + (words - 1) * 8, 8, False), spare)
                bits = 0 if bits == 0 else words

    def pc(self, state: Any, thread: int) -> int:
        """The label of a thread; 0 = finished."""
        return load(state, Place(self.pc_offset(thread), self.pc_width, True))

    def set_pc(self, state: Any, thread: int, label: int) -> None:
        """Let a thread (1-based) continue at `label`."""
        store(state, Place(self.pc_offset(thread), self.pc_width, True), label)

    def get(self, state: Any, struct: str, instance: int, field: str, element: int = 0) -> int:
        """The value of a field of an instance (1-based); 0 for a field that was pruned."""
        if (struct, field) in self.program.pruned:
            return 0
        return load(state, self.place(struct, field, instance, element))

    def set(
        self, state: Any, struct: str, instance: int, field: str, value: int, element: int = 0
    ) -> None:
        """Set a field; OverflowError when the value does not fit in its bytes."""
        store(state, self.place(struct, field, instance, element), value)

    def get_local(self, state: Any, thread: int, function: str, name: str) -> int:
        """The value of a step function's local in a thread's frame."""
        return load(state, self.thread_local_place(thread, function, name))

    def set_local(self, state: Any, thread: int, function: str, name: str, value: int) -> None:
        """Set a step function's local in a thread's frame."""
        store(state, self.thread_local_place(thread, function, name), value)

    def is_allocated(self, state: Any, struct: str, instance: int) -> bool:
        """Whether an instance of an allocated struct is in use."""
        offset = self._free[struct][0]
        if not self.simulate:
            return load(state, Place(offset + instance - 1, 1, False)) != 0
        word, bit = divmod(instance - 1, 64)
        return bool(load(state, Place(offset + word * 8, 8, False)) >> bit & 1)

    def set_allocated(self, state: Any, struct: str, instance: int, used: bool) -> None:
        """Mark an instance used or free (in simulate mode every level of the bitmap)."""
        offsets = self._free[struct]
        if not self.simulate:
            store(state, Place(offsets[0] + instance - 1, 1, False), int(used))
            return
        number = instance - 1
        for offset in offsets:
            number, bit = divmod(number, 64)
            place = Place(offset + number * 8, 8, False)
            word = load(state, place)
            word = word | 1 << bit if used else word & ~(1 << bit)
            store(state, place, word)
            used = word == (1 << 64) - 1

    # ---- views ---------------------------------------------------------------------------------

    def active_locals(self, state: Any, thread: int) -> list[tuple[str, str]]:
        """(function, local) pairs that mean something now: those of the functions on the call
        chain of the thread, and those the next step names (parameters, results)."""
        label = self.pc(state, thread)
        pairs: dict[tuple[str, str], None] = {}
        if label:
            pairs.update(dict.fromkeys(locals_of_step(self.program.step_at(label))))
        while label:
            function = self.program.step_at(label).function
            locals_ = self.program.functions[function].locals
            pairs.update(((function, name), None) for name in locals_)
            if (function, RETURN_SITE) not in self._locals:
                break
            site = self.get_local(state, thread, function, RETURN_SITE)
            label = self.program.return_sites[function][site - 1] if site else 0
        return list(pairs)

    def variables(self) -> Iterator[Variable]:
        """Every scalar with storage, pcs first, in the order of the bytes except locals, which
        may share bytes: locals of all functions of all threads are listed."""
        program = self.program
        for thread in range(1, self.thread_count + 1):
            place = Place(self.pc_offset(thread), self.pc_width, True)
            yield Variable(("pc", thread), place, "pc")
        for thread in range(1, self.thread_count + 1):
            for function in self.thread_functions[thread - 1]:
                for name, type_ in program.functions[function].locals.items():
                    place = self.thread_local_place(thread, function, name)
                    yield Variable(("local", thread, function, name), place, kind_of(type_))
        for (struct, field), where in self._places.items():
            kind = kind_of(program.structs[struct].fields[field].type)
            for instance in range(1, self.counts[struct] + 1):
                for element in range(1 if where.length is None else where.length):
                    key = ("field", struct, instance, field, element)
                    yield Variable(key, self.place(struct, field, instance, element), kind)
        for struct, offsets in self._free.items():
            for instance in range(1, self.counts[struct] + 1):
                place = Place(offsets[0] + instance - 1, 1, False)
                yield Variable(("free", struct, instance), place, "free")

    def describe(self, state: Any, most: int = 1000) -> dict[str, Any]:
        """The state for humans: {"threads": {n: {"at": "function:line", locals...}},
        struct: {instance: {field: value or list}}}; locals that mean something now only.

        most: instances of a struct, and elements of an array, that are listed; where there are
        more, "more" says how many instances were left out."""
        threads: dict[int, dict[str, Any]] = {}
        for thread in range(1, self.thread_count + 1):
            label = self.pc(state, thread)
            step = self.program.step_at(label) if label else None
            about: dict[str, Any] = {"at": f"{step.function}:{step.line}" if step else "finished"}
            for function, name in self.active_locals(state, thread):
                about[f"{function}.{name}"] = self.get_local(state, thread, function, name)
            threads[thread] = about
        result: dict[str, Any] = {"threads": threads}
        for name, count in self.counts.items():
            shown = range(1, min(count, most) + 1)
            result[name] = {
                instance: self._describe_instance(state, name, instance, most)
                for instance in shown
                if name not in self._free or self.is_allocated(state, name, instance)
            }
            if count > most:
                result[name]["more"] = count - most
        return result

    def _describe_instance(
        self, state: Any, struct: str, instance: int, most: int
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for field in self.program.structs[struct].fields.values():
            if field.own:
                continue
            length = self._places[struct, field.name].length
            if length is None:
                values[field.name] = self.get(state, struct, instance, field.name)
            else:
                elements = range(min(length, most))
                values[field.name] = [
                    self.get(state, struct, instance, field.name, e) for e in elements
                ]
        return values


def kind_of(type_: ir.Type) -> str:
    """ "int", "bool", or the struct's name for a reference."""
    if isinstance(type_, ir.RefType):
        return type_.struct
    return "bool" if isinstance(type_, ir.BoolType) else "int"
