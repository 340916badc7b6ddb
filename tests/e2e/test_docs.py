# SPDX-License-Identifier: GPL-2.0-only
"""Every command block of the README and of docs/ is run; every link leads somewhere.

A block is fenced as `sh`.  Words after it say what it needs: `root`, `qemu`, `ftrace` (skipped
by name where that is missing), `exit=1` (the last command's exit code), `slow` (left to the
tests of its own part).  The blocks of one page run in order in one empty folder.  Lines that
begin with `make ` are what CI itself runs and are left out here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.sessions import FENCE as SESSION
from scripts.sessions import comparable, read_session, refreshed
from tests.paths import REPOSITORY, SOURCE
from tests.tools import require_tool

FENCE = re.compile(r"^```(\w*)([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
KNOWN_WORDS = {"root", "qemu", "ftrace", "slow"}
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


@dataclass(frozen=True)
class Block:
    language: str
    words: frozenset[str]
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(m[1], frozenset(m[2].split()), m[3], text.count("\n", 0, m.start()) + 1)
        for m in FENCE.finditer(text)
    ]


def commands(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language == "sh"]


def wanted_exit(block: Block) -> int:
    words = [word for word in block.words if word.startswith("exit=")]
    return int(words[0].removeprefix("exit=")) if words else 0


def missing(block: Block) -> str:
    """Why the block cannot run here, or ""."""
    if "root" in block.words and os.geteuid() != 0:
        return "needs root"
    if "ftrace" in block.words and not os.access("/sys/kernel/tracing/tracing_on", os.W_OK):
        return "needs ftrace"
    if "qemu" in block.words:
        require_tool("qemu-system-x86_64")
    return "left to the tests of its part" if "slow" in block.words else ""


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda page: page.name)
def test_command_blocks_run(page: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NO_COLOR": "1",
    }
    ran = 0
    for block in commands(page):
        if missing(block):
            continue
        lines = [line for line in block.text.splitlines() if not line.startswith("make ")]
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )
        where = f"{page.name}:{block.line}"
        assert done.returncode == wanted_exit(block), f"{where}\n{done.stdout}\n{done.stderr}"
        ran += 1
    if not ran:
        pytest.skip(f"no block of {page.name} can run here: {missing(commands(page)[0])}")


@pytest.mark.parametrize(
    "page", [p for p in PAGES if SESSION.search(p.read_text())], ids=lambda page: page.name
)
def test_recorded_sessions_are_current(page: Path) -> None:
    _, changed = refreshed(page, slow=False)
    assert not changed, f"python scripts/sessions.py --write {page}"


def test_sessions_are_compared_without_times_and_commits() -> None:
    session = read_session("", "$ faultlock check hold \\\n  --json\nfound\n$ next\n")
    assert session.commands == (("faultlock check hold \\\n  --json", "found"), ("next", ""))
    first = "states  seconds\n21  0.5\n\n3 of 4 (commit abc+)"
    assert comparable(first) == comparable("states  seconds\n21  9.5\n\n3 of 4 (commit def)")
    assert comparable(first) != comparable("states  seconds\n22  0.5\n\n3 of 4 (commit abc)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_fences_are_known(page: Path) -> None:
    for block in blocks(page):
        assert block.language, f"{page.name}:{block.line}: a fence says what it holds (sh, text)"
        if block.language == "sh":
            unknown = {word for word in block.words if not word.startswith("exit=")} - KNOWN_WORDS
            assert not unknown, f"{page.name}:{block.line}: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = [
        target
        for target in LINK.findall(text)
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_the_tour_names_every_kernel_file_and_only_real_functions() -> None:
    tour = (REPOSITORY / "docs" / "tour.md").read_text(encoding="utf-8")
    files = {path.name for path in (SOURCE / "kernel").glob("*.py")} - {"__init__.py"}
    assert {name for name in files if f"`{name}`" not in tour} == set()
    text = "".join(path.read_text(encoding="utf-8") for path in (SOURCE / "kernel").glob("*.py"))
    named = re.findall(r"`(\w+)`", "".join(re.findall(r"\|[^|\n]*\|\n", tour)))
    assert named
    assert [name for name in named if not re.search(rf"\b{name}\b", text)] == []


def test_the_limits_page_is_current() -> None:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "scripts" / "limits.py", "--check"], check=False
    )
    assert done.returncode == 0, "run python scripts/limits.py --write"
