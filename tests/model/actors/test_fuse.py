# SPDX-License-Identifier: GPL-2.0-only
"""Spec D8 and D9: reads that are served by a thread, of the same process or of a daemon."""

from tests.model.actors.scene import Scene
from tests.model.table import drives

BODY = '''
@setup
def start():
    """A FUSE file mapped into the process of its server (T2)."""
    mm = boot_mm()
    mapping = boot_mapping(2)
    mapping.served = True
    file = boot_file(mapping, 0)
    boot_map(mm, file, 0, 2, 0, VM_READ)
    serves(2, mapping)


@atomic
def serves(number: int, mapping: Mapping):
    for thread in each(Thread):
        number -= 1
        if number == 0:
            thread.serves = mapping


@thread("T1")
def faulting():
    touch(0, False, {user})


@thread("T2")
def server():
    request: Request = fuse_dev_read(current.serves)
    if request is not None:
        {act}
        fuse_dev_write(request, False)
    do_exit()
'''
MMAP = "vm_mmap_pgoff(None, 8, 1, 0, VM_READ, False)"


def scene(act: str = "pass", user: bool = True, policy: str = "") -> Scene:
    return Scene(BODY.format(act=act, user=user), 2, policy)


def test_a_request_goes_to_the_server_and_back() -> None:
    s = scene()
    assert s.run(2).startswith("fuse_dev_read: wait")
    assert "wait" in s.run(1)
    assert s.get("Request", 1, "in_flight") == 1
    s.until(2, "fuse_dev_write")
    assert s.get("Request", 1, "fuse_server") == 2
    while s.get("Request", 1, "in_flight"):
        assert s.step(2)
    assert s.run(1) == ""
    assert s.get("MM", 1, "pte", 0) != 0
    s.run(2)
    s.assert_balanced()


def test_d8_the_server_calls_mmap_while_a_kernel_mode_fault_waits_for_it() -> None:
    for policy, deadlock in (("", False), ("hold", True)):
        s = scene(MMAP, user=False, policy=policy)
        s.run(1)
        waits = s.run(2)
        s.run(1)
        assert ("slowpath" in waits) == deadlock, policy
        assert (s.where(1) != "") == deadlock
        if deadlock:
            assert "mmap_lock read" in s.held(1)


@drives("8.7.1", "8.7.2")
def test_a_server_that_is_killed_fails_its_requests_when_its_files_are_closed() -> None:
    s = scene()
    s.run(2)
    s.put("Thread", 2, "fatal_signal_pending", 1)
    s.run(1)
    s.reach("8.7.1", 2)
    assert s.get("Request", 1, "in_flight") == 1, "exit_mm comes before exit_files"
    s.reach("8.7.2", 2)
    s.run(2)
    assert s.get("Mapping", 1, "fuse_aborted") == 1
    assert s.get("Request", 1, "in_flight") == 0
    s.run(1)
    assert s.where(1) == "", "SIGBUS: every further read fails at once"
    s.assert_balanced()


def test_a_dying_server_waits_for_mmap_lock_before_it_closes_the_device() -> None:
    """D8: exit_mm blocks uninterruptibly, so the connection is never aborted."""
    text = BODY.format(act="pass", user=False) + f'\n\n@thread("T3")\ndef other():\n    {MMAP}\n'
    s = Scene(text, 3, "hold")
    s.run(1)
    assert "mmap_lock read" in s.held(1)
    assert s.run(3).startswith("rwsem_down_write_slowpath")
    s.put("Thread", 2, "fatal_signal_pending", 1)
    s.put("Request", 1, "fuse_server", 2)  # another server thread has taken it
    assert s.run(2).startswith("rwsem_down_read_slowpath")
    assert s.get("Mapping", 1, "fuse_aborted") == 0


DAEMON = (
    BODY.split('@thread("T1")')[0]
    + """
@thread("T1")
def client_fault():
    touch(0, False, {user})


@thread("T2")
def daemon():
    request: Request = fuse_dev_read(current.serves)
    __access_remote_vm(client(), 8, 1)
    fuse_dev_write(request, False)


@atomic
def client() -> MM:
    for mm in each(MM):
        return mm
    return None


@thread("T3")
def client_other():
    {other}
"""
)


def test_d9_the_daemon_reads_cmdline_of_the_client_while_a_writer_waits() -> None:
    """T1 -> daemon -> T3 -> T1: only when the fault keeps mmap_lock over the I/O."""
    for policy, deadlock in (("", False), ("hold", True)):
        s = Scene(DAEMON.format(other=MMAP.replace("8", "9"), user=False), 3, policy)
        s.run(1)
        s.run(3)
        s.run(2)
        s.run(3)
        s.run(2)
        s.run(1)
        assert (s.where(2) != "") == deadlock, policy
        assert (s.where(1) != "") == deadlock, policy
