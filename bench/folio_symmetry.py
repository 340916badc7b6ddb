# SPDX-License-Identifier: GPL-2.0-only
"""What taking folios for interchangeable could save the checker, and whether it may.

    python bench/folio_symmetry.py [--policy NAME] [--states N] [SCENARIO ...]

For each scenario with two folios or more: the reachable states (local steps fused, no other
reduction), how many are left when states that differ in the numbers of folios only are one (all
permutations of structs, free map and references), and how many states hold a reference to a free
folio.  alloc() gives the lowest free number.  Renaming commutes with that as long as free folios
cannot be told apart: their fields are zero, but a reference to one that was freed tells it from
the others, so where the last figure is not 0 the reduction would be unsound.
"""

from __future__ import annotations

import argparse
import sys
from itertools import permutations
from typing import Any

from faultlock.check.explore import Limits, Options, explore
from faultlock.check.scenarios import compile_scenario, find_scenario, shipped_scenarios
from faultlock.lang import program as ir
from faultlock.lang.layout import RETURN_SITE, Layout
from faultlock.lang.native import compile_native
from faultlock.lang.traverse import locals_of_step

STRUCT = "Folio"


class Places:
    """Where a state has folios: their structs, their free map, references to them."""

    def __init__(self, program: ir.Program, layout: Layout) -> None:
        self.program, self.layout = program, layout
        self.count = layout.counts.get(STRUCT, 0)
        _, self.stride = layout.struct_shape(STRUCT)
        self.base = layout.region("struct", STRUCT)
        variables = list(layout.variables())
        self.free = [each.place.offset for each in variables if each.key[:2] == ("free", STRUCT)]
        self.fields = [each.place.offset for each in variables
                       if each.key[0] == "field" and each.kind == STRUCT]
        self.locals = {step.label: self._locals(step) for step in program.steps}

    def _locals(self, step: ir.Step) -> list[int]:
        """Offsets in a frame of the references that a thread at this step has."""
        functions = self.program.functions
        pairs = dict.fromkeys(locals_of_step(step))
        pairs |= dict.fromkeys((step.function, name) for name in functions[step.function].locals)
        found = []
        for function, name in pairs:
            kind = functions[function].locals[name]
            if isinstance(kind, ir.RefType) and kind.struct == STRUCT:
                found.append(self.layout.local_place(function, name).offset)
        return found

    def references(self, state: bytes) -> list[int]:
        """Offsets of all references to folios."""
        found = list(self.fields)
        for thread in range(1, len(self.program.threads) + 1):
            found += dict.fromkeys(self._of_thread(state, thread))
        return found

    def _of_thread(self, state: bytes, thread: int) -> list[int]:
        found: list[int] = []
        frame = self.layout.frame_bases[thread - 1]
        start = self.layout.pc_offset(thread)
        label = int.from_bytes(state[start:start + self.layout.pc_width], "little")
        while label > 0:
            found += [frame + offset for offset in self.locals[label]]
            function = self.program.step_at(label).function
            if RETURN_SITE not in self.program.functions[function].locals:
                break
            offset, width, _ = self.layout.local_place(function, RETURN_SITE)
            site = int.from_bytes(state[frame + offset:frame + offset + width], "little")
            if site == 0:
                break
            label = self.program.return_sites[function][site - 1]
        return found

    def renamed(self, state: bytes, references: list[int], order: tuple[int, ...]) -> bytes:
        """The state with folio number i + 1 called order[i] + 1."""
        found = bytearray(state)
        for old, new in enumerate(order):
            source, target = (self.base + each * self.stride for each in (old, new))
            found[target:target + self.stride] = state[source:source + self.stride]
            found[self.free[new]] = state[self.free[old]]
        for offset in references:
            inside = offset - self.base
            if 0 <= inside < self.count * self.stride:
                offset += (order[inside // self.stride] - inside // self.stride) * self.stride
                value = state[self.base + inside]
            else:
                value = state[offset]
            found[offset] = order[value - 1] + 1 if value else 0
        return bytes(found)


def measure(name: str, policy: str, most: int) -> dict[str, Any] | None:
    """The figures of a scenario; None: it has one folio."""
    native = compile_native(compile_scenario(policy, find_scenario(name)))
    places = Places(native.program, native.layout)
    if places.count < 2:
        return None
    run = explore(native, Limits(states=most), Options(True, False, False, 1, symmetry=False))
    orders = list(permutations(range(places.count)))
    classes: set[bytes] = set()
    stale = 0
    for row in range(run.states):
        state = bytes(run.state(row))
        references = places.references(state)
        stale += any(state[each] and not state[places.free[state[each] - 1]]
                     for each in references)
        classes.add(min(places.renamed(state, references, order) for order in orders))
    return {"states": run.states, "complete": run.complete, "classes": len(classes),
            "stale": stale, "folios": places.count}


def main() -> int:
    """Measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*")
    parser.add_argument("--policy", default="drop-retry")
    parser.add_argument("--states", type=int, default=20_000, help="the first so many (20000)")
    arguments = parser.parse_args()
    names = arguments.scenario or list(shipped_scenarios())
    print("scenario                  folios  states   left  times  with references to free folios")
    single = 0
    for name in names:
        found = measure(name, arguments.policy, arguments.states)
        if found is None:
            single += 1
            continue
        more = " " if found["complete"] else "+"
        print(f"{name:26} {found['folios']:5} {found['states']:6}{more} {found['classes']:6} "
              f"{found['states'] / found['classes']:6.2f} {found['stale']:6}", flush=True)
    print(f"{single} scenarios have one folio")
    return 0


if __name__ == "__main__":
    sys.exit(main())
