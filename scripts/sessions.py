# SPDX-License-Identifier: GPL-2.0-only
"""Recorded sessions in README and docs: fenced `console` blocks of `$ command` and its output.

    python scripts/sessions.py --write [PAGE...]    run the commands, put their output in
    python scripts/sessions.py --check [PAGE...]    exit code 1 when a page shows something else

The blocks of one page run in order in one empty folder.  Times that a command took (a last
column `seconds`) and commits are not compared.  `console slow` blocks are only written.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```console([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_S = 600
COMMIT = re.compile(r"\(commit [^)]*\)")


@dataclass(frozen=True)
class Session:
    """One block: its words (`slow`), and each command with the output that the page shows."""

    words: frozenset[str]
    commands: tuple[tuple[str, str], ...]


def pages() -> list[Path]:
    """README and every page of docs/."""
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def read_session(words: str, text: str) -> Session:
    """A block's text as commands with outputs; a line ending in `\\` goes on."""
    commands: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if commands and not commands[-1][1] and commands[-1][0].endswith("\\"):
            commands[-1] = (f"{commands[-1][0]}\n{line}", [])
        elif line.startswith("$ "):
            commands.append((line[2:], []))
        elif commands:
            commands[-1][1].append(line)
    return Session(
        frozenset(words.split()),
        tuple((command, "\n".join(output)) for command, output in commands),
    )


def run(command: str, folder: Path) -> str:
    """stdout and stderr of a command, plain, 100 columns."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NO_COLOR": "1",
        "COLUMNS": "100",
    }
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=LIMIT_S, check=False,
    )
    return done.stdout.rstrip("\n")


def comparable(output: str) -> str:
    """Output without what differs from run to run: times taken, commits."""
    lines = []
    timed = False
    for line in output.splitlines():
        columns = line.split()
        if columns[-1:] == ["seconds"]:
            timed = True
        elif not columns:
            timed = False
        elif timed:
            columns = columns[:-1]
        lines.append(COMMIT.sub("(commit)", " ".join(columns)))
    return "\n".join(lines)


def refreshed(page: Path, slow: bool = True) -> tuple[str, list[str]]:
    """The page's text with fresh outputs, and the commands whose output had changed."""
    text = page.read_text(encoding="utf-8")
    changed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:

        def fresh(match: re.Match[str]) -> str:
            session = read_session(match[1], match[2])
            if "slow" in session.words and not slow:
                return match[0]
            parts = []
            for command, old in session.commands:
                new = run(command, Path(folder))
                if comparable(new) != comparable(old):
                    changed.append(command)
                parts.append(f"$ {command}\n{new}\n" if new else f"$ {command}\n")
            return f"```console{match[1]}\n{''.join(parts)}```"

        text = FENCE.sub(fresh, text)
    return text, changed


def main(words: list[str]) -> int:
    """Write or check; returns the exit code."""
    chosen = [Path(word) for word in words if not word.startswith("--")] or pages()
    outdated = 0
    for page in chosen:
        if not FENCE.search(page.read_text(encoding="utf-8")):
            continue
        text, changed = refreshed(page, "--write" in words)
        for command in changed:
            print(f"{page.name}: {command}: the output has changed", file=sys.stderr)
        outdated += len(changed)
        if "--write" in words:
            page.write_text(text, encoding="utf-8")
    return int(outdated > 0 and "--check" in words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
