# SPDX-License-Identifier: GPL-2.0-only
"""The page cache of a recording, page by page."""

from __future__ import annotations

from typing import Any

import numpy as np

from faultlock.trace.recording import Recording

PAGES_BEHIND = 1 << 13  # of the model's page cache behind the end of a file


class PageCache:
    """Which pages of each file are cached, in which folio; followed from the insertions."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._heads: dict[int, Any] = {}

    def heads(self, file: int) -> Any:
        """First page of the folio of each page, -1: not cached; int32 per page."""
        if file not in self._heads:
            pages = self._recording.files[file].pages + PAGES_BEHIND
            self._heads[file] = np.full(pages, -1, dtype=np.int32)
        return self._heads[file]

    def add(self, file: int, index: int, pages: int) -> None:
        """A folio was inserted."""
        self.heads(file)[index : index + pages] = index

    def cached(self, file: int) -> Any:
        """One bool per page."""
        return self.heads(file) >= 0

    def folio(self, file: int, index: int) -> tuple[int, int]:
        """First page and order of the folio at a page; a lone page when it was never seen."""
        heads = self.heads(file)
        head = int(heads[index])
        if head < 0:
            return index, 0
        pages = int(np.count_nonzero(heads[head : head + 1024] == head))
        return head, pages.bit_length() - 1
