# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock drift LINUX_TREE`: which kernel functions changed since the model was written."""

from __future__ import annotations

import argparse
from pathlib import Path

from faultlock.drift.citations import read_citations
from faultlock.drift.compare import (
    CHANGED,
    GONE,
    SAME,
    DriftReport,
    compare_tree,
    load_fingerprints,
)
from faultlock.errors import EXIT_OK, EXIT_VIOLATED
from faultlock.lang.model import KERNEL_FOLDER, POLICY_FOLDER
from faultlock.report import console

HELP = """\
Compare a Linux source tree with the kernel functions that the model cites.

Fingerprints of the cited functions are kept with the model (no kernel text).  Comments and
white space do not count.  Exit code 1 when a cited function has changed or is gone."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tree", metavar="LINUX_TREE", help="folder of a Linux source tree")
    parser.add_argument("--all", action="store_true", help="list the unchanged functions too")
    parser.add_argument("--json", action="store_true", help="the same as JSON")


def run(arguments: argparse.Namespace) -> int:
    citations = read_citations([KERNEL_FOLDER, POLICY_FOLDER])
    report = compare_tree(Path(arguments.tree), citations, load_fingerprints())
    if arguments.json:
        console.out_json(report.to_json())
    else:
        _print(report, arguments.all)
    return EXIT_OK if report.count(SAME) == len(report.functions) else EXIT_VIOLATED


def _print(report: DriftReport, everything: bool) -> None:
    for item in report.functions:
        if item.state == SAME and not everything:
            continue
        style = {SAME: "good", CHANGED: "bad", GONE: "bad"}[item.state]
        state = console.paint(f"{item.state:<8}", style)
        followers = ", ".join(item.followed_by)
        console.out(f"{state}{item.name}, {item.path} (cited: {item.version})")
        console.out(f"        followed by {followers}")
    console.out(
        f"{len(report.functions)} cited functions compared with Linux {report.tree_version}: "
        f"{report.count(SAME)} same, {report.count(CHANGED)} changed, {report.count(GONE)} gone; "
        f"{len(report.unknown)} citations of versions without fingerprints were not compared"
    )
