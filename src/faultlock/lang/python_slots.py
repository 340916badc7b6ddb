# SPDX-License-Identifier: GPL-2.0-only
"""The state of the Python text: a list of ints, one element per variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faultlock.lang import program as ir
from faultlock.lang.constants import evaluate_constant


class Slots:
    """Which list element each variable is."""

    def __init__(self, program: ir.Program, parameters: Mapping[str, int]) -> None:
        def constant(expression: ir.Expr) -> int:
            return evaluate_constant(expression, parameters)

        self.counts = {name: constant(s.count) for name, s in program.structs.items()}
        self.threads = self.counts["Thread"]
        pairs = [(f, name) for f, function in program.functions.items() for name in function.locals]
        self.locals = {pair: number for number, pair in enumerate(pairs)}
        end = self.threads * (1 + len(pairs))
        self.pools: dict[str, int] = {}
        self.strides: dict[str, int] = {}
        self.fields: dict[tuple[str, str], tuple[int, int]] = {}  # base, stride or length
        self.free: dict[str, int] = {}
        for struct in program.structs.values():
            scalars = [f.name for f in struct.fields.values() if f.length is None and not f.own]
            self.pools[struct.name], self.strides[struct.name] = end, len(scalars)
            for number, name in enumerate(scalars):
                self.fields[struct.name, name] = (end + number, len(scalars))
            end += len(scalars) * self.counts[struct.name]
            for field in struct.fields.values():
                if field.length is not None and not field.own:
                    length = constant(field.length)
                    self.fields[struct.name, field.name] = (end, length)
                    end += length * self.counts[struct.name]
            if struct.allocated:
                self.free[struct.name] = end
                end += self.counts[struct.name]
        self.size = end

    def local(self, thread: int, function: str, name: str) -> int:
        """Slot of a step function's local."""
        return self.threads + (thread - 1) * len(self.locals) + self.locals[function, name]

    def of(self, key: tuple[Any, ...]) -> int:
        """Slot of a variable (see layout.Variable)."""
        match key:
            case ("pc", thread):
                return int(thread) - 1
            case ("local", thread, function, name):
                return self.local(thread, function, name)
            case ("free", struct, instance):
                return self.free[struct] + int(instance) - 1
        _, struct, instance, field, element = key
        base, stride = self.fields[struct, field]
        return base + int(instance - 1) * stride + int(element)
