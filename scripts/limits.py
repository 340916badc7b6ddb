# SPDX-License-Identifier: GPL-2.0-only
"""Writes docs/limits.md: every `Left out` line and every `# Model:` comment of the kernel.

    python scripts/limits.py            print it
    python scripts/limits.py --write    write docs/limits.md
    python scripts/limits.py --check    exit code 1 when docs/limits.md is out of date
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "src" / "faultlock"
TARGET = REPOSITORY / "docs" / "limits.md"
HEAD = REPOSITORY / "docs" / "limits-head.md"
SECTION = re.compile(r"^(Source|Context|Returns|Left out):")


def left_out(docstring: str) -> str:
    """The `Left out:` entry with its continuation lines, "" when it says nothing is."""
    taken: list[str] = []
    for line in (line.strip() for line in docstring.splitlines()):
        if line.startswith("Left out:"):
            taken = [line.removeprefix("Left out:").strip()]
        elif taken and (not line or SECTION.match(line)):
            break
        elif taken:
            taken.append(line)
    text = " ".join(taken)
    return "" if text.rstrip(".").lower() == "nothing" else text


def functions(path: Path) -> Iterator[tuple[str, str]]:
    """(function, what it leaves out) of one file, in order, only where something is."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            text = left_out(ast.get_docstring(node) or "")
            if text:
                yield node.name, text


def departures(path: Path) -> Iterator[str]:
    """The `Model:` remarks of one file: paragraphs of its docstring, then its comments."""
    text = path.read_text(encoding="utf-8")
    for paragraph in (ast.get_docstring(ast.parse(text)) or "").split("\n\n"):
        yield from _remark(" ".join(paragraph.replace("\n# ", "\n").split()))
    comment, last_line = "", 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        alone = token.line.strip().startswith("#")
        if not (alone and comment and token.start[0] == last_line + 1):
            yield from _remark(comment)
            comment = ""
        comment = f"{comment} {token.string.removeprefix('#').strip()}".strip()
        last_line = token.start[0]
    yield from _remark(comment)


def _remark(text: str) -> Iterator[str]:
    """What follows `Model:` in a comment, if it has one."""
    _, found, after = text.partition("Model:")
    if found:
        yield after.strip()


def page() -> str:
    """The whole text of docs/limits.md."""
    parts = [HEAD.read_text(encoding="utf-8").rstrip()]
    for folder in ("kernel", "policies"):
        for path in sorted((PACKAGE / folder).glob("*.py")):
            rows = [f"| `{name}` | {_cell(text)} |" for name, text in functions(path)]
            notes = [f"- {text[0].upper()}{text[1:]}" for text in departures(path)]
            if rows or notes:
                parts.append(f"### {folder}/{path.name}")
            if notes:
                parts.append("\n".join(notes))
            if rows:
                parts.append("\n".join(["| function | left out |", "| --- | --- |", *rows]))
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(words: list[str]) -> int:
    """Print, write or check; returns the exit code."""
    text = page()
    if "--write" in words:
        TARGET.write_text(text, encoding="utf-8")
    elif "--check" in words:
        return int(not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
