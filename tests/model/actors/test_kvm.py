# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.11: KVM's asynchronous page faults."""

from tests.model.actors.scene import DISK, Scene
from tests.model.table import drives

BODY = (
    '''
@setup
def start():
    """Guest memory is a file; one vCPU whose guest is ready for asynchronous faults."""
    mm = boot_mm()
    mapping = boot_mapping(4)
    file = boot_file(mapping, 2)
    boot_map(mm, file, 0, 4, 0, VM_READ | VM_WRITE | VM_MAYWRITE)
    for vcpu in each(VCPU):
        vcpu.can_inject = {ready}


@atomic
def the_vcpu() -> VCPU:
    for vcpu in each(VCPU):
        return vcpu
    return None


@atomic
def keep(result: RetPf):
    machine.herd = result


@thread("T1")
def guest():
    result: RetPf = kvm_faultin_pfn(the_vcpu(), 0, False)
    keep(result)
    result = kvm_faultin_pfn(the_vcpu(), 0, False)
    keep(result)


@thread("worker", daemon=True)
def worker():
    kvm_worker()
'''
    + DISK
)
FIXED, ASYNC, HALTED, ERROR, INTERRUPTED = range(5)


def scene(ready: bool = True, policy: str = "") -> Scene:
    text = BODY.format(ready=ready)
    return Scene(text, 3, policy, N_VCPUS=1, N_ASYNC_PF=1)


def finish(s: Scene) -> None:
    for _ in range(20):
        s.run(3)
        s.run(2)
        if s.run(1) == "":
            return
    raise AssertionError(s.where(1))


def result(s: Scene) -> int:
    return s.get("machine", 1, "herd")


@drives("8.11.1", "8.11.2", "8.11.3", "8.11.4", "8.11.5", "8.11.7", "8.11.8")
def test_the_vcpu_goes_on_while_a_worker_waits() -> None:
    s = scene()
    assert s.run(2).startswith("kvm_worker: wait")
    s.after("8.11.1", 1)
    s.after("8.11.2", 1)
    s.after("8.11.3", 1)
    assert s.held(1) == {"mmap_lock read"}
    assert s.after("8.11.5", 1) == set()
    s.until(1, "guest")
    assert "guest" in s.where(1), "the guest runs another task; nothing was waited for"
    assert s.get("Folio", 1, "reading") == 1
    s.reach("8.11.7", 2)
    assert s.after("8.11.7", 2) == {"mmap_lock read"}
    where = s.run(2)
    assert "wait" in where and "mmap_lock read" not in s.held(2)
    s.reach("8.11.4", 1)
    assert s.run(1).startswith("kvm_faultin_pfn: wait"), "the second access halts the vCPU"
    s.run(3)
    s.after("8.11.8", 2)
    s.run(2)
    finish(s)
    assert result(s) == HALTED
    s.assert_balanced()


@drives("8.11.6")
def test_a_guest_that_is_not_ready_waits_synchronously() -> None:
    s = scene(ready=False)
    s.reach("8.11.6", 1)
    assert s.run(1).startswith("folio_wait_bit_common")
    s.run(3)
    s.until(1, "guest")
    s.step(1)
    finish(s)
    assert result(s) == FIXED
    s.assert_balanced()


def test_a_page_that_is_mapped_needs_no_lock() -> None:
    s = scene()
    finish(s)
    assert s.machine.call("hva_to_pfn_fast", 0, 0) == 1
    assert s.held(1) == set(), "the worker broke copy-on-write: a private page has no folio"
    assert s.machine.call("hva_to_pfn_fast", 3, 0) == 0, "never touched"


@drives("8.11.6")
def test_a_signal_interrupts_the_synchronous_wait() -> None:
    s = scene(ready=False)
    s.reach("8.11.6", 1)
    s.run(1)
    s.put("Thread", 1, "fatal_signal_pending", 1)
    s.run(1)
    assert s.where(1) == ""
    assert result(s) == INTERRUPTED
    assert s.held(1) == set()
