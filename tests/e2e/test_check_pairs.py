# SPDX-License-Identifier: GPL-2.0-only
"""Every two actors of the specification's section 8 meet in some scenario."""

from __future__ import annotations

from faultlock.check.scenarios import compile_scenario, find_scenario
from scripts.pairs import ACTORS, actors_of, met


def test_every_pair_meets() -> None:
    assert [pair for pair, scenarios in met().items() if not scenarios] == []


def test_actors_are_told_by_what_their_threads_can_reach() -> None:
    fork, = (actors for actors in actors_of(
        compile_scenario("drop-retry", find_scenario("fault+fork"))) if "8.5 fork" in actors)
    assert fork == {"8.5 fork"}
    chooses = actors_of(compile_scenario("drop-retry", find_scenario("every-pair")))[0]
    assert len(chooses) >= 10
    assert chooses < set(ACTORS)
