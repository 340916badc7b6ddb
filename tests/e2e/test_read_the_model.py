# SPDX-License-Identifier: GPL-2.0-only
"""list, show, diff and lint as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import faultlock

HOSTILE = '''# SPDX-License-Identifier: GPL-2.0-only
"""Would delete a file if it were executed."""
import os

os.remove("precious")


def filemap_fault() -> None:
    __import__("os").remove("precious")
'''


def test_list_names_what_is_here() -> None:
    done = faultlock("list")
    assert done.returncode == 0, done.stderr
    for word in ("policies:", "drop-retry", "hold-until-writer", "workloads:", "fork-storm"):
        assert word in done.stdout


def test_list_functions_as_json() -> None:
    done = faultlock("list", "functions", "--json")
    functions = {row["name"]: row["what"] for row in json.loads(done.stdout)["functions"]}
    assert functions["filemap_fault"].startswith("kernel/filemap.py:")


def test_show_as_a_policy_has_it() -> None:
    base = faultlock("show", "filemap_fault")
    hold = faultlock("show", "filemap_fault", "-p", "hold")
    assert base.stdout.startswith("kernel/filemap.py:")
    assert hold.stdout.startswith("policies/hold.py:")
    assert ", replaces kernel/filemap.py:" in hold.stdout
    assert "called by" in hold.stdout


def test_show_of_an_unknown_name_is_one_line() -> None:
    done = faultlock("show", "filemap_falut")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "did you mean filemap_fault" in done.stderr


def test_diff_side_by_side_is_plain_and_as_wide_as_told() -> None:
    done = faultlock("diff", "drop-retry", "hold", environment={"COLUMNS": "132"})
    assert done.returncode == 0, done.stderr
    assert "\x1b[" not in done.stdout
    assert "filemap_fault: kernel/filemap.py:" in done.stdout
    sides = [line for line in done.stdout.splitlines() if " | " in line or " < " in line]
    assert max(map(len, sides)) <= 132
    assert done.stdout.splitlines()[-1].startswith("hold against drop-retry: ")


def test_diff_unified_has_both_sides() -> None:
    done = faultlock("diff", "drop-retry", "hold", "filemap_fault", "--unified")
    lines = done.stdout.splitlines()
    assert any(line.startswith("-") for line in lines)
    assert any(line.startswith("+") for line in lines)


def test_diff_in_colour_on_a_terminal(tmp_path: Path) -> None:
    command = f"{sys.executable} -m faultlock diff drop-retry hold --unified"
    done = subprocess.run(
        ["script", "-qec", command, str(tmp_path / "typescript")],
        env={"PATH": "/usr/bin:/bin", "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if "pseudo-terminal" in done.stderr:
        pytest.skip("no pseudo-terminals here (devpts is not mounted)")
    assert "\x1b[31;1m-" in done.stdout
    assert "\x1b[32m+" in done.stdout


def test_diff_of_a_policy_with_itself() -> None:
    done = faultlock("diff", "hold", "hold")
    assert (done.returncode, done.stdout) == (0, "hold and hold: no difference\n")


def test_diff_with_an_unknown_policy_names_the_nearest() -> None:
    done = faultlock("diff", "drop-retry", "hodl")
    assert done.returncode == 2
    assert "did you mean hold" in done.stderr


def test_lint_of_every_shipped_policy() -> None:
    names = [row["name"] for row in json.loads(faultlock("list", "--json").stdout)["policies"]]
    done = faultlock("lint", *names)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("in the language") == len(names)


def test_lint_never_executes(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("still here")
    (tmp_path / "hostile.py").write_text(HOSTILE)
    done = faultlock("lint", "hostile.py", cwd=tmp_path)
    assert done.returncode == 3
    assert "hostile.py:3:1: import is not allowed here" in done.stdout
    assert precious.read_text() == "still here"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"def f(:", b"x" * 2_000_000, b"\0"])
def test_lint_of_a_broken_file_is_no_traceback(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.py").write_bytes(content)
    done = faultlock("lint", "broken.py", cwd=tmp_path)
    assert done.returncode in (2, 3)
    assert "broken.py" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
