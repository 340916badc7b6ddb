# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.1 and 8.2: truncation and hole punching."""

import pytest

from tests.model.actors.scene import DISK, Scene
from tests.model.table import drives

FILE = '''
@setup
def start():
    """Four pages, two of them cached and mapped."""
    mm = boot_mm()
    mapping = boot_mapping(4)
    file = boot_file(mapping, 0)
    boot_map(mm, file, 0, 4, 0, VM_READ)
    boot_cache(mapping, 0, 0)
    boot_cache(mapping, 2, 0)


@atomic
def the_mapping() -> Mapping:
    for mapping in each(Mapping):
        return mapping
    return None


@thread("T1")
def toucher():
    touch(0, False, True)
    touch(2, False, True)


@thread("T2")
def truncater():
    {call}
'''


def scene(call: str, extra: str = DISK, threads: int = 3, **parameters: int) -> Scene:
    return Scene(FILE.format(call=call) + extra, threads, **parameters)


@drives("8.1.1", "8.1.2", "8.1.3", "8.1.4", "8.1.5", "8.1.6", "8.1.7", "8.1.8", "8.1.9")
def test_truncate_holds_what_the_kernel_holds() -> None:
    s = scene("ext4_setattr(the_mapping(), 1, True)")
    s.run(1)
    assert s.get("MM", 1, "pte", 2) != 0
    assert s.after("8.1.1", 2) == {"i_rwsem"}
    assert s.after("8.1.2", 2) == {"i_rwsem"}
    assert s.after("8.1.3", 2) == {"i_rwsem", "invalidate_lock write"}
    assert s.after("8.1.4", 2) == {"i_rwsem", "invalidate_lock write"}
    assert s.get("Mapping", 1, "i_size") == 1
    s.after("8.1.5", 2)
    assert s.get("MM", 1, "pte", 2) == 0, "unmapped before the page cache is emptied"
    assert s.get("Mapping", 1, "pages", 2) != 0
    assert s.after("8.1.6", 2) == {"i_rwsem", "invalidate_lock write"}
    assert s.get("Mapping", 1, "pages", 2) == 0
    assert s.after("8.1.7", 2) == {"i_rwsem", "invalidate_lock write"}
    assert s.after("8.1.8", 2) == {"i_rwsem", "invalidate_lock write"}
    assert s.after("8.1.9", 2) == {"i_rwsem"}
    assert s.run(2) == ""
    s.assert_balanced()
    assert s.get("Mapping", 1, "pages", 0) != 0


def test_truncate_needs_no_mmap_lock_and_no_vma_lock() -> None:
    """A fault that sleeps with its locks held does not delay unmapping (8.1.5)."""
    s = scene("ext4_setattr(the_mapping(), 0, False)")
    s.until(1, "do_read_fault")
    assert "vma" in s.held(1)
    assert s.run(2) == ""
    assert s.get("Mapping", 1, "i_size") == 0


def test_pass_two_waits_for_the_read_in_flight() -> None:
    s = scene("ext4_setattr(the_mapping(), 0, False)")
    s.put("Folio", 1, "uptodate", 0)
    s.put("Folio", 1, "locked", 1)
    s.put("Folio", 1, "reading", 1)
    assert s.run(2).startswith("folio_wait_bit_common")
    assert "truncate_pass_two" in s.stack(2)
    assert s.get("Mapping", 1, "pages", 2) == 0, "pass 1 took what it could lock"
    assert s.get("Mapping", 1, "pages", 0) == 1
    s.machine.call("folio_end_read", 1, 1)
    assert s.run(2) == ""
    assert s.get("Mapping", 1, "pages", 0) == 0
    s.assert_balanced()


def test_growth_removes_nothing() -> None:
    s = scene("ext4_setattr(the_mapping(), 6, False)")
    assert s.run(2) == ""
    assert s.get("Mapping", 1, "i_size") == 6
    assert s.get("Mapping", 1, "pages", 2) != 0
    assert not s.saw("8.1.3")
    s.assert_balanced()


def test_simple_file_system_takes_no_invalidate_lock() -> None:
    s = scene("truncate_setsize(the_mapping(), 1, False)")
    while s.step(2):
        assert not any("invalidate" in word for word in s.held(2))
    assert s.where(2) == ""
    assert s.get("Mapping", 1, "i_size") == 1
    assert s.get("Mapping", 1, "pages", 2) == 0
    s.assert_balanced()


def test_truncate_waits_for_direct_io() -> None:
    direct = '\n\n@thread("T3")\ndef reader():\n    direct_read(the_mapping())\n'
    s = scene("ext4_setattr(the_mapping(), 0, False)", direct)
    while s.get("Mapping", 1, "i_dio_count") == 0:
        s.step(3)
    s.step(3)  # i_rwsem released
    assert s.run(2).startswith("inode_dio_wait")
    assert s.held(2) == {"i_rwsem"}
    s.run(3)
    assert s.run(2) == ""
    s.assert_balanced()


@drives("8.2.1", "8.2.2", "8.2.4", "8.2.5", "8.2.6")
def test_hole_punch() -> None:
    s = scene("ext4_punch_hole(the_mapping(), 2, 3)")
    s.run(1)
    assert s.after("8.2.1", 2) == {"i_rwsem"}
    assert s.after("8.2.2", 2) == {"i_rwsem", "invalidate_lock write"}
    assert s.after("8.2.4", 2) == {"i_rwsem", "invalidate_lock write"}
    assert s.get("Mapping", 1, "pages", 2) == 0
    assert s.get("MM", 1, "pte", 2) == 0
    assert s.after("8.2.5", 2) == {"i_rwsem", "invalidate_lock write"}
    assert s.after("8.2.6", 2) == {"i_rwsem"}
    assert s.run(2) == ""
    assert s.get("Mapping", 1, "i_size") == 4, "i_size is unchanged"
    assert s.get("MM", 1, "pte", 0) != 0
    s.assert_balanced()


@drives("8.2.3")
def test_collapse_range_writes_back_first() -> None:
    s = scene("ext4_collapse_range(the_mapping(), 1, 2)")
    s.put("Folio", 2, "dirty", 1)
    assert s.after("8.2.3", 2) == {"i_rwsem", "invalidate_lock write"}
    assert s.get("Folio", 2, "dirty") == 0
    assert s.run(2) == ""
    assert s.get("Mapping", 1, "i_size") == 3
    assert s.get("Mapping", 1, "pages", 2) == 0
    s.assert_balanced()


@pytest.mark.parametrize("label", ["8.1.6", "8.2.4"])
def test_a_private_copy_survives_a_hole_but_not_a_truncation(label: str) -> None:
    call = "ext4_setattr(the_mapping(), 2, False)"
    if label == "8.2.4":
        call = "ext4_punch_hole(the_mapping(), 2, 3)"
    s = scene(call)
    s.put("MM", 1, "pte_flags", 4, 2)
    s.put("MM", 1, "page_table", 2, 0)
    s.run(2)
    assert s.saw(label)
    assert s.get("MM", 1, "pte_flags", 2) == (4 if label == "8.2.4" else 0)
