# SPDX-License-Identifier: GPL-2.0-only
"""Finding a function in C source and taking its fingerprint; no C parser is needed.

A fingerprint is the SHA-256 (first 16 hexadecimal digits) of the function's tokens: comments,
white space and line breaks do not count, so re-indenting is not a change.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

MAX_FILE_BYTES = 4_000_000
DIGITS = 16
_HIDDEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_TOKEN = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|\w+|[^\s\w]")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def read_c_file(path: Path) -> str:
    """The text of a C file, "" when it is absent or too large to be one."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def mask(text: str) -> str:
    """The text with comments and literals blanked, every character in its place."""
    return _HIDDEN.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def function_texts(text: str, name: str) -> list[str]:
    """Every definition of `name` in a C file (there may be one per #ifdef branch).

    Macros (`#define name(...)`) count as definitions.
    """
    masked = mask(text)
    found = []
    for match in re.finditer(rf"\b{re.escape(name)}\s*\(", masked):
        line_start = masked.rfind("\n", 0, match.start()) + 1
        line = masked[line_start : match.start()]
        if re.match(r"\s*#\s*define\s+$", line):
            found.append(text[line_start : _macro_end(text, line_start)])
            continue
        if line[:1].isspace():  # a call: definitions start in the first column
            continue
        end = _body_end(masked, match.end() - 1)
        if end:
            found.append(text[_definition_start(masked, line_start) : end])
    return found


def _macro_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    while end > 0 and text[end - 1] == "\\":
        end = text.find("\n", end + 1)
    return end if end > 0 else len(text)


def _matching(masked: str, start: int, opening: str, closing: str) -> int:
    depth = 0
    for position in range(start, len(masked)):
        if masked[position] == opening:
            depth += 1
        elif masked[position] == closing:
            depth -= 1
            if depth == 0:
                return position + 1
    return 0


def _body_end(masked: str, parenthesis: int) -> int:
    """End of the body when `(` opens the parameters of a definition, else 0."""
    after = _matching(masked, parenthesis, "(", ")")
    if not after:
        return 0
    gap = re.compile(r"(?:\s|__\w+(?:\([^)]*\))?)*").match(masked, after)
    brace = gap.end() if gap else after
    if masked[brace : brace + 1] != "{":
        return 0
    return _matching(masked, brace, "{", "}")


def _definition_start(masked: str, line_start: int) -> int:
    """The return type may stand on a line of its own above."""
    before = masked.rfind("\n", 0, max(line_start - 1, 0)) + 1
    line = masked[before:line_start].strip()
    return before if line and re.fullmatch(r"[\w\s*]+", line) else line_start


def fingerprint(definitions: list[str]) -> str:
    """One fingerprint of all definitions of a function, "" when there is none."""
    if not definitions:
        return ""
    digest = hashlib.sha256()
    for definition in definitions:
        tokens = _TOKEN.findall(_COMMENT.sub(" ", definition))
        digest.update("\0".join(tokens).encode())
        digest.update(b"\1")
    return digest.hexdigest()[:DIGITS]
