# SPDX-License-Identifier: GPL-2.0-only
"""The kernel text computes the readahead windows that a real kernel computed."""

from __future__ import annotations

from collections import Counter

import pytest

from faultlock.trace.importer import import_text
from tests.conformance.trace.readahead_feed import Comparison, Conformance
from tests.paths import shared

AT_LEAST = 0.95
# ext4 on x86 since 6.16: folios up to one huge page.
EXT4_MAX_FOLIO_ORDER = 9


def cause(comparison: Comparison) -> str:
    """Why a window may differ, by what is known of the trigger."""
    if comparison.cause:
        return comparison.cause
    if comparison.expected is None:
        return "no such window in the model"
    names = {"page_cache_ra_order": ("index", "order", "size", "async_size")}
    fields = names.get(comparison.traced.name, ("index", "count", "lookahead_size"))
    traced = comparison.got
    differ = [
        field
        for field, ours, theirs in zip(fields, comparison.expected, traced, strict=False)
        if ours != theirs
    ]
    return "differs in " + ", ".join(differ)


@pytest.mark.parametrize("name", ["java", "chromium"])
def test_windows_of_a_recorded_application(name: str) -> None:
    trace = import_text(shared(f"traces/{name}-cold-start.ftrace.txt.gz"), "6.18").trace
    conformance = Conformance(trace, 618, EXT4_MAX_FOLIO_ORDER)
    comparisons = conformance.comparisons
    agreeing = sum(comparison.agrees for comparison in comparisons)
    print(f"\n{name}: {agreeing} of {len(comparisons)} trace points of readahead agree")
    kinds = Counter((c.traced.name, c.agrees) for c in comparisons)
    for (event, agrees), count in sorted(kinds.items()):
        print(f"  {event:<24} {'agree ' if agrees else 'differ'} {count:>5}")
    for text, count in Counter(cause(c) for c in comparisons if not c.agrees).most_common():
        print(f"  {text:<40} {count:>5}")
    for text, count in conformance.silent.most_common():
        print(f"  {text:<40} {count:>5}")
    assert len(comparisons) > 50
    assert agreeing >= AT_LEAST * len(comparisons)
    assert conformance.silent.total() <= 0.05 * len(comparisons)


def test_other_rules_do_not_agree() -> None:
    """The comparison can fail: 6.12 has no window for executable mappings and other orders."""
    trace = import_text(shared("traces/chromium-cold-start.ftrace.txt.gz"), "6.18").trace
    comparisons = Conformance(trace, 612, EXT4_MAX_FOLIO_ORDER).comparisons
    assert sum(c.agrees for c in comparisons) < 0.9 * len(comparisons)
