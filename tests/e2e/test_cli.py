# SPDX-License-Identifier: GPL-2.0-only
"""The command line as a whole: help, version, exit codes, pipes, interrupts."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys

import pytest

from faultlock import cli
from faultlock.errors import EnvironmentMissing, FaultlockError, LanguageError, LanguageErrors
from tests.paths import SOURCE
from tests.tools import faultlock

HEAVY = ("numba", "numpy", "llvmlite", "pyarrow", "polars", "rich", "dask", "perfetto")


def test_help_lists_every_verb_and_the_exit_codes() -> None:
    done = faultlock("--help")
    assert done.returncode == 0
    for verb in cli.all_verbs():
        assert f"  {verb} " in done.stdout
    for code in ("0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "130"):
        assert f"\n  {code}" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from faultlock import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("verb", cli.all_verbs())
def test_every_verb_explains_itself(verb: str) -> None:
    done = faultlock(verb, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: faultlock {verb} ")
    assert importlib.import_module(cli.module_of(verb)).HELP.strip()


def test_every_command_module_is_a_verb() -> None:
    modules = {path.stem for path in (SOURCE / "commands").glob("[!_]*.py")}
    table = {cli.module_of(verb).rpartition(".")[2] for verb in cli.all_verbs()}
    unknown = {
        name
        for name in modules - table
        if "def configure" in (SOURCE / "commands" / f"{name}.py").read_text()
    }
    assert not unknown


def test_only_commands_and_the_command_line_print() -> None:
    allowed = {SOURCE / "cli.py", SOURCE / "report" / "console.py"}
    printing = []
    for path in SOURCE.rglob("*.py"):
        if path in allowed or path.is_relative_to(SOURCE / "commands"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tree.body = [node for node in tree.body if getattr(node, "name", "") != "main"]
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "print"
            ):
                printing.append(f"{path}:{node.lineno}")
    assert not printing


def test_version_names_the_commit() -> None:
    done = faultlock("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("faultlock 0.1.0 (commit ")


def test_unknown_verb_names_the_nearest() -> None:
    done = faultlock("dif")
    assert done.returncode == 2
    assert done.stderr.startswith("faultlock: no command 'dif'; did you mean ")
    assert "diff" in done.stderr


def test_unknown_option_is_one_line() -> None:
    done = faultlock("diff", "hold", "hold", "--nonsense")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--nonsense" in done.stderr


def test_no_verb_prints_the_help_and_fails() -> None:
    done = faultlock()
    assert done.returncode == 2
    assert "exit codes" in done.stdout


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (FaultlockError("x: bad"), 2, "faultlock: x: bad\n"),
        (EnvironmentMissing("no root"), 4, "faultlock: no root\n"),
        (LanguageErrors([LanguageError("a.py", 1, 2, "no", "cure")]), 3, "a.py:1:2: no (cure)\n"),
        (KeyboardInterrupt(), 130, "faultlock: interrupted\n"),
        (ValueError("boom"), 70, "faultlock: defect in faultlock: ValueError: boom"),
    ],
)
def test_exit_code_and_line_of_each_error(
    error: BaseException,
    code: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(words: object) -> int:
        raise error

    monkeypatch.setattr(cli, "_carry_out", fail)
    monkeypatch.delenv("FAULTLOCK_DEBUG", raising=False)
    assert cli.main(["list"]) == code
    assert capsys.readouterr().err.startswith(text)


def test_closed_pipe_ends_quietly() -> None:
    command = f"{sys.executable} -m faultlock --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
