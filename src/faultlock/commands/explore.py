# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock explore SCENARIO`: step through the states of a scenario by hand."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from faultlock.errors import EXIT_OK, FaultlockError
from faultlock.report import console

HELP = """\
Open a local web page to step through the states of a scenario by hand.

The page is served on 127.0.0.1 only, under an address with a random token, until Ctrl-C.
--jump starts at a schedule ("1x2,2=0") or at the counterexample in a `check --json` file."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", metavar="SCENARIO", help="a catalogue scenario or a file")
    parser.add_argument("--policy", default="drop-retry", help="default: drop-retry")
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    parser.add_argument("--jump", default="", metavar="SCHEDULE|FILE", help="start there")
    parser.add_argument("--once", action="store_true", help="print the state and leave")


def run(arguments: argparse.Namespace) -> int:
    from faultlock.check.scenarios import compile_scenario, find_scenario
    from faultlock.explore.server import ExploreServer
    from faultlock.explore.session import Session

    scenario = find_scenario(arguments.scenario)
    title = f"{scenario.name} under {arguments.policy}: {scenario.question}"
    session = Session(compile_scenario(arguments.policy, scenario), title)
    if arguments.jump:
        session.jump(_schedule(arguments.jump, arguments.scenario))
    if arguments.once:
        console.out_json(session.view())
        return EXIT_OK
    try:
        server = ExploreServer(session, arguments.port)
    except (OSError, OverflowError) as error:
        raise FaultlockError(f"--port {arguments.port}: {error}; choose another") from None
    console.out(f"{server.address}  (Ctrl-C ends it)")
    try:
        server.serve_forever()
    finally:
        server.server_close()
    return EXIT_OK


def _schedule(text: str, scenario: str) -> str:
    path = Path(text)
    if path.suffix != ".json":
        return text
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = [
            item["schedule"]
            for item in data["results"]
            if item["scenario"] == scenario and item.get("schedule")
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FaultlockError(
            f"{text}: not the output of `faultlock check --json`: {error}"
        ) from None
    if not found:
        raise FaultlockError(f"{text}: has no counterexample of {scenario}; run check on it first")
    return str(found[0])
