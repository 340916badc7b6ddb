# SPDX-License-Identifier: GPL-2.0-only
"""The locks in all interleavings: exclusion, no lost wake-up (a deadlock), nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultlock.check.explore import Limits, Options, explore
from faultlock.lang.model import compile_model, load_model
from faultlock.lang.native import compile_native

SIZES = '''# SPDX-License-Identifier: GPL-2.0-only
"""Locks of a small scenario."""
N_FOLIOS: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
'''
KILLER = '''
@thread("killer")
def killer():
    with atomic:
        for thread in each(Thread):
            send_sigkill(thread)
            break
'''
RWSEM = '''
@setup
def start():
    mm = boot_mm()

@thread("writer", count=2)
def writer():
    if down_write_killable(current.mm.mmap_lock):
        current.vmf_address = 1
        up_write(current.mm.mmap_lock)

@thread("reader")
def reader():
    if down_read_killable(current.mm.mmap_lock):
        current.vmf_address = 1
        up_read(current.mm.mmap_lock)

@thread("downgrader")
def downgrader():
    down_write(current.mm.mmap_lock)
    downgrade_write(current.mm.mmap_lock)
    up_read(current.mm.mmap_lock)

@always("S9 exclusion")
def exclusion() -> bool:
    for mm in each(MM):
        if mm.mmap_lock.writer is not None and mm.mmap_lock.readers > 0:
            return False
    return True

@always("L1 an empty queue has no handoff and no tail")
def tidy() -> bool:
    for mm in each(MM):
        if mm.mmap_lock.first_waiter is None:
            if mm.mmap_lock.handoff or mm.mmap_lock.last_waiter is not None:
                return False
    return True
'''
FOLIO = '''
@setup
def start():
    mm = boot_mm()
    boot_cache(boot_mapping(1), 0, 0)

@atomic
def the_folio() -> Folio:
    for folio in each(Folio):
        return folio
    return None

@thread("killable", count=2)
def killable_locker():
    folio = the_folio()
    folio_get(folio)
    if __folio_lock_killable(folio):
        current.vmf_address = 1
        folio_unlock(folio)
    folio_put(folio)

@thread("locker")
def locker():
    folio = the_folio()
    folio_get(folio)
    folio_lock(folio)
    current.vmf_address = 1
    folio_unlock(folio)
    folio_put(folio)

@thread("watcher")
def watcher():
    folio = the_folio()
    folio_get(folio)
    unlocked = folio_put_wait_locked_killable(folio)

@always("S14 one holder")
def one_holder() -> bool:
    holders = 0
    for thread in each(Thread):
        if thread.holds_folio_lock is not None:
            holders += 1
    return holders <= 1

@always("S3 references")
def references() -> bool:
    holders = 1
    for thread in each(Thread):
        if thread.holds_folio is not None:
            holders += 1
    for folio in each(Folio):
        if folio.refcount != holders:
            return False
    return True
'''
VMA = '''
@setup
def start():
    mm = boot_mm()
    boot_map(mm, None, 0, 1, 0, VM_READ)

@thread("reader", count=2)
def reader():
    vma = lock_vma_under_rcu(current.mm, 0)
    if vma is not None:
        current.vmf_address = 1
        vma_end_read(vma)

@thread("writer")
def writer():
    if mmap_write_lock_killable(current.mm):
        vma = find_vma(current.mm, 0)
        if vma is not None:
            locked = vma_start_write_killable(vma)
        mmap_write_unlock(current.mm)

@thread("detacher")
def detacher():
    mmap_write_lock(current.mm)
    vma = find_vma(current.mm, 0)
    vma_start_write(vma)
    vma_erase(current.mm, vma)
    vma_mark_detached(vma)
    with atomic:
        vma_forget_write_lock(vma)
        vm_area_free(vma)
    mmap_write_unlock(current.mm)

@always("S9 write lock exclusion")
def exclusion() -> bool:
    for thread in each(Thread):
        if thread.holds_vma_lock is not None and thread.holds_vma_lock.write_locked:
            return False
    return True
'''


def check(text: str, folder: Path, policy: str = "drop-retry", **parameters: int) -> int:
    """Search all interleavings: nothing may be found; the number of states."""
    path = folder / "locks.py"
    path.write_text(SIZES + text, encoding="utf-8")
    native = compile_native(compile_model(load_model(policy, [path]), parameters), mode="check")
    run = explore(native, Limits(states=400_000, seconds=120), Options(workers=1, edges=False))
    assert run.complete, run.reason
    found = [number for number in range(run.search.found.shape[1]) if run.first(number)]
    assert not found, f"findings {found}: monitors, assertions, errors, deadlock in this order"
    return run.states


@pytest.mark.parametrize(
    "parameters",
    [{}, {"RWSEM_STEAL": 1}, {"RWSEM_STEAL": 1, "RWSEM_HANDOFF": 1}],
    ids=["FIFO", "stealing", "stealing and handoff"],
)
def test_rwsem(tmp_path: Path, parameters: dict[str, int]) -> None:
    assert check(RWSEM + KILLER, tmp_path, "drop-retry", **parameters) > 500


@pytest.mark.parametrize("unfairness", [0, 1, 2])
def test_folio_lock(tmp_path: Path, unfairness: int) -> None:
    assert check(FOLIO + KILLER, tmp_path, PAGE_LOCK_UNFAIRNESS=unfairness) > 500


@pytest.mark.parametrize("version", [612, 618, 700])
@pytest.mark.parametrize("policy", ["drop-retry", "hold-until-writer"])
def test_vma_lock(tmp_path: Path, policy: str, version: int) -> None:
    assert check(VMA + KILLER, tmp_path, policy, KERNEL_VERSION=version) > 500


def test_a_forgotten_wake_up_is_found(tmp_path: Path) -> None:
    """The search can fail: a policy that never wakes anybody deadlocks."""
    deaf = tmp_path / "deaf.py"
    deaf.write_text(
        '# SPDX-License-Identifier: GPL-2.0-only\n"""deaf."""\n\n\n@atomic\n'
        "def rwsem_wake(sem: RwSemaphore, writers_too: bool):\n    return\n",
        encoding="utf-8",
    )
    with pytest.raises(AssertionError, match="findings"):
        check(RWSEM, tmp_path, str(deaf))
