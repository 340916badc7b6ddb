# SPDX-License-Identifier: GPL-2.0-only
"""Types of what compiled functions work on, for their annotations.

To mypy they are all `Any`; the translation to machine code reads their names
(translate/kinds.py: ANNOTATIONS, ELEMENTS).
"""

from __future__ import annotations

from typing import Any

Int = Any  # 64 bits with a sign: int, or what comes from an array
Word = Any  # 64 bits without a sign: np.uint64
# arrays by their elements; x2, x3: of two or three dimensions
U8 = Any
U16 = Any
U32 = Any
U64 = Any
U64x2 = Any
U64x3 = Any
U64x4 = Any
I16 = Any
I64 = Any
I64x2 = Any
I64x3 = Any
