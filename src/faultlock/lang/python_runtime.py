# SPDX-License-Identifier: GPL-2.0-only
"""What the Python text of a Program calls; lang/python_text.py writes the calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from faultlock.lang.constants import floor_divide, modulo, shift_left, shift_right, wrap

__all__ = [
    "BLOCKED", "CHOICE", "CPU", "ERROR", "FAILED", "FINISHED", "LOOP_LIMIT", "RAN", "SLEEP",
    "Failure", "allocate", "blocked", "dispatch", "element_of", "floor_divide", "in_range",
    "modulo", "place_of", "record", "reference_of", "release", "shift_left", "shift_right", "wrap",
]  # fmt: skip

BLOCKED, RAN, CHOICE, FINISHED, FAILED, ERROR, CPU, SLEEP = range(8)
LOOP_LIMIT, RECORD_LIMIT, FIRST_RECORD, DROPPED = 100_000, 1 << 13, 8, 5

StepFunction = Callable[[list[int], int, "int | None", list[int]], int]


class Failure(Exception):
    """code (FAILED or ERROR) and number of an assertion or a model error."""

    def __init__(self, code: int, number: int) -> None:
        super().__init__(code, number)
        self.code, self.number = code, number


def reference_of(reference: int, count: int, error: int) -> int:
    """`reference`, which must be 1 .. count."""
    if not 1 <= reference <= count:
        raise Failure(ERROR, error)
    return reference


def place_of(base: int, stride: int, count: int, reference: int, error: int) -> int:
    """Slot of a scalar field."""
    return base + (reference_of(reference, count, error) - 1) * stride


def element_of(base: int, length: int, count: int, reference: int, index: int, error: int) -> int:
    """Slot of an array element."""
    reference_of(reference, count, error)
    if not 0 <= index < length:
        raise Failure(ERROR, error)
    return base + (reference - 1) * length + index


def in_range(value: int, low: int, high: int, error: int) -> int:
    """`value`, which must be low .. high."""
    if not low <= value <= high:
        raise Failure(ERROR, error)
    return value


def record(out: list[int], event: int, a: int = 0, b: int = 0, c: int = 0) -> None:
    """Add a record of 4 words."""
    if out[0] < RECORD_LIMIT:
        first = FIRST_RECORD + 4 * out[0]
        out[first : first + 4] = [event, a, b, c]
        out[0] += 1
    else:
        out[DROPPED] += 1


def allocate(state: list[int], base: int, count: int) -> int:
    """Lowest free instance, marked used, or 0."""
    for instance in range(1, count + 1):
        if not state[base + instance - 1]:
            state[base + instance - 1] = 1
            return instance
    return 0


def release(
    state: list[int], base: int, count: int, pool: int, stride: int, reference: int, error: int
) -> None:
    """Mark an instance free and zero its scalar fields."""
    reference_of(reference, count, error)
    if not state[base + reference - 1]:
        raise Failure(ERROR, error)
    state[base + reference - 1] = 0
    first = pool + (reference - 1) * stride
    state[first : first + stride] = [0] * stride


def blocked(out: list[int], label: int, struct: int = 0, reference: int = 0) -> int:
    """Say what a disabled step waits for."""
    out[1:4] = [label, struct, reference]
    return BLOCKED


def dispatch(
    steps: Sequence[StepFunction | None],
    state: list[int],
    thread: int,
    choice: int | None,
    out: list[int],
) -> int:
    """Execute the step that the thread stands at."""
    step = steps[state[thread - 1]]
    if step is None:
        return FINISHED
    try:
        return step(state, thread, choice, out)
    except Failure as failure:
        out[1] = failure.number
        return failure.code
