# SPDX-License-Identifier: GPL-2.0-only
"""Small recordings written event by event."""

from __future__ import annotations

from pathlib import Path

from faultlock.trace.importer import import_text
from faultlock.trace.reconstruct import reconstruct
from faultlock.trace.recording import Recording
from faultlock.trace.store import Trace


class Script:
    """Writes ftrace text: one call per event, times in microseconds."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def event(self, at_us: int, text: str, tid: int = 41, tgid: int = 40) -> None:
        seconds, us = divmod(at_us, 1_000_000)
        self.lines.append(f" app-{tid} ( {tgid}) [000] ..... {seconds}.{us:06d}: {text}")

    def fault(self, at_us: int, address: int, code: int, tid: int = 41) -> None:
        self.event(at_us, f"page_fault_user: address={address:#x} ip=0x1 error_code={code:#x}", tid)

    def file(self, at_us: int, event: str, text: str, tid: int = 41) -> None:
        self.event(at_us, f"{event}: dev=254:0 ino=ff {text}", tid)

    def switch(self, at_us: int, prev: int, state: str, following: int) -> None:
        self.event(
            at_us,
            f"sched_switch: prev_comm=a prev_pid={prev} prev_prio=120 prev_state={state} ==> "
            f"next_comm=b next_pid={following} next_prio=120",
            prev,
        )

    def lock(self, at_us: int, step: str, write: bool, tid: int = 41) -> None:
        success = " success=true" if step == "acquire_returned" else ""
        text = f"mmap_lock_{step}: mm=00000000aa memcg_id=1 write={str(write).lower()}{success}"
        self.event(at_us, text, tid)

    def call(self, at_us: int, text: str, until_us: int, result: int, tid: int = 41) -> None:
        self.event(at_us, text, tid)
        self.event(until_us, f"{text.partition('(')[0]} -> {result & (1 << 64) - 1:#x}", tid)

    def trace(self, tmp_path: Path) -> Trace:
        path = tmp_path / "script.txt"
        path.write_text("\n".join(self.lines) + "\n")
        imported = import_text(path, "6.18")
        assert imported.trace.header.unparseable_lines == 0
        return imported.trace

    def recording(self, tmp_path: Path) -> Recording:
        return reconstruct(self.trace(tmp_path))
