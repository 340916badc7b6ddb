# SPDX-License-Identifier: GPL-2.0-only
"""The table label -> tests: which test drives a run through which step of the specification,
and asserts what the specification says of it.

`@drives("F23", "F40")` on a test enters it; the decorator holds the test to having reached the
steps, test_labels.py holds every label to having such a test, and mutants.py shows that the
tests fail when a step is taken out of the kernel text or turned into its opposite.
`@row(9)` does the same for the rows of table 6.2.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

STEP = r"(?:[FH]\d+|[2348]\.\d+(?:[rcs]\d|\.\d+[a-z]?))"
LABEL = re.compile(rf"#.*?\s({STEP}(?:, {STEP})*)\s*$")
TABLE: dict[str, list[str]] = defaultdict(list)  # label -> tests that drive a run through it
ROWS: dict[int, list[str]] = defaultdict(list)  # row of table 6.2 -> tests
_visited: set[str] = set()

Test = Callable[..., None]


def labels_in(text: str) -> list[tuple[int, str]]:
    """(line number, label) for every label at the end of a line of model text."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = LABEL.search("  " + line)
        if match and not line.lstrip().startswith("#"):
            found += [(number, label) for label in match.group(1).split(", ")]
    return found


def visit(labels: Iterable[str]) -> None:
    """A run has done the steps with these labels."""
    _visited.update(labels)


def drives(*labels: str) -> Callable[[Test], Test]:
    """The decorated test drives a run through these steps."""

    def decorate(test: Test) -> Test:
        for label in labels:
            TABLE[label].append(f"{test.__module__}.{test.__name__}")

        @functools.wraps(test)
        def wrapper(*arguments: Any, **named: Any) -> None:
            _visited.clear()
            test(*arguments, **named)
            assert not set(labels) - _visited, f"never reached: {sorted(set(labels) - _visited)}"

        return wrapper

    return decorate


def row(*numbers: int) -> Callable[[Test], Test]:
    """The decorated test asserts these rows of table 6.2."""

    def decorate(test: Test) -> Test:
        for number in numbers:
            ROWS[number].append(f"{test.__module__}.{test.__name__}")
        return test

    return decorate
