# SPDX-License-Identifier: GPL-2.0-only
"""The label table of a program under construction, and the names of hidden locals."""

from __future__ import annotations

from dataclasses import dataclass, field

from faultlock.lang.program import Step, StepFunction
from faultlock.lang.symbols import Symbols

# hidden locals: a space, so that no local of a function can have the name
RESULT, RETURN_SITE = "return value", "return site"


@dataclass
class Labels:
    """All steps of a program, by label (1-based), and who calls whom."""

    symbols: Symbols
    statistics: bool
    steps: dict[int, Step] = field(default_factory=dict)
    count: int = 0
    entries: dict[str, int] = field(default_factory=dict)
    functions: dict[str, StepFunction] = field(default_factory=dict)
    return_sites: dict[str, list[int]] = field(default_factory=dict)
    call_returns: dict[int, int] = field(default_factory=dict)
    roots: set[str] = field(default_factory=set)
    pending: list[str] = field(default_factory=list)

    def new(self) -> int:
        """A fresh label."""
        self.count += 1
        return self.count

    def entry_of(self, name: str) -> int:
        """Entry label of a step function; it will be compiled."""
        if name not in self.entries:
            self.entries[name] = self.new()
            self.pending.append(name)
        return self.entries[name]
