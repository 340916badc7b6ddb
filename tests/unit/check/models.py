# SPDX-License-Identifier: GPL-2.0-only
"""Small models in the model language, without the kernel, and their native programs."""

from __future__ import annotations

from pathlib import Path

from faultlock.lang.model import compile_model, load_model
from faultlock.lang.native import NativeProgram, compile_native
from faultlock.lang.program import Program

HEAD = '# SPDX-License-Identifier: GPL-2.0-only\n"""toy: a small model."""\n'

THREAD = """
class Thread(Struct, count=N_THREADS):
    fatal_signal_pending: bool
    rwsem_granted: bool
    woken: bool
    mine: Range[0, 7]

class shared(Struct, count=1):
    value: Range[0, 40]
    lock: bool
    other_lock: bool
    waiter: Thread

@atomic
def trylock() -> bool:
    if shared.lock:
        return False
    shared.lock = True
    return True
"""

# three threads that increment without a lock: updates get lost
LOST_UPDATE = """
N_THREADS: Param = 3
ROUNDS: Param = 1
""" + THREAD + """
@thread("adder", count=N_THREADS)
def add() -> None:
    i: Range[0, 10] = 0
    while i < ROUNDS:
        x: Range[0, 39] = shared.value
        x = x + 1
        shared.value = x
        i = i + 1
        current.mine = i

@always("S1 small")
def small() -> bool:
    '''The value stays below the number of threads.'''
    return shared.value < N_THREADS

@sometimes("V lost")
def lost() -> bool:
    '''An update gets lost.'''
    done = True
    for thread in each(Thread):
        if thread.mine < ROUNDS:
            done = False
    return done and shared.value < N_THREADS * ROUNDS
"""

# two threads take two locks in opposite order
ABBA = """
N_THREADS: Param = 2
""" + THREAD + """
@atomic
def lock_or_queue() -> bool:
    if trylock():
        return True
    queue()
    return False

@atomic
def other_or_queue() -> bool:
    if try_other():
        return True
    queue()
    return False

@atomic
def try_other() -> bool:
    if shared.other_lock:
        return False
    shared.other_lock = True
    return True

@atomic
def wake():
    if shared.waiter is not None:
        shared.waiter.woken = True
        shared.waiter = None

@atomic
def release():
    shared.lock = False
    shared.other_lock = False
    wake()

@atomic
def queue():
    current.woken = False
    shared.waiter = current

@thread("A")
def first():
    while not lock_or_queue():
        wait(current.woken, on=shared)
    while not other_or_queue():
        wait(current.woken, on=shared)
    release()

@thread("B")
def second():
    while not other_or_queue():
        wait(current.woken, on=shared)
    while not lock_or_queue():
        wait(current.woken, on=shared)
    release()
"""

# a thread that spins until another thread, which spins too, is done
SPIN = """
N_THREADS: Param = 2
PATIENCE: Param = 0
""" + THREAD + """
@thread("spinner")
def spin():
    while True:
        done = shared.lock
        if done:
            return

@thread("other")
def other():
    if PATIENCE == 1:
        shared.lock = True
    current.mine = 1

@eventually("L3 set")
def lock_is_set() -> bool:
    '''The lock is set at last.'''
    return shared.lock
"""

ASSERTING = """
N_THREADS: Param = 2
""" + THREAD + """
@thread("T", count=2)
def go():
    x = choose(0, 3, "pick")
    with atomic:
        shared.value += x
        assert shared.value < 4, "S2 uptodate: the sum is too large"
    current.mine = x

@always("S3 sum")
def sum_is_small() -> bool:
    '''The sum is at most 3.'''
    return shared.value <= 3
"""


def program_of(folder: Path, text: str, **parameters: int) -> Program:
    """The Program of a model text that needs no kernel."""
    kernel = folder / "kernel"
    kernel.mkdir(exist_ok=True)
    path = folder / "scenario.py"
    path.write_text(HEAD + text)
    policy = folder / "policy.py"
    policy.write_text('# SPDX-License-Identifier: GPL-2.0-only\n"""none: no change."""\n')
    model = load_model(str(policy), [path], kernel_folder=kernel)
    return compile_model(model, parameters)


def native_of(folder: Path, text: str, **parameters: int) -> NativeProgram:
    """Native code of a model text that needs no kernel."""
    return compile_native(program_of(folder, text, **parameters), mode="check")
