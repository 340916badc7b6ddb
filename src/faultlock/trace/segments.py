# SPDX-License-Identifier: GPL-2.0-only
"""Inferred mappings of a program file, cut where code ends and data begins.

Without the system calls that made them, segments that lie alike in the file and in memory look
like one mapping. Code is fetched and never written; data behind it is written: there is the
boundary.
"""

from __future__ import annotations

from faultlock.trace.address_space import PAGE, PROT_EXEC, PROT_WRITE, Vma
from faultlock.trace.recording import FAULT, Operation


def split_code_from_data(vmas: list[Vma], operations: list[Operation]) -> None:
    """Split inferred executable mappings with writes behind the last fetch; appends to `vmas`.

    Operations behind the cut are moved to the new mapping.
    """
    inside: dict[int, list[Operation]] = {}
    for operation in operations:
        vma = vmas[operation.vma] if operation.kind == FAULT and operation.vma >= 0 else None
        if vma is not None and operation.file >= 0 and vma.inferred and vma.prot & PROT_EXEC:
            inside.setdefault(operation.vma, []).append(operation)
    for number, faults in inside.items():
        writes = [fault.address for fault in faults if fault.write]
        fetches = [fault.address for fault in faults if fault.fetch]
        if writes and fetches and min(writes) // PAGE > max(fetches) // PAGE:
            data = _split(vmas, vmas[number], min(writes) // PAGE * PAGE)
            for fault in faults:
                if fault.address >= data.start:
                    fault.vma = data.number


def _split(vmas: list[Vma], code: Vma, boundary: int) -> Vma:
    data = Vma(
        len(vmas),
        code.mm,
        boundary,
        code.end,
        code.prot & ~PROT_EXEC | PROT_WRITE,
        code.shared,
        code.offset + boundary - code.start,
        code.open_file,
        code.advice,
        True,
        code.created_ns,
        code.removed_ns,
    )
    code.end = boundary
    vmas.append(data)
    return data
