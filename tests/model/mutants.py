# SPDX-License-Identifier: GPL-2.0-only
"""Do the tests of a step fail when the step is wrong?

For each label of the table: the labelled line of the kernel text is taken out, or turned into
its opposite, in a copy of the kernel, and the tests of that label run on the copy.  A mutant
that no test notices is printed as `survived`.

    python -m tests.model.mutants            # all labels: about ten minutes
    python -m tests.model.mutants F21 8.3.8  # some

test_mutants.py runs a sample in the ordinary tests.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from faultlock.lang import model
from tests.model.table import TABLE, labels_in

TESTS = Path(__file__).parent
ALWAYS, NEVER = "current.kernel_depth < 9", "current.kernel_depth > 9"
INVALID, SURVIVED, REACHED, KILLED = "invalid", "survived", "not reached", "killed"

BY_HAND = {  # steps that the rules of `replacements` cannot change: the wrong line to try
    "2.2.3": "vma = find_vma(current.mm, address)",
    "2.2.8": "vma = find_vma(current.mm, address)",
    "3.3.5": "polls_left = 5 + readers",
    "F2": "folio = filemap_peek(mapping, index)",
    "H2": "folio = filemap_peek(mapping, index)",
    "8.3.1": "folio = isolate_lru_tail(True)",
    "8.4.2": "folio = filemap_peek(mapping, index)",
    "8.5.4c": "copy = find_vma(current.mm, 0)",
}


@dataclass(frozen=True)
class Mutant:
    """One changed line of one file ("kernel/exit.py")."""

    label: str
    file: str
    line: int
    code: str  # what stands there instead, without indentation and comment

    def text(self, original: str) -> str:
        """The file's text with that line changed; the label stays."""
        lines = original.split("\n")
        old = lines[self.line - 1]
        indent = old[: len(old) - len(old.lstrip())]
        comment = old[old.rindex("#") :]
        lines[self.line - 1] = f"{indent}{self.code}  {comment}"
        return "\n".join(lines)


UNCHANGED = Mutant("", "kernel/signal.py", 1, "")  # its SPDX line, indented


def replacements(code: str) -> list[str]:
    """Wrong versions of a line of the language, likely ones first."""
    nothing = ['cpu("mutant")', "pass"]
    if match := re.match(r"(if|while) ", code):
        return [f"{match[1]} {NEVER}:"] + ([f"if {ALWAYS}:"] if match[1] == "if" else [])
    if code.startswith("return "):
        value = code.removeprefix("return ")
        flipped = {"True": "False", "False": "True"}.get(value)
        return [f"return {flipped}"] if flipped else ["return 0", "return None"]
    if match := re.match(r"(\w+) (\|?=) \w+\(.*\)$", code):
        return [f"{match[1]} {match[2]} {value}" for value in ("0", "None", "False")]
    if code == "with atomic:":
        return []
    return nothing


def mutants(wanted: set[str]) -> Iterator[Mutant]:
    """Mutants of the wanted labels (all, when none is given)."""
    for folder in (model.KERNEL_FOLDER, model.POLICY_FOLDER):
        for path in sorted(folder.glob("*.py")):
            lines = path.read_text(encoding="utf-8").splitlines()
            for number, label in labels_in("\n".join(lines)):
                if wanted and label not in wanted:
                    continue
                code = lines[number - 1].rsplit("#", 1)[0].strip()
                by_hand = [BY_HAND[label]] if label in BY_HAND and code != "with atomic:" else []
                for other in by_hand or replacements(code):
                    yield Mutant(label, f"{folder.name}/{path.name}", number, other)


class _Outcome:
    """A pytest plugin that keeps why the first test failed."""

    reason = SURVIVED
    detail = ""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
        yield
        error = call.excinfo
        if error is None or error.errisinstance(pytest.skip.Exception):
            return
        text = str(error.value).splitlines()[0] if str(error.value) else ""
        kind = KILLED
        if error.typename in ("LanguageErrors", "LanguageError"):
            kind = INVALID
        elif error.typename == "StuckError" or "reached" in text:
            kind = REACHED
        self.reason, self.detail = kind, f"{item.name}: {text[:90]}"


def try_mutant(mutant: Mutant, tests: list[str]) -> tuple[str, str]:
    """Run tests (node ids) on a copy of the model with the mutant; (outcome, why)."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        outcome = _Outcome()
        try:
            _run_in_copy(mutant, tests, outcome)
        finally:
            os.write(write, f"{outcome.reason}\n{outcome.detail}".encode())
            os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as pipe:
        reason, _, detail = pipe.read().partition("\n")
    os.waitpid(child, 0)
    return reason, detail


def _run_in_copy(mutant: Mutant, tests: list[str], outcome: _Outcome) -> None:
    with tempfile.TemporaryDirectory(prefix="faultlock-mutant-") as name:
        copy = Path(name)
        os.environ["FAULTLOCK_CACHE"] = str(copy / "cache")
        for folder in (model.KERNEL_FOLDER, model.POLICY_FOLDER):
            shutil.copytree(folder, copy / folder.name)
        changed = copy / mutant.file
        changed.write_text(mutant.text(changed.read_text(encoding="utf-8")), encoding="utf-8")
        model.KERNEL_FOLDER, model.POLICY_FOLDER = copy / "kernel", copy / "policies"
        importlib.import_module("tests.model.run")._compiled.cache_clear()
        importlib.import_module("tests.model.actors.scene")._programs.clear()
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests], plugins=[outcome])


def load_table() -> dict[str, list[str]]:
    """Label -> node ids of its tests; imports all test files of the model."""
    for path in sorted([*TESTS.glob("test_*.py"), *TESTS.glob("actors/test_*.py")]):
        if path.stem != "test_labels":
            importlib.import_module(".".join(path.relative_to(TESTS.parents[1]).parts)[:-3])
    return {label: [node_id(test) for test in tests] for label, tests in TABLE.items()}


def node_id(test: str) -> str:
    """tests.model.test_drop.test_x -> tests/model/test_drop.py::test_x."""
    file, _, name = test.rpartition(".")
    return f"{TESTS.parents[1]}/{file.replace('.', '/')}.py::{name}"


def main() -> int:
    """Print one line for each mutant; exit code 1 when one survived, 2 when a test fails anyway."""
    wanted = set(sys.argv[1:])
    table = load_table()
    alive = 0
    chosen = sorted({test for label in wanted or table for test in table.get(label, [])})
    outcome, why = try_mutant(UNCHANGED, chosen)
    if outcome != SURVIVED:
        print(f"the tests fail without a change: {why}")
        return 2
    done: set[tuple[str, str, int]] = set()
    for mutant in mutants(wanted):
        where = (mutant.label, mutant.file, mutant.line)
        if where in done:
            continue
        outcome, why = try_mutant(mutant, table.get(mutant.label, []))
        if outcome != INVALID and not mutant.code.startswith("if "):
            done.add(where)  # the others are the same change for another place
        alive += outcome == SURVIVED
        place = f"{mutant.file}:{mutant.line}"
        print(f"{outcome:12} {mutant.label:9} {place:30} {mutant.code:40} {why}", flush=True)
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
