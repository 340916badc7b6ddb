# SPDX-License-Identifier: GPL-2.0-only
"""What a step did, in words: taken, released, leaked, woken, changed."""

from __future__ import annotations

from typing import Any

from faultlock.lang.evaluate import Machine

Holdings = dict[str, str]

# ghost field of Thread -> (what is held, mode field)
HELD = {
    "holds_mmap_lock": ("mmap_lock", "mmap_lock_mode"),
    "holds_vma_lock": ("VMA lock", ""),
    "holds_invalidate_lock": ("invalidate_lock", "invalidate_lock_mode"),
    "holds_i_rwsem": ("i_rwsem", ""),
    "holds_i_mmap_rwsem": ("i_mmap_rwsem", ""),
    "holds_folio_lock": ("folio lock", ""),
    "holds_folio": ("folio reference", ""),
    "holds_other_folio": ("folio reference", ""),
    "pinned_file": ("file reference", ""),
}
MODES = {1: "read", 2: "write"}
# changes that are worth a word: (struct, field) -> (text when set, text when cleared)
CHANGES = {
    ("Folio", "uptodate"): ("{} is uptodate", "{} is not uptodate"),
    ("Folio", "mapping"): ("{} enters the page cache", "{} leaves the page cache"),
    ("Folio", "reading"): ("read of {} starts", "read of {} ends"),
    ("MM", "pte"): ("page is mapped", "page is unmapped"),
    ("VMA", "write_locked"): ("{} is write-locked", "{} is no longer write-locked"),
    ("VMA", "exclude_readers"): ("new readers of {} are refused", "readers of {} may enter"),
    ("Thread", "fatal_signal_pending"): ("SIGKILL for {}", ""),
    ("Thread", "signal_pending"): ("signal for {}", ""),
    ("Mapping", "i_size"): ("i_size of {} changes", "i_size of {} is 0"),
}
WAKING = ("wait_woken", "wait_granted")


def instance_name(struct: str, instance: int, threads: list[str]) -> str:
    """`folio 1`; threads by name."""
    if struct == "Thread" and 1 <= instance <= len(threads):
        return threads[instance - 1]
    return f"{struct if struct.isupper() else struct.lower()} {instance}"


def holdings_of(machine: Machine, thread: int) -> Holdings:
    """What a thread holds by its ghost fields: field -> text."""
    found: Holdings = {}
    structs = machine.program.structs
    fields = structs["Thread"].fields if "Thread" in structs else {}
    for name, (what, mode_field) in HELD.items():
        value = machine.get(("field", "Thread", thread, name, 0)) if name in fields else 0
        if not value:
            continue
        mode = MODES.get(machine.get(("field", "Thread", thread, mode_field, 0)), "")
        target = fields[name].type
        struct = getattr(target, "struct", "")
        text = f"{what} of {instance_name(struct, value, [])}" if struct else what
        found[name] = f"{text} ({mode})" if mode else text
    return found


def note_of(machine: Machine, before: dict[Any, int], held: Holdings, thread: int) -> str:
    """What the step that was just taken did; `before`, `held`: state and holdings before it."""
    now = holdings_of(machine, thread)
    parts = [f"takes {text}" for name, text in now.items() if held.get(name) != text]
    parts += [f"releases {text}" for name, text in held.items() if now.get(name) != text]
    changed = {
        key: (before.get(key, 0), machine.state.get(key, 0))
        for key in machine.state.keys() | before.keys()
        if before.get(key, 0) != machine.state.get(key, 0)
    }
    parts += _changes(machine, changed, thread)
    depth = changed.get(("field", "Thread", thread, "kernel_depth", 0))
    ended = ("pc", thread) in changed and changed["pc", thread][1] == 0
    if now and (ended or (depth is not None and depth[1] == 0)):
        parts.append("leaks " + ", ".join(now.values()))
    return "; ".join(dict.fromkeys(parts))


def _changes(machine: Machine, changed: dict[Any, tuple[int, int]], thread: int) -> list[str]:
    threads = [entry.name for entry in machine.program.threads]
    parts = []
    for key, (_, value) in sorted(changed.items(), key=str):
        if key[0] != "field":
            continue
        _, struct, instance, name, _ = key
        if struct == "Thread" and name in WAKING and value and instance != thread:
            parts.append(f"wakes {instance_name(struct, instance, threads)}")
        texts = CHANGES.get((struct, name))
        if texts is not None:
            text = texts[0] if value else texts[1]
            parts.append(text.format(instance_name(struct, instance, threads)))
    return [part for part in parts if part]
