# SPDX-License-Identifier: GPL-2.0-only
"""Drive a scenario by hand in the reference interpreter and look at what threads hold.

A scene is a scenario text; threads run in the order a test asks for.  `after("8.1.6")` runs a
thread until the source line with that step number has been executed and returned.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from faultlock.lang import evaluate as ev
from faultlock.lang.model import KERNEL_FOLDER, compile_model, load_model
from faultlock.lang.program import Program, Step
from tests.model.run import semaphore_of
from tests.model.table import labels_in, visit

HEAD = '''# SPDX-License-Identifier: GPL-2.0-only
"""A scene of a test."""
N_THREADS: Param = {threads}
N_MMS: Param = 2
N_VMAS: Param = 8
N_VMAS_PER_MM: Param = 5
N_FILE_PAGES: Param = 8
N_ADDRESS_PAGES: Param = 16
N_FOLIOS: Param = 10
MAX_REFCOUNT: Param = 20
N_REQUESTS: Param = 4
FAULT_AROUND_PAGES: Param = 1
'''
DISK = """

@thread("disk", daemon=True)
def disk():
    blk_done()
"""
GHOSTS = {
    "holds_vma_lock": "vma",
    "holds_i_rwsem": "i_rwsem",
    "holds_i_mmap_rwsem": "i_mmap",
    "holds_folio_lock": "folio lock",
    "holds_folio": "folio",
    "holds_other_folio": "other folio",
    "pinned_file": "pin",
    "gup_folio": "gup page",
}


def labels_in_sources() -> dict[str, set[tuple[str, int]]]:
    """Step number -> places (file name, line) in the kernel text that carry it."""
    found: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for path in sorted(KERNEL_FOLDER.glob("*.py")):
        for number, label in labels_in(path.read_text(encoding="utf-8")):
            found[label].add((path.name, number))
    return dict(found)


LABELS = labels_in_sources()
AT = defaultdict(set)  # (file name, line) -> step numbers
for _label, _places in LABELS.items():
    for _place in _places:
        AT[_place].add(_label)
_programs: dict[tuple[str, str], Program] = {}


def compiled(text: str, policy: str) -> Program:
    """The program of a scenario text; compiled once."""
    if (text, policy) not in _programs:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scene.py"
            path.write_text(text)
            model = load_model(policy, [path])
        # A stable name: compiled programs are kept by content, which includes the file's name.
        model.sources[-1] = replace(model.sources[-1], path="scene.py")
        _programs[text, policy] = compile_model(model, statistics=True)
    return _programs[text, policy]


class Scene:
    """A scenario in the interpreter."""

    def __init__(self, body: str, threads: int = 1, policy: str = "", /, **parameters: int) -> None:
        text = HEAD.format(threads=threads) + body
        for name, value in parameters.items():
            line = f"{name}: Param = {value}\n"
            text, replaced = re.subn(rf"(?m)^{name}: Param = .*\n", line, text)
            if not replaced:
                text = text.replace("N_MMS:", line + "N_MMS:", 1)
        self.program = compiled(text, policy)
        self.machine = ev.Machine(self.program, mode="simulate")  # costs and events are seen
        if self.program.setup:
            self.machine.call(self.program.setup)
        self.stacks: dict[int, list[str]] = {
            number: [entry.function] for number, entry in enumerate(self.program.threads, 1)
        }
        self.choices: dict[str, int] = {}
        self.may_wait: set[int] = set()  # threads that random_run may leave waiting
        self.shuffle: Callable[[list[int]], None] = lambda values: None
        self.seen: list[tuple[int, str, int]] = []
        self.labels_seen: list[int] = []
        self.costs: list[tuple[str, int, int]] = []  # name, n, thread
        self.events: list[tuple[int, ...]] = []

    # ---- state -----------------------------------------------------------------------------

    def get(self, struct: str, instance: int, field: str, index: int = 0) -> int:
        """A field of an instance."""
        return self.machine.get(("field", struct, instance, field, index))

    def put(self, struct: str, instance: int, field: str, value: int, index: int = 0) -> None:
        """Set a field of an instance."""
        self.machine.put(("field", struct, instance, field, index), value)

    def local(self, thread: int, function: str, name: str) -> int:
        """A local of a step function."""
        return self.machine.get(("local", thread, function, name))

    def events_of(self, name: str) -> list[tuple[int, ...]]:
        """The numbers of each event of that name so far."""
        return [record[1:] for record in self.events
                if record[0] >= 0 and self.program.event_names[record[0]] == name]

    def semaphore(self, struct: str, field: str, instance: int = 1) -> int:
        """The RwSemaphore embedded in an instance, e.g. ("MM", "mmap_lock")."""
        return semaphore_of(self.program, self.machine.parameters, struct, field) + instance

    def lock_word(self, struct: str, field: str, what: str, instance: int = 1) -> int:
        """`readers`, `writer` or `first_waiter` of an embedded semaphore."""
        return self.get("RwSemaphore", self.semaphore(struct, field, instance), what)

    def held(self, thread: int) -> set[str]:
        """What a thread holds, in words."""
        result = {word for ghost, word in GHOSTS.items() if self.get("Thread", thread, ghost)}
        for lock in ("mmap_lock", "invalidate_lock"):
            mode = self.get("Thread", thread, f"{lock}_mode")
            if mode:
                result.add(f"{lock} {'read' if mode == 1 else 'write'}")
        return result

    def where(self, thread: int) -> str:
        """The function and the source line at which a thread stands; '' when it has finished."""
        label = self.machine.get(("pc", thread))
        if label == 0:
            return ""
        step = self.program.step_at(label)
        return f"{step.function}: {step.text}"

    def stack(self, thread: int) -> list[str]:
        """Names of the functions a thread is in, outermost first."""
        return self.stacks[thread]

    # ---- running ---------------------------------------------------------------------------

    def step(self, thread: int) -> bool:
        """One step; False: blocked or finished.  Raises AssertionError when a check fails."""
        label = self.machine.get(("pc", thread))
        if label == 0:
            return False
        step = self.program.step_at(label)
        outcome = self.machine.step(thread)
        if outcome.code == ev.CHOICE:
            outcome = self._choose(thread, outcome)
        if outcome.code == ev.FAILED:
            assertion = self.program.assertions[outcome.a - 1]
            raise AssertionError(f"{assertion.text} ({assertion.file}:{assertion.line})")
        if outcome.code == ev.ERROR:
            error = self.program.errors[outcome.a - 1]
            raise AssertionError(f"{error.kind}: {error.text} ({error.file}:{error.line})")
        if outcome.code == ev.BLOCKED:
            return False
        if outcome.code == ev.CPU:
            self.costs.append((self.program.cost_names[outcome.a], outcome.b, thread))
        self.events += outcome.records
        self.seen.append((thread, Path(step.file).name, step.line))
        visit(AT[Path(step.file).name, step.line])
        self.labels_seen.append(label)
        self._follow(thread, step.function)
        return True

    def _choose(self, thread: int, asked: ev.Outcome) -> ev.Outcome:
        name = self.program.choice_names[asked.c]
        values = list(range(asked.a, asked.b))
        self.shuffle(values)
        if name in self.choices:
            values = [self.choices[name]]
        for value in values:
            outcome = self.machine.step(thread, value)
            if outcome.code != ev.BLOCKED:
                return outcome
        return ev.Outcome(ev.BLOCKED)

    def _follow(self, thread: int, function: str) -> None:
        """Keep the stack of functions up to date."""
        label = self.machine.get(("pc", thread))
        stack = self.stacks[thread]
        if label == 0:
            stack.clear()
            return
        now = self.program.step_at(label)
        if now.function == function and now.label != self.program.functions[function].entry:
            return
        if now.function in stack:
            while stack[-1] != now.function:
                stack.pop()
        else:
            stack.append(now.function)

    def run(self, thread: int, limit: int = 20_000) -> str:
        """Run until the thread blocks or finishes; returns where it stands."""
        for _ in range(limit):
            if not self.step(thread):
                return self.where(thread)
        raise AssertionError(f"thread {thread} runs for ever: {self.where(thread)}")

    def until(self, thread: int, function: str, limit: int = 20_000) -> None:
        """Run until the thread is about to execute a step of that function."""
        for _ in range(limit):
            if self.where(thread).startswith(function + ":"):
                return
            if not self.step(thread):
                break
        raise AssertionError(f"{function} is not reached: {self.where(thread)}")

    def after(self, label: str, thread: int, limit: int = 20_000) -> set[str]:
        """Run until a line with that step number was executed to its end; what is held then."""
        self.reach(label, thread, limit)
        step = self.program.step_at(self.machine.get(("pc", thread)))
        depth, line = len(self.stacks[thread]), step.line
        for _ in range(limit):
            if not self.step(thread):
                raise AssertionError(f"blocked in {label}: {self.where(thread)}")
            stack = self.stacks[thread]
            if len(stack) < depth:
                return self.held(thread)
            now = self.program.step_at(self.machine.get(("pc", thread)))
            if len(stack) == depth and now.line != line:
                return self.held(thread)
        raise AssertionError(f"{label} does not end")

    def reach(self, label: str, thread: int, limit: int = 20_000) -> None:
        """Run until a line with that step number is next."""
        places = LABELS[label]
        for _ in range(limit):
            if self._at(thread) in places:
                return
            if not self.step(thread):
                break
        raise AssertionError(f"{label} is not reached: {self.where(thread) or 'finished'}")

    def _at(self, thread: int) -> tuple[str, int] | None:
        pc = self.machine.get(("pc", thread))
        if pc == 0:
            return None
        step = self.program.step_at(pc)
        return Path(step.file).name, step.line

    def steps_seen(self) -> list[Step]:
        """The steps that were executed, in order."""
        return [self.program.step_at(label) for label in self.labels_seen]

    def saw(self, label: str) -> bool:
        """Was a line with that step number executed?"""
        return any((file, line) in LABELS[label] for _, file, line in self.seen)

    def random_run(self, seed: int, limit: int = 20_000) -> None:
        """Interleave all threads at random until nobody can go on; daemons may be left waiting.

        Raises AssertionError for a failed check, and when a thread that is no daemon is stuck.
        """
        generator = random.Random(seed)
        self.shuffle = generator.shuffle
        threads = list(range(1, len(self.program.threads) + 1))
        for _ in range(limit):
            generator.shuffle(threads)
            moved = next((thread for thread in threads if self.step(thread)), 0)
            if not moved:
                break
            for _ in range(generator.choice((0, 0, 1, 4, 19))):
                if not self.step(moved):
                    break
        else:
            raise AssertionError(f"seed {seed}: {limit} bursts and no end")
        entries = enumerate(self.program.threads, 1)
        for number, entry in entries:
            waits = self.where(number) and not entry.daemon and number not in self.may_wait
            assert not waits, f"seed {seed}: thread {number} is stuck: {self.where(number)}"

    # ---- balance ---------------------------------------------------------------------------

    def count(self, struct: str) -> int:
        """Instances of a struct."""
        return self.machine._constant(self.program.structs[struct].count)

    def assert_balanced(self) -> None:
        """Nobody who has finished holds anything; every folio's references add up."""
        for number in range(1, self.count("Thread") + 1):
            if self.where(number) == "":
                assert self.held(number) == set(), f"thread {number} ends with {self.held(number)}"
        for folio in range(1, self.count("Folio") + 1):
            if self.get("Folio", folio, "refcount"):
                self._assert_folio(folio)

    def _assert_folio(self, folio: int) -> None:
        cached = 0
        mapping = self.get("Folio", folio, "mapping")
        if mapping:
            pages = range(self.parameter("N_FILE_PAGES"))
            cached = sum(self.get("Mapping", mapping, "pages", i) == folio for i in pages)
        addresses = range(self.parameter("N_ADDRESS_PAGES"))
        mms = range(1, self.count("MM") + 1)
        ptes = sum(self.get("MM", mm, "pte", a) == folio for mm in mms for a in addresses)
        holders = sum(
            self.get("Thread", thread, ghost) == folio
            for thread in range(1, self.count("Thread") + 1)
            for ghost in ("holds_folio", "holds_other_folio")
        )
        extra = self.get("Folio", folio, "extra_refs")
        assert self.get("Folio", folio, "mapcount") == ptes
        assert self.get("Folio", folio, "refcount") == cached + ptes + holders + extra

    def parameter(self, name: str) -> int:
        """The value of a parameter."""
        return self.program.parameters[name]
