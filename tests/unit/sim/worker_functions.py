# SPDX-License-Identifier: GPL-2.0-only
"""What the workers of tests do; a module that they can import."""

from __future__ import annotations

import os
import signal

from faultlock.errors import FaultlockError, LanguageError, LanguageErrors


def square_or_refuse(number: int) -> int:
    if number < 0:
        raise FaultlockError(f"{number} is negative")
    return number * number


def interrupt_oneself(number: int) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    return number


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuse_the_model(number: int) -> int:
    raise LanguageErrors([LanguageError("a.py", number, 2, "while True")])


def write_much(size_bytes: int) -> bytes:
    return bytes(size_bytes)
