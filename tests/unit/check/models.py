# SPDX-License-Identifier: GPL-2.0-only
"""Small models in the model language, without the kernel, and their native programs."""

from __future__ import annotations

from pathlib import Path

from faultlock.lang.model import compile_model, load_model
from faultlock.lang.native import NativeProgram, compile_native
from faultlock.lang.program import Program

HEAD = '# SPDX-License-Identifier: GPL-2.0-only\n"""A small model."""\n'

THREAD = """
class Thread(Struct, count=N_THREADS):
    fatal_signal_pending: bool
    rwsem_granted: bool
    holds: Private[bool]
"""


def program_of(folder: Path, text: str, **parameters: int) -> Program:
    """The Program of a model text that needs no kernel."""
    kernel = folder / "kernel"
    kernel.mkdir(exist_ok=True)
    path = folder / "scenario.py"
    path.write_text(HEAD + text)
    policy = folder / "policy.py"
    policy.write_text(HEAD)
    model = load_model(str(policy), [path], kernel_folder=kernel)
    return compile_model(model, parameters)


def native_of(folder: Path, text: str, **parameters: int) -> NativeProgram:
    """Native code of a model text that needs no kernel."""
    return compile_native(program_of(folder, text, **parameters), mode="check")


PHILOSOPHERS = """
N_THREADS: Param = 4

class Fork(Struct, count=N_THREADS):
    taken: bool

class Thread(Struct, count=N_THREADS):
    fatal_signal_pending: bool
    rwsem_granted: bool
    meals: Range[0, 3]

@atomic
def try_fork(fork: Fork) -> bool:
    if fork.taken:
        return False
    fork.taken = True
    return True

@atomic
def left() -> Fork:
    return current

@thread("philosopher", count=N_THREADS)
def dine() -> None:
    n: Range[0, 10] = 0
    while n < 2:
        x = choose(0, 2, "hand")
        n = n + 1
"""
