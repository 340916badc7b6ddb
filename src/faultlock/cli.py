# SPDX-License-Identifier: GPL-2.0-only
"""The command line: finds the verb, imports its module and nothing else, runs it.

One module per verb in `faultlock/commands/`, with `HELP`, `configure(parser)` and
`run(arguments) -> exit code`.  Only the module of the verb in use is imported, so that
`faultlock --help` answers at once.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from faultlock.errors import (
    EXIT_INTERRUPTED,
    EXIT_LANGUAGE,
    EXIT_USAGE,
    FaultlockError,
)

EXIT_PIPE_CLOSED = 128 + signal.SIGPIPE
EXIT_TERMINATED = 128 + signal.SIGTERM
EXIT_INTERNAL = 70  # sysexits.h EX_SOFTWARE

# verb -> what `faultlock --help` says of it; in the order of that page
VERBS: dict[str, dict[str, str]] = {
    "read the model": {
        "list": "policies, workloads, scenarios and kernel functions that are here",
        "show": "a kernel function as a policy has it",
        "diff": "what one policy changes against another, side by side",
        "lint": "is a policy file in the model language?",
    },
    "ask the model": {
        "check": "every interleaving: which properties hold, shortest counterexample",
        "compare": "policies under one workload: latencies, who waited for whom",
        "simulate": "one policy under one workload",
        "workloads": "the shipped workloads, and one of them in full",
        "sweep": "a grid of settings and policies, on all cores or a Dask cluster",
        "explore": "step through the states of a scenario by hand, in a browser",
        "export": "a scenario for another checker (Promela, for Spin)",
    },
    "recorded applications": {
        "record": "record the faults of a program (ftrace; needs root)",
        "import": "ftrace or perf text to a faultlock trace",
        "info": "what a trace holds",
        "replay": "a recorded application under other policies",
    },
    "real kernels": {
        "measure": "a workload on a real kernel, in QEMU's virtual time or on this host",
        "probe": "which kernel behaviour this is, by single operations",
        "reproduce": "a counterexample on a real kernel",
        "validate": "the model against measurements of kernels",
        "calibrate": "fit the costs of the simulator from measurements",
        "drift": "which kernel functions changed since the model was written",
    },
    "this installation": {
        "doctor": "which optional tools are here, and what each would add",
        "completion": "shell completion for bash, zsh or tcsh; the man page",
    },
}

EPILOG = """\
exit codes, the same for every command:
  0    done, or everything that was checked holds
  1    violated: a property, or a bound that was asked for
  2    usage or bad input
  3    a policy or scenario is not in the model language
  4    environment: no root, no QEMU, no compiler ...
  5    unknown: a limit was reached before there was an answer
  130  interrupted
NO_COLOR=1 turns colour off; output that is piped is always plain."""


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print one line (what is wrong, where help is) and exit with 2."""
        self.exit(EXIT_USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def module_of(verb: str) -> str:
    """The module in faultlock.commands that carries out `verb`."""
    return f"faultlock.commands.{verb}_" if verb in ("list", "import") else (
        f"faultlock.commands.{verb}"
    )


def all_verbs() -> dict[str, str]:
    """Every verb with its one line of help, in the order of `faultlock --help`."""
    return {verb: text for group in VERBS.values() for verb, text in group.items()}


class _Version(argparse.Action):
    """`--version`, worked out only when asked for (it may have to ask git)."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from faultlock.version import version_line

        print(version_line())
        parser.exit(0)


def _overview() -> str:
    """The list of verbs by group, for `faultlock --help`."""
    lines = []
    for group, verbs in VERBS.items():
        lines.append(f"{group}:")
        lines += [f"  {verb:<11} {text}" for verb, text in verbs.items()]
    return "\n".join(lines)


def build_parser(verbs: Sequence[str]) -> argparse.ArgumentParser:
    """The command line's parser with the options of `verbs` (their modules are imported)."""
    parser = Parser(
        prog="faultlock",
        usage="faultlock [--help] [--version] VERB ...",
        description="Page-fault locking policies of the Linux kernel: check every "
        "interleaving,\nsimulate workloads, hold the model against real kernels.\n\n"
        + _overview(),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="version and commit")
    verb_parsers = parser.add_subparsers(
        dest="verb",
        metavar="VERB",
        title="verb",
        prog="faultlock",
        help="`faultlock VERB --help` says more",
    )
    for verb in verbs:
        module = importlib.import_module(module_of(verb))
        verb_parser = verb_parsers.add_parser(
            verb, help=all_verbs()[verb], description=module.HELP
        )
        module.configure(verb_parser)
        if "\n" in (verb_parser.description or ""):
            verb_parser.formatter_class = argparse.RawDescriptionHelpFormatter
        verb_parser.set_defaults(run=module.run)
    return parser


def _find_verb(arguments: Sequence[str]) -> str | None:
    """The verb: the first word that is no option; None without one.

    Raises FaultlockError when there is no such verb, with the nearest names.
    """
    verb = next((word for word in arguments if not word.startswith("-")), None)
    if verb is None or verb in all_verbs():
        return verb
    near = difflib.get_close_matches(verb, all_verbs(), 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "see faultlock --help"
    raise FaultlockError(f"no command {verb!r}; {hint}")


def _carry_out(words: Sequence[str]) -> int:
    verb = _find_verb(words)
    parser = build_parser([verb] if verb else [])
    arguments = parser.parse_args(words)
    if verb is None:
        parser.print_help()
        return EXIT_USAGE
    arguments.parser_of_all_verbs = lambda: build_parser(list(all_verbs()))
    code: int = arguments.run(arguments)
    sys.stdout.flush()
    return code


def _terminated(*_: object) -> NoReturn:
    """SIGTERM unwinds like an exception: temporary files and child processes are cleaned up."""
    raise SystemExit(EXIT_TERMINATED)


def _close_quietly() -> None:
    """Nobody reads stdout any more: what is still buffered must not raise at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code.  argparse may raise SystemExit."""
    if words is not None:
        return _guarded(words)
    try:
        return _guarded(sys.argv[1:])
    finally:  # a second Ctrl-C while the interpreter ends has nothing left to interrupt
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _guarded(words: Sequence[str]) -> int:
    """The command's exit code; errors become one line on stderr."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return _carry_out(words)
    except FaultlockError as error:
        prefix = "" if error.exit_code == EXIT_LANGUAGE else "faultlock: "
        print(f"{prefix}{error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("faultlock: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _close_quietly()
        return EXIT_PIPE_CLOSED
    except Exception as error:
        if os.environ.get("FAULTLOCK_DEBUG") == "1":
            raise
        print(
            f"faultlock: defect in faultlock: {type(error).__name__}: {error} "
            "(FAULTLOCK_DEBUG=1 prints where)",
            file=sys.stderr,
        )
        return EXIT_INTERNAL
