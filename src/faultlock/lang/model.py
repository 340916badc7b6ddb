# SPDX-License-Identifier: GPL-2.0-only
"""From files to a Program: which files make a model, and the order of the passes.

    load_model("hold", [scenario]) -> Model -> compile_model(model, {...}) -> Program

Try it: `python -m faultlock.lang.model policies/hold.py [scenario.py]` prints the errors or
the listing.
"""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faultlock.errors import FaultlockError, LanguageError, LanguageErrors
from faultlock.lang.assemble import assemble
from faultlock.lang.cache import digest_of, load_program, save_program, without_collector
from faultlock.lang.program import Program
from faultlock.lang.source import (
    KERNEL_LAYER,
    POLICY_LAYER,
    SCENARIO_LAYER,
    Namespace,
    Source,
    read_source,
    read_sources,
)

PACKAGE = Path(__file__).resolve().parent.parent
KERNEL_FOLDER = PACKAGE / "kernel"
POLICY_FOLDER = PACKAGE / "policies"
MAX_POLICY_DEPTH = 8


@dataclass
class Model:
    """The parsed files of one model: kernel, policies (base first), scenario."""

    name: str
    sources: list[Source]
    errors: list[LanguageError]
    policies: list[str] = field(default_factory=list)

    def namespace(self) -> Namespace:
        """All names; errors found while reading are added to a copy of `errors`."""
        return read_sources(self.sources, list(self.errors))


def shipped_policies() -> dict[str, Path]:
    """Names of the shipped policies (dashes) and their files."""
    return {
        path.stem.replace("_", "-"): path
        for path in sorted(POLICY_FOLDER.glob("*.py"))
        if path.stem != "__init__"
    }


def policy_path(name: str) -> Path:
    """The file of a policy: a shipped name or a path ending in .py.

    Raises FaultlockError naming the nearest shipped policies.
    """
    shipped = shipped_policies()
    if name in shipped:
        return shipped[name]
    path = Path(name)
    if path.suffix == ".py":
        if not path.is_file():
            raise FaultlockError(
                f"{name}: no such file; give a policy file or one of " + ", ".join(shipped)
            )
        return path
    close = difflib.get_close_matches(name, shipped, n=2)
    cure = f"did you mean {' or '.join(close)}?" if close else "one of " + ", ".join(shipped)
    raise FaultlockError(f"{name}: no such policy; {cure} (a policy file ends in .py)")


def load_model(
    policy: str = "drop-retry",
    extra_files: Sequence[Path | str] = (),
    kernel_folder: Path | None = None,
) -> Model:
    """Read the kernel, the policy with its bases, and the extra (scenario) files.

    `policy` may combine several: "hold+fork-fix" applies hold, then fork-fix; "" is the
    kernel text alone.
    Language errors are kept in the model; unreadable files raise FaultlockError.
    """
    errors: list[LanguageError] = []
    sources = [
        read_source(path, KERNEL_LAYER)
        for path in sorted((kernel_folder or KERNEL_FOLDER).glob("*.py"))
        if path.stem != "__init__"
    ]
    names: list[str] = []
    for part in policy.split("+") if policy else []:
        if not part:
            raise FaultlockError(f"{policy}: a policy is missing beside a +; write a+b")
        for source in _policy_chain(part, errors, 0):
            if source.policy not in names:
                names.append(source.policy)
                sources.append(source)
    sources += [read_source(Path(path), SCENARIO_LAYER) for path in extra_files]
    return Model(policy, sources, errors, names)


def _policy_chain(
    name: str, errors: list[LanguageError], depth: int, above: Source | None = None
) -> list[Source]:
    try:
        path = policy_path(name)
    except FaultlockError as error:
        place = "" if above is None else f"base of {above.path}: "
        raise FaultlockError(f"{place}{error}") from None
    source = read_source(path, POLICY_LAYER, policy=str(path))
    base = _base_of(source, errors)
    if not base:
        return [source]
    if depth >= MAX_POLICY_DEPTH:
        raise FaultlockError(f"{path}: policies build on each other in a circle; mend `base`")
    result: list[Source] = []
    for part in base.split("+"):
        candidate = path.parent / part if part.endswith(".py") else None
        found = str(candidate) if candidate is not None and candidate.is_file() else part
        result += _policy_chain(found, errors, depth + 1, source)
    return [*result, source]


def _base_of(source: Source, errors: list[LanguageError]) -> str:
    for node in source.tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "base"
        ):
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                return node.value.value
            errors.append(
                LanguageError(
                    source.path,
                    node.lineno,
                    node.col_offset + 1,
                    "base is not a text",
                    'write base = "drop-retry"',
                )
            )
    return ""


def compile_model(
    model: Model,
    parameters: Mapping[str, int] | None = None,
    statistics: bool = False,
    everything: bool = False,
    ignored: frozenset[str] = frozenset(),
) -> Program:
    """Compile a model.

    parameters: values that replace the defaults (an unknown name is an error).
    statistics: keep cpu, sleep and emit (the simulator); the checker drops them.
    everything: compile every function, called or not (lint), not only what the scenario's
    threads or the simulator's roles reach.
    ignored: ids of event properties (S6) whose assertions are left out, so that runs go on
    behind a violation that is known.
    Raises LanguageErrors with all refusals.
    """
    values = dict(parameters or {})
    options = f"{model.name} {sorted(values.items())} {statistics} {everything} {sorted(ignored)}"
    digest = digest_of([options, *(text for source in model.sources for text in source.key())])
    kept = None if model.errors else load_program(digest)
    if kept is not None:
        return kept
    with without_collector():
        space = model.namespace()
        if space.signatures_differ:
            raise LanguageErrors(space.errors)
        program = assemble(model.name, space, values, statistics, everything, ignored)
        if space.errors:
            raise LanguageErrors(space.errors)
        assert program is not None
        program.digest = digest
        save_program(program)
    return program


def main() -> int:
    """Print errors or the listing of a model."""
    from faultlock.lang.listing import listing

    try:
        model = load_model(sys.argv[1] if len(sys.argv) > 1 else "drop-retry", sys.argv[2:])
        program = compile_model(model, everything=len(sys.argv) < 3)
    except FaultlockError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(listing(program))
    return 0


if __name__ == "__main__":
    sys.exit(main())
