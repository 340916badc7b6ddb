# SPDX-License-Identifier: GPL-2.0-only
"""Tables and mail text from the JSON forms."""

from __future__ import annotations

import pytest

from faultlock.report import mail, tables
from tests.unit.report.samples import check_result, compare_result, validate_result


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (None, "-"), (1402.4, "1400"), (60.04, "60"), (0.05213, "0.0521"),
     (1234567.0, "1230000"), (0.0000123, "0.000012"), (-3.14159, "-3.14")],
)
def test_numbers_have_three_digits_and_no_exponent(value: float | None, text: str) -> None:
    assert tables.significant(value) == text


def test_actor_rows_go_by_actor_then_policy() -> None:
    header, rows = tables.actor_rows(compare_result()["policies"])
    assert header[:4] == ["actor", "policy", "n", "per s"]
    assert [row[:2] for row in rows] == [
        ["fault", "drop-retry"], ["fault", "hold"], ["fork", "drop-retry"], ["fork", "hold"],
    ]
    assert rows[3][header.index("p99 us")] == "72000"
    assert rows[3][header.index("p99.9 us")] == "176000"


def test_an_actor_that_a_policy_lacks_has_no_row() -> None:
    result = compare_result()
    del result["policies"]["hold"]["actors"]["fork"]
    assert ["fork", "hold"] not in [row[:2] for row in tables.actor_rows(result["policies"])[1]]


def test_counters_stand_beside_each_other() -> None:
    header, rows = tables.counter_rows(compare_result()["policies"])
    assert header == ["counter", "drop-retry", "hold"]
    assert ["vma_lock_retry", "1300", "0"] in rows


def test_largest_error_first() -> None:
    _, rows = tables.validate_rows(validate_result())
    assert [row[-1] for row in rows] == ["-10.0", "+2.4"]


def test_narrow_shortens_the_longest_cells() -> None:
    lines = tables.narrow((["a", "b"], [["x" * 60, "y" * 60], ["short", "1"]]), 72)
    assert max(map(len, lines)) <= 72
    assert "~" in lines[1]
    assert lines[2].split() == ["short", "1"]


def test_too_many_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="20 columns"):
        tables.narrow((["wide header"] * 20, [["1"] * 20]), 72)


@pytest.mark.parametrize("kind", ["check", "compare", "validate"])
def test_mail_fits_72_columns_and_names_version_and_command(kind: str) -> None:
    command = f"faultlock {kind} hold --mail"
    text = {
        "check": lambda: mail.check_mail(check_result(), command),
        "compare": lambda: mail.compare_mail(compare_result(), ["fork: 40 times longer."], command),
        "validate": lambda: mail.validate_mail(validate_result(), ["Median 6.2 %."], command),
    }[kind]()
    assert max(map(len, text.splitlines())) <= 72
    assert f"  $ {command}" in text
    assert "faultlock 0.1.0 (commit" in text


def test_check_mail_shows_the_interleaving_and_what_is_wrong() -> None:
    text = mail.check_mail(check_result(), "faultlock check hold")
    assert text.startswith("hold violates 1 property in 1 of 3 scenarios: S4 lock balance.\n")
    assert "1 question stayed open" in text
    assert "=> T1 is in user mode and holds invalidate_lock" in text
    lines = text.splitlines()
    first = next(line for line in lines if line.startswith("  1 "))
    third = next(line for line in lines if line.startswith("  3 "))
    assert first.index("filemap_fault") < third.index("kill:")
