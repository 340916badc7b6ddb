# SPDX-License-Identifier: GPL-2.0-only
"""Errors that end a command with one clear line, and writing files whole or not at all.

    FaultlockError            exit code 2: usage or bad input
      LanguageErrors          exit code 3: a policy or scenario is not in the model language
      EnvironmentMissing      exit code 4: no root, no QEMU, no compiler ...
      LimitReached            exit code 5: a limit ended the work before an answer
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, overload

EXIT_OK = 0
EXIT_VIOLATED = 1
EXIT_USAGE = 2
EXIT_LANGUAGE = 3
EXIT_ENVIRONMENT = 4
EXIT_UNKNOWN = 5
EXIT_INTERRUPTED = 130


class FaultlockError(Exception):
    """Bad usage or bad input; the message says what, where and the cure."""

    exit_code = EXIT_USAGE


class EnvironmentMissing(FaultlockError):
    """Something the machine lacks (root, a tool, a kernel feature); the message says the cure."""

    exit_code = EXIT_ENVIRONMENT


class LimitReached(FaultlockError):
    """A limit (states, memory, time) was reached before there was an answer."""

    exit_code = EXIT_UNKNOWN


@dataclass(frozen=True, order=True)
class LanguageError:
    """One refusal of the model language: where, what is not allowed, the cure."""

    file: str
    line: int
    column: int
    what: str
    cure: str = ""

    def __str__(self) -> str:
        cure = f" ({self.cure})" if self.cure else ""
        return f"{self.file}:{self.line}:{self.column}: {self.what}{cure}"


class LanguageErrors(FaultlockError):
    """All refusals of one model, sorted by place."""

    exit_code = EXIT_LANGUAGE

    def __init__(self, errors: Sequence[LanguageError]) -> None:
        self.errors = sorted(set(errors))
        super().__init__("\n".join(str(error) for error in self.errors))

    def __reduce__(self) -> tuple[type[LanguageErrors], tuple[list[LanguageError]]]:
        """From a worker process it comes as it was."""
        return type(self), (self.errors,)


def check_output(path: Path | str | None) -> None:
    """Refuse a file that atomic_write() could not write, before the work that would fill it.

    Raises FaultlockError."""
    if path is None:
        return
    target = Path(path)
    folder = target.absolute().parent
    wrong = ""
    if target.is_dir():
        wrong = "Is a directory"
    elif not folder.is_dir():
        wrong = "Not a directory" if folder.exists() else "No such file or directory"
    elif not os.access(folder, os.W_OK | os.X_OK):
        wrong = "Permission denied"
    if wrong:
        raise FaultlockError(f"{target}: cannot be written: {wrong}; choose another output file")


@overload
def atomic_write(
    path: Path | str, mode: Literal["w"] = "w"
) -> AbstractContextManager[IO[str]]: ...


@overload
def atomic_write(path: Path | str, mode: Literal["wb"]) -> AbstractContextManager[IO[bytes]]: ...


def atomic_write(path: Path | str, mode: str = "w") -> AbstractContextManager[Any]:
    """Open a temporary file beside `path`; on success it takes the place of `path`.

    On any error `path` is left as it was and the temporary file is removed.
    Raises FaultlockError when the folder cannot be written.
    """
    return _atomic_write(path, mode)


@contextmanager
def _atomic_write(path: Path | str, mode: str) -> Iterator[IO[Any]]:
    target = Path(path)
    check_output(target)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise FaultlockError(
            f"{target}: cannot be written: {error.strerror}; choose another output file"
        ) from None
    try:
        encoding = None if "b" in mode else "utf-8"
        with os.fdopen(descriptor, mode, encoding=encoding) as stream:
            yield stream
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
