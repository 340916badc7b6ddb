# SPDX-License-Identifier: GPL-2.0-only
"""Drive a small scenario step by step on the reference interpreter, by the labels of the
specification: `run.to(1, "F23")` lets thread 1 run until it is about to do step F23.
"""

from __future__ import annotations

import ast
import functools
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from faultlock.lang import evaluate
from faultlock.lang.constants import evaluate_constant
from faultlock.lang.model import KERNEL_FOLDER, Model, compile_model, load_model
from faultlock.lang.program import OwnRef, Program
from faultlock.lang.traverse import step_expressions
from tests.model.table import labels_in, visit

MAX_STEPS = 20_000

PAGES = """
N_FOLIOS: Param = 8
N_FILE_PAGES: Param = 4
N_ADDRESS_PAGES: Param = 8
N_VMAS: Param = 4
N_VMAS_PER_MM: Param = 4
N_REQUESTS: Param = 4
FAULT_AROUND_PAGES: Param = 2

"""


def vm_flags(text: str) -> int:
    """The value of "VM_READ | VM_EXEC"."""
    constants = (KERNEL_FOLDER / "constants.py").read_text(encoding="utf-8")
    values = {name: 1 << int(bit) for name, bit in re.findall(r"(VM_\w+) = 1 << (\d+)", constants)}
    return sum(values[name.strip()] for name in text.split("|"))


class _Labels:
    """Where the labels of a model stand: steps by (file, line), atomic functions by name."""

    def __init__(self, model: Model) -> None:
        self.steps: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.functions: dict[str, set[str]] = defaultdict(set)
        for source in model.sources:
            for function, is_atomic, line, label in _labelled_lines(source.text):
                if is_atomic:
                    self.functions[function].add(label)
                else:
                    self.steps[source.path, line].add(label)


@functools.lru_cache(maxsize=512)
def _labelled_lines(text: str) -> list[tuple[str, bool, int, str]]:
    """(function, is it atomic, line of the step, label) for every label of a file."""
    found = []
    places = labels_in(text)
    for node in ast.parse(text).body if places else []:
        if isinstance(node, ast.FunctionDef):
            atomic = any(getattr(d, "id", "") == "atomic" for d in node.decorator_list)
            for line, label in places:
                if node.lineno <= line <= (node.end_lineno or 0):
                    found.append((node.name, atomic, _line_of_step(node, line), label))
    return found


def _line_of_step(function: ast.FunctionDef, line: int) -> int:
    """The line of the `with atomic:` around a line, else the line itself."""
    for node in ast.walk(function):
        if isinstance(node, ast.With) and node.lineno <= line <= (node.end_lineno or 0):
            return node.lineno
    return line


@functools.lru_cache(maxsize=64)
def _compiled(policy: str, text: str) -> tuple[Program, _Labels]:
    """Parameters are values of the run: one program serves all of them."""
    path = Path(_folder()) / f"scenario_{abs(hash(text)):x}.py"
    path.write_text(text, encoding="utf-8")
    model = load_model(policy, [path])
    return compile_model(model, statistics=True), _Labels(model)


@functools.lru_cache(maxsize=1)
def _folder() -> str:
    return tempfile.mkdtemp(prefix="faultlock-model-")


def semaphore_of(program: Program, values: dict[str, int], struct: str, field: str) -> int:
    """Number of the RwSemaphore before the first one embedded as struct.field."""
    for step in program.steps:
        for part in step_expressions(step):
            if isinstance(part, OwnRef) and (part.struct, part.field) == (struct, field):
                return evaluate_constant(part.first, values)
    raise StuckError(f"no step uses {struct}.{field}")


class _Recorder(evaluate.Machine):
    """The interpreter, noting which atomic functions were called."""

    called: set[str]

    def call_atomic(self, name: str, arguments: Iterable[int]) -> int:
        self.called.add(name)
        return super().call_atomic(name, arguments)


class StuckError(AssertionError):
    """A thread did not get where the test wanted it."""


