# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock lint`: is a policy (or scenario) in the model language?  Nothing is executed."""

from __future__ import annotations

import argparse
from typing import Any

from faultlock.errors import EXIT_LANGUAGE, EXIT_OK, LanguageErrors
from faultlock.report import console

HELP = """\
Say whether policies are in the model language, and what is not, with the cure.

  faultlock lint my_policy.py

The file is parsed and compiled with the kernel's files, never imported or executed.
Exit code 3 when something is not in the language."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policy", nargs="+", help="policy file, or the name of a shipped policy")
    parser.add_argument(
        "-s", "--scenario", metavar="FILE", help="compile with this scenario file as well"
    )
    parser.add_argument("--json", action="store_true", help="the same as JSON")


def run(arguments: argparse.Namespace) -> int:
    results = [_lint(policy, arguments.scenario) for policy in arguments.policy]
    if arguments.json:
        console.out_json({"results": results})
    else:
        for result in results:
            _print(result)
    return EXIT_OK if all(not result["errors"] for result in results) else EXIT_LANGUAGE


def _lint(policy: str, scenario: str | None) -> dict[str, Any]:
    """One policy: errors (place, what, cure), or what it replaces and its size in steps."""
    from faultlock.lang.model import compile_model, load_model

    model = load_model(policy, [scenario] if scenario else [])
    try:
        program = compile_model(model, everything=True)
    except LanguageErrors as error:
        errors = [
            {"file": e.file, "line": e.line, "column": e.column, "what": e.what, "cure": e.cure}
            for e in error.errors
        ]
        return {"policy": policy, "errors": errors, "text": [str(e) for e in error.errors]}
    functions = [f for f in model.namespace().functions.values() if f.source.policy]
    return {
        "policy": policy,
        "errors": [],
        "replaces": [function.name for function in functions if function.overrides],
        "adds": [function.name for function in functions if not function.overrides],
        "steps": len(program.steps),
    }


def _print(result: dict[str, Any]) -> None:
    policy, errors = result["policy"], result["errors"]
    if errors:
        for line in result["text"]:
            console.out(line)
        plural = "" if len(errors) == 1 else "s"
        console.out(console.paint(f"{policy}: {len(errors)} error{plural}", "bad"))
        return
    said = [
        f"{verb} {', '.join(names)}"
        for verb, names in (("replaces", result["replaces"]), ("adds", result["adds"]))
        if names
    ]
    what = "; ".join([*said, f"{result['steps']} steps in the whole model"])
    console.out(f"{policy}: {console.paint('in the language', 'good')}; {what}")
