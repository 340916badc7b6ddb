# SPDX-License-Identifier: GPL-2.0-only
"""All actors against each other at random: no check fails, nobody is stuck, everything adds up."""

import pytest

from tests.model.actors.scene import DISK, Scene

SEEDS = range(3)
START = '''
@atomic
def the_file() -> File:
    for file in each(File):
        return file
    return None


@atomic
def number_is(thread: Thread, wanted: int) -> bool:
    number = 0
    for other in each(Thread):
        number += 1
        if other == thread:
            return number == wanted
    return False


@setup
def start():
    """A file mapped at 0..3, anonymous memory at 8..9, page 1 cached."""
    mm = boot_mm()
    mapping = boot_mapping(4)
    mapping.max_order = 1
    mapping.has_page_mkwrite = True
    file = boot_file(mapping, 2)
    boot_map(mm, file, 0, 4, 0, {flags})
    boot_map(mm, None, 8, 2, 0, VM_READ | VM_WRITE | VM_MAYWRITE)
    boot_cache(mapping, 1, 0)
    for thread in each(Thread):
        if number_is(thread, {child}):
            boot_child(thread)
'''
PRIVATE, SHARED = "VM_READ | VM_WRITE | VM_MAYWRITE", "VM_READ | VM_WRITE | VM_SHARED"
ADDRESS_SPACE = (
    ["touch(1, False, True)", "touch(2, True, True)", "touch(0, False, False)"],
    ["vm_mmap_pgoff(None, 1, 2, 0, VM_READ | VM_WRITE, True)", "sys_mremap(2, 2, 3, True)"],
    ["do_madvise(0, 4, MADV_DONTNEED)", "__vm_munmap(1, 3)", "sys_brk(10, 12)"],
    ["do_mprotect(0, 1, VM_READ | VM_EXEC)", "do_mlock(0, 1, True)", "sys_brk(12, 9)"],
)
PAGE_CACHE = (
    ["touch(0, False, True)", "touch(2, False, True)"],
    ["reclaim_once()", "do_madvise(0, 2, MADV_PAGEOUT)", "reclaim_once()"],
    ["ksys_read(the_file(), 0, 3, 8)", "generic_perform_write(the_file(), 0, 9)"],
    ["khugepaged_scan_file(current.mm, 0)", "ext4_punch_hole(the_mapping(), 0, 2)"],
    ["direct_read(the_mapping())", "ext4_collapse_range(the_mapping(), 1, 2)"],
    ["truncate_setsize(the_mapping(), 1, True)", "ext4_setattr(the_mapping(), 3, False)"],
)
PROCESS = (
    ["touch(0, True, True)", "process_vm_readv(current.mm, 0, 2)"],
    ["sys_fork()", "touch(0, True, True)", "read_proc(current.mm, ProcFile.SMAPS_ROLLUP)"],
    ["child_process()"],
    ["__access_remote_vm(current.mm, 0, 2)", "read_proc(current.mm, ProcFile.MAPS)", "do_exit()"],
    ["send_sigkill(current)", "oom_reap_task(current.mm)"],
)
MAPPING = """

@atomic
def the_mapping() -> Mapping:
    return the_file().f_mapping
"""


def body(threads: tuple[list[str], ...], flags: str, child: int = 0) -> str:
    """The scenario text: each list of calls is a thread in the kernel."""
    text = START.format(flags=flags, child=child) + MAPPING
    for number, calls in enumerate(threads, 1):
        lines = ["trap_enter()"]
        for position, call in enumerate(calls):
            shared = "the_file()" in call or "the_mapping()" in call
            if shared:
                name = f"argument{position}"
                what = "the_file()" if "the_file()" in call else "the_mapping()"
                lines.append(f"{name} = {what}")
                call = call.replace(what, name)
            lines.append(call)
        lines.append("trap_exit()")
        inner = "\n    ".join(lines)
        text += f'\n\n@thread("T{number}")\ndef thread{number}():\n    {inner}\n'
    return text + DISK


@pytest.mark.parametrize("version", [612, 618, 700])
@pytest.mark.parametrize("policy", ["drop-retry", "hold-fix"])
def test_address_space_calls(version: int, policy: str) -> None:
    text = body(ADDRESS_SPACE, PRIVATE)
    for seed in SEEDS:
        s = Scene(text, 5, policy, KERNEL_VERSION=version)
        s.random_run(seed)
        s.assert_balanced()


@pytest.mark.parametrize("policy", ["drop-retry", "hold-fix", "retry-vma"])
def test_page_cache_actors(policy: str) -> None:
    text = body(PAGE_CACHE, SHARED)
    for seed in SEEDS:
        s = Scene(text, 7, policy, COLLAPSE_ORDER=1)
        s.random_run(seed)
        s.assert_balanced()


@pytest.mark.parametrize("policy", ["drop-retry", "hold-fix"])
def test_processes(policy: str) -> None:
    text = body(PROCESS, PRIVATE, child=3)
    for seed in SEEDS:
        s = Scene(text, 6, policy)
        s.may_wait = {3}  # when fork fails there is no child
        s.random_run(seed)
        s.assert_balanced()


PRESSURE = '''
@setup
def start():
    """Two mappings of eight pages; memory for five; the shadow entries of the simulator."""
    mm = boot_mm()
    mapping = boot_mapping(8)
    file = boot_file(mapping, 2)
    boot_map(mm, file, 0, 8, 0, VM_READ | VM_EXEC)
    boot_map(mm, file, 8, 8, 0, VM_READ)
    shadow = alloc(Folio)
    shadow_workingset = alloc(Folio)
    page_cache.shadow = shadow
    page_cache.shadow_workingset = shadow_workingset


def toucher():
    left = 6
    while left > 0:
        page = choose(0, 16, "random_page")
        touch(page, False, True)
        left -= 1


@thread("T1")
def first():
    toucher()


@thread("T2")
def second():
    toucher()


@thread("kswapd", daemon=True)
def reclaimer():
    kswapd()
'''


@pytest.mark.parametrize("lru", [1, 2])
def test_memory_pressure_keeps_the_lists_whole(lru: int) -> None:
    evicted = 0
    for seed in SEEDS:
        s = Scene(
            PRESSURE + DISK,
            4,
            "drop-retry",
            LRU=lru,
            MEMORY_PAGES=5,
            DIRECT_RECLAIM=1,
            KSWAPD_LOW_PAGES=1,
            KSWAPD_HIGH_PAGES=2,
        )
        s.random_run(seed)
        s.assert_balanced()
        live = [f for f in range(1, s.count("Folio") + 1) if s.get("Folio", f, "refcount")]
        assert sorted(lru_list(s, "inactive") + lru_list(s, "active")) == live
        assert s.get("memory", 1, "used_pages") == len(live) <= 5
        evicted += sum(step.text.startswith("reclaim_free") for step in s.steps_seen())
    assert evicted > 0


def lru_list(s: Scene, which: str) -> list[int]:
    """The folios of a list from head to tail; its links and its length are checked."""
    found: list[int] = []
    folio = s.get("lruvec", 1, f"{which}_head")
    while folio:
        assert s.get("Folio", folio, "lru_prev") == (found[-1] if found else 0)
        assert s.get("Folio", folio, "active") == (which == "active")
        found.append(folio)
        folio = s.get("Folio", folio, "lru_next")
    assert s.get("lruvec", 1, f"{which}_tail") == (found[-1] if found else 0)
    assert s.get("lruvec", 1, f"nr_{which}") == len(found)
    return found
