# SPDX-License-Identifier: GPL-2.0-only
"""Words for refusals: what a piece of syntax is called, and its text, short enough for a line."""

from __future__ import annotations

import ast
import difflib
import io
import tokenize
from collections.abc import Iterator

MAX_TEXT = 60  # characters of the refused text that a message repeats
MAX_GUESSES = 50  # errors after which nobody looks for names that were meant: that takes long

# Words that the language gives a meaning: no constant, type or function may have them as name.
# fmt: off
RESERVED = frozenset({
    "bool", "int", "Range", "Flags", "Array", "Own", "Const", "Private", "Param", "Struct", "Enum",
    "current", "killable", "atomic", "wait", "choose", "cpu", "sleep", "emit", "alloc", "free",
    "each", "range", "min", "max",
})
# fmt: on

CALLED = {
    ast.NamedExpr: "`:=`",
    ast.Lambda: "lambda",
    ast.JoinedStr: "an f-string",
    ast.Starred: "`*`",
    ast.Slice: "a slice",
    ast.List: "a list",
    ast.Tuple: "a tuple",
    ast.Set: "a set",
    ast.Dict: "a dict",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
    ast.FunctionDef: "a function inside a function",
    ast.AsyncFunctionDef: "async def",
    ast.ClassDef: "a class inside a function",
    ast.AugAssign: "an assignment like +=",
    ast.Delete: "del",
    ast.Try: "try",
    ast.TryStar: "try",
    ast.Raise: "raise",
    ast.Assert: "assert",
    ast.Global: "global",
    ast.Nonlocal: "nonlocal",
    ast.Import: "import",
    ast.ImportFrom: "import",
    ast.Match: "match",
    ast.AsyncFor: "async for",
    ast.AsyncWith: "async with",
    ast.With: "with",
    ast.If: "if",
    ast.For: "for",
    ast.While: "while",
    ast.Expr: "an expression as a statement",
    ast.Pow: "**",
    ast.Div: "/",
    ast.MatMult: "@",
    ast.In: "in",
    ast.NotIn: "not in",
}

CURES = {
    ast.NamedExpr: "assign on a line of its own",
    ast.Lambda: "write a function",
    ast.ListComp: "write a loop",
    ast.SetComp: "write a loop",
    ast.DictComp: "write a loop",
    ast.GeneratorExp: "write a loop",
    ast.FunctionDef: "move it to the top level of the file",
    ast.AsyncFunctionDef: "write def",
    ast.ClassDef: "move it to the top level of the file",
    ast.Try: "return an error number and test it",
    ast.Raise: "return an error number",
    ast.Pow: "multiply, or shift",
    ast.Div: "use //",
}


def cure_for(node: ast.AST) -> str:
    """What to write instead of a kind of syntax."""
    return CURES.get(type(node), "see docs/language.md")


def nearest(name: str, names: list[str], errors: int, otherwise: str) -> str:
    """A cure for an unknown name when there are `errors` already: what was meant, or otherwise."""
    close = [] if errors > MAX_GUESSES else difflib.get_close_matches(name, names, n=2)
    return f"did you mean {' or '.join(close)}?" if close else otherwise


def called(node: ast.AST) -> str:
    """What a kind of syntax is called in a message."""
    return CALLED.get(type(node), type(node).__name__)


def text_of(node: ast.AST) -> str:
    """The source text of an expression, shortened."""
    try:
        text = ast.unparse(node)
    except (ValueError, RecursionError):  # a literal of thousands of digits; deep nesting
        return "this"
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def shown(value: object) -> str:
    """A literal in a message."""
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if value is Ellipsis:
        return "..."
    text = repr(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def syntax_problem(error: Exception, text: str) -> tuple[int, int, str, str]:
    """(line, column, what, cure) for text that Python's parser refuses."""
    line = getattr(error, "lineno", 1) or 1
    column = getattr(error, "offset", 1) or 1
    if "\0" in text:
        before = text[: text.index("\0")]
        column = len(before) - (before.rfind("\n") + 1) + 1
        return before.count("\n") + 1, column, "a NUL byte in the text", "remove it"
    if isinstance(error, RecursionError | MemoryError):
        what = "nested deeper than Python's parser can follow"
        return line, column, what, "use locals and functions for the parts"
    message = str(getattr(error, "msg", error))
    if "digits" in message and "integer" in message:
        return line, column, "an integer of thousands of digits", "64-bit integers"
    return line, column, f"not Python syntax: {message}", "see docs/language.md"


def foreign_names(text: str) -> Iterator[tuple[int, int, str]]:
    """(line, column, name) of each name with a character that is not ASCII: it may look like
    another name, and no back end could spell it."""
    if text.isascii():
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.NAME, tokenize.ERRORTOKEN) and not token.string.isascii():
                yield token.start[0], token.start[1] + 1, token.string
    except (tokenize.TokenError, SyntaxError):
        return  # the parser says what is wrong