class Run:
    """One run of a scenario; threads are numbered from 1 in the order of the text."""

    def __init__(self, text: str, policy: str = "drop-retry", **parameters: int) -> None:
        header = '# SPDX-License-Identifier: GPL-2.0-only\n"""A scenario of a test."""\n'
        self.program, self.labels = _compiled(policy, header + PAGES + text)
        unknown = set(parameters) - set(self.program.parameters)
        assert not unknown, f"no such parameter: {unknown}"
        self.machine = _Recorder(self.program, parameters, mode="simulate")
        self.machine.called = set()
        self.choices: dict[str, Callable[[int], int]] = {}
        self.events: list[tuple[str, int, int, int, int]] = []  # name, a, b, c, thread
        self.costs: list[tuple[str, int, int]] = []  # name, n, thread
        self.violation = ""
        assert self.program.setup is not None
        self.machine.call(self.program.setup)

    # ---- stepping ------------------------------------------------------------------------------

    def pc(self, thread: int) -> int:
        return self.machine.get(("pc", thread))

    def here(self, thread: int) -> set[str]:
        """Labels of the step that the thread is about to do."""
        if self.pc(thread) == 0:
            return set()
        step = self.program.step_at(self.pc(thread))
        return self.labels.steps[step.file, step.line]

    def where(self, thread: int) -> str:
        if self.pc(thread) == 0:
            return "finished"
        step = self.program.step_at(self.pc(thread))
        return f"{step.function}: {step.text}"

    def step(self, thread: int) -> evaluate.Outcome:
        """One step; a choice is made by `choices`, else the lowest value that is possible."""
        here = self.here(thread)
        self.machine.called.clear()
        outcome = self.machine.step(thread)
        if outcome.code == evaluate.CHOICE:
            outcome = self._choose(thread, outcome)
        if outcome.code in (evaluate.RAN, evaluate.CPU, evaluate.SLEEP):
            visit(here)
            for name in self.machine.called:
                visit(self.labels.functions[name])
            for event, a, b, c in outcome.records:
                if event >= 0:
                    self.events.append((self.program.event_names[event], a, b, c, thread))
        if outcome.code == evaluate.CPU:
            self.costs.append((self.program.cost_names[outcome.a], outcome.b, thread))
        if outcome.code == evaluate.FAILED:
            self.violation = self.program.assertions[outcome.a - 1].text
        if outcome.code == evaluate.ERROR:
            error = self.program.errors[outcome.a - 1]
            self.violation = f"{error.kind}: {error.text}"
        return outcome

    def _choose(self, thread: int, asked: evaluate.Outcome) -> evaluate.Outcome:
        name = self.program.choice_names[asked.c]
        values: Iterable[int] = range(asked.a, asked.b)
        if name in self.choices:
            values = [self.choices[name](thread)]
        for value in values:
            outcome = self.machine.step(thread, value)
            if outcome.code != evaluate.BLOCKED:
                return outcome
        return evaluate.Outcome(evaluate.BLOCKED)

    def go(self, *threads: int) -> str:
        """Let threads run, one after the other, until none can: "finished" or "blocked" (of
        the first), or "violated"."""
        moved = True
        while moved:
            moved = False
            for thread in threads:
                for _ in range(MAX_STEPS):
                    code = self.step(thread).code
                    if code in (evaluate.FAILED, evaluate.ERROR):
                        return "violated"
                    if code in (evaluate.BLOCKED, evaluate.FINISHED):
                        break
                    moved = True
                else:
                    raise StuckError(f"thread {thread} runs for ever: {self.where(thread)}")
        return "blocked" if self.pc(threads[0]) else "finished"

    def to(self, thread: int, label: str) -> None:
        """Let a thread run until it is about to do the step with that label."""
        for _ in range(MAX_STEPS):
            if label in self.here(thread):
                return
            outcome = self.step(thread)
            if outcome.code not in (evaluate.RAN, evaluate.CPU, evaluate.SLEEP):
                break
        raise self._stuck(thread, label)

    def _stuck(self, thread: int, wanted: str) -> StuckError:
        return StuckError(
            f"thread {thread} is not at {wanted}: {self.where(thread)} {self.violation}"
        )

    def past(self, thread: int, label: str) -> None:
        """Let a thread run until it has left the line with that label."""
        self.to(thread, label)
        while label in self.here(thread):
            if self.step(thread).code not in (evaluate.RAN, evaluate.CPU, evaluate.SLEEP):
                raise StuckError(f"thread {thread} is blocked in {label}")

    def over(self, thread: int, label: str) -> None:
        """Let a thread run to the step with that label and through it, calls included."""
        self.to(thread, label)
        step = self.program.step_at(self.pc(thread))
        inside = self._called_from(step.function)
        for _ in range(MAX_STEPS):
            if self.step(thread).code not in (evaluate.RAN, evaluate.CPU, evaluate.SLEEP):
                raise StuckError(f"thread {thread} is blocked in {label}: {self.where(thread)}")
            if self.pc(thread) == 0:
                return
            now = self.program.step_at(self.pc(thread))
            if now.function == step.function and now.line != step.line:
                return
            if now.function != step.function and now.function not in inside:
                return
        raise StuckError(f"{label} does not end")

    def _called_from(self, function: str) -> set[str]:
        found: set[str] = set()
        todo = [function]
        while todo:
            for name in self.program.functions[todo.pop()].calls:
                if name not in found and name in self.program.functions:
                    found.add(name)
                    todo.append(name)
        return found

    def until(self, thread: int, text: str) -> None:
        """Let a thread run until its next step's source line contains `text`."""
        for _ in range(MAX_STEPS):
            if text in self.where(thread):
                return
            if self.step(thread).code not in (evaluate.RAN, evaluate.CPU, evaluate.SLEEP):
                break
        raise self._stuck(thread, text)

    # ---- looking -------------------------------------------------------------------------------

    def get(self, struct: str, instance: int, field: str, element: int = 0) -> int:
        return self.machine.get(("field", struct, instance, field, element))

    def set(self, struct: str, instance: int, field: str, value: int, element: int = 0) -> None:
        self.machine.put(("field", struct, instance, field, element), value)

    def local(self, thread: int, function: str, name: str) -> int:
        return self.machine.get(("local", thread, function, name))

    def call(self, name: str, *arguments: int, thread: int = 1) -> int:
        return self.machine.call(name, *arguments, thread=thread)

    def semaphore(self, struct: str, field: str, instance: int = 1) -> int:
        """The RwSemaphore embedded in an instance, e.g. ("MM", "mmap_lock")."""
        first = semaphore_of(self.program, self.machine.parameters, struct, field)
        return first + instance

    def queue(self, semaphore: int) -> list[int]:
        """The threads in a semaphore's wait list, first to last."""
        threads = []
        thread = self.get("RwSemaphore", semaphore, "first_waiter")
        while thread:
            threads.append(thread)
            thread = self.get("Thread", thread, "wait_next")
        return threads

    def held(self, thread: int) -> dict[str, bool]:
        """What the thread holds: the columns of table 5.2 of the specification."""
        flag = functools.partial(self.get, "Thread", thread)
        return {
            "ref": flag("holds_folio") != 0,
            "folio lock": flag("holds_folio_lock") != 0,
            "invalidate_lock": flag("holds_invalidate_lock") != 0,
            "pin": flag("pinned_file") != 0,
            "fault lock": flag("holds_vma_lock") != 0 or flag("holds_mmap_lock") != 0,
        }

    def fault_lock(self, thread: int) -> str:
        """Which fault lock the thread holds: "vma", "mmap read", "mmap write" or ""."""
        if self.get("Thread", thread, "holds_vma_lock"):
            return "vma"
        return ("", "mmap read", "mmap write")[self.get("Thread", thread, "mmap_lock_mode")]

    def holds(self, thread: int) -> str:
        """The names of what the thread holds, in the order of table 5.2."""
        return ", ".join(name for name, yes in self.held(thread).items() if yes)

    def count(self, event: str) -> int:
        return sum(1 for record in self.events if record[0] == event)
