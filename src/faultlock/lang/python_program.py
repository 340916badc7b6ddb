# SPDX-License-Identifier: GPL-2.0-only
"""The Python text of a Program, loaded, with the calls that the other engines have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from faultlock.lang import program as ir
from faultlock.lang.layout import Layout
from faultlock.lang.memory import store
from faultlock.lang.python_slots import Slots
from faultlock.lang.python_text import identifier, python_text


class PythonProgram:
    """The Python text, loaded: the same calls as the other engines."""

    def __init__(
        self, program: ir.Program, parameters: Mapping[str, int] | None = None, mode: str = "check"
    ) -> None:
        self.program = program
        self.slots = Slots(program, {**program.parameters, **(parameters or {})})
        self.text = python_text(program, parameters, mode)
        self._names: dict[str, Any] = {}
        # The text is this module's own output: names and numbers from the Program, no foreign code.
        exec(compile(self.text, f"<{program.name} as Python>", "exec"), self._names)

    def new_state(self, entries: Iterable[int] | None = None) -> list[int]:
        """A zeroed state with the threads at their entries; setup is not called."""
        if entries is None:
            entries = [thread.entry for thread in self.program.threads]
        state = [0] * self.slots.size
        for thread, entry in enumerate(entries):
            state[thread] = entry
        return state

    def step(self, state: list[int], thread: int, choice: int | None, out: list[int]) -> int:
        """One step; codes and out as in lang/native.py."""
        code: int = self._names["step"](state, thread, choice, out)
        return code

    def call(self, name: str, state: list[int], thread: int, *arguments: int) -> int:
        """Call an atomic function."""
        function = self._names[f"atomic_{identifier(name)}"]
        value: int = function(state, thread, [0] * 4008, *arguments)
        return value

    def to_bytes(self, layout: Layout, state: list[int]) -> bytes:
        """The state in a layout's bytes."""
        buffer = layout.new_state(entries=[])
        for variable_ in layout.variables():
            value = state[self.slots.of(variable_.key)]
            if variable_.key[0] == "free":
                _, struct, instance = variable_.key
                layout.set_allocated(buffer, struct, instance, value != 0)
            elif value:
                store(buffer, variable_.place, value)
        return bytes(buffer)
