# SPDX-License-Identifier: GPL-2.0-only
"""The state of the reference interpreter: a value for each variable, and its way to bytes."""

from __future__ import annotations

from typing import Any

from faultlock.lang.layout import Layout, Variable
from faultlock.lang.memory import Place, load, store

Key = tuple[Any, ...]  # see layout.Variable


class MachineState:
    """`state` holds every variable that is not 0."""

    def __init__(self) -> None:
        self.state: dict[Key, int] = {}

    def get(self, key: Key) -> int:
        """The value of a variable."""
        return self.state.get(key, 0)

    def put(self, key: Key, value: int) -> None:
        """Set a variable; zeros are not kept."""
        if value:
            self.state[key] = value
        else:
            self.state.pop(key, None)

    def to_bytes(self, layout: Layout) -> bytes:
        """The state in a layout's bytes.

        Raises ValueError when two variables that share bytes are both not 0: then a dead local
        was not cleared."""
        buffer = layout.new_state(entries=[])
        written: dict[int, Key] = {}
        for variable in layout.variables():
            value = self.get(variable.key)
            if variable.key[0] == "free":
                _, struct, instance = variable.key
                layout.set_allocated(buffer, struct, instance, value != 0)
            elif value:
                for byte in range(variable.place.offset, sum(variable.place[:2])):
                    if byte in written:
                        raise ValueError(f"{variable.key} and {written[byte]} share a byte")
                    written[byte] = variable.key
                store(buffer, variable.place, value)
        return bytes(buffer)

    def from_bytes(self, layout: Layout, buffer: Any) -> None:
        """Take the state from a layout's bytes; of the locals, those that mean something now."""
        self.state.clear()
        for variable in layout.variables():
            if self._is_stored(layout, buffer, variable):
                self.put(variable.key, self._stored(layout, buffer, variable))

    @staticmethod
    def _is_stored(layout: Layout, buffer: Any, variable: Variable) -> bool:
        if variable.key[0] != "local":
            return True
        _, thread, function, name = variable.key
        return (function, name) in layout.active_locals(buffer, thread)

    @staticmethod
    def _stored(layout: Layout, buffer: Any, variable: Variable) -> int:
        if variable.key[0] == "free":
            return int(layout.is_allocated(buffer, *variable.key[1:]))
        return load(buffer, Place(*variable.place))
