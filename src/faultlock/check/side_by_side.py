# SPDX-License-Identifier: GPL-2.0-only
"""Several pieces of work on several cores.

Compiled code runs without the interpreter lock, so threads are enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def side_by_side(workers: int, work: Sequence[Callable[[], Result]]) -> list[Result]:
    """The results of all pieces, in order; with one worker one after the other.

    The first piece runs in the calling thread, the one that Ctrl-C interrupts."""
    if workers == 1 or len(work) < 2:
        return [piece() for piece in work]
    with ThreadPoolExecutor(workers) as pool:
        others = [pool.submit(piece) for piece in work[1:]]
        return [work[0](), *(other.result() for other in others)]
