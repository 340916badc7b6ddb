# SPDX-License-Identifier: GPL-2.0-only
"""Names that strangers chose, made safe to print on a terminal."""

from __future__ import annotations


def printable(text: str, limit: int = 200) -> str:
    """`text` with every character that a terminal may act on written as \\xNN or \\uNNNN.

    Cut to `limit` characters. For HTML the page that shows it escapes again.
    """
    pieces = []
    for character in text[:limit]:
        if character.isprintable() and not 0x202A <= ord(character) <= 0x202E:
            pieces.append(character)
        else:
            code = ord(character)
            pieces.append(f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
    return "".join(pieces) + ("..." if len(text) > limit else "")
