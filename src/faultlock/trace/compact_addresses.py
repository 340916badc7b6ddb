# SPDX-License-Identifier: GPL-2.0-only
"""Address spaces without the tables in which nothing happens."""

from __future__ import annotations

PAGE = 4096
TABLE = 512


class CompactAddresses:
    """Compacts the addresses of a family of address spaces (connected by fork)."""

    def __init__(self) -> None:
        self._tables: set[int] = set()
        self._place: dict[int, int] = {}

    def use(self, page: int) -> None:
        """This page will be asked for."""
        self._tables.add(page // TABLE)

    def finish(self) -> int:
        """Number of pages of the compacted address space."""
        # Table 0 stays empty: address 0 is no address.
        self._place = {table: n for n, table in enumerate(sorted(self._tables), start=1)}
        return (len(self._place) + 2) * TABLE

    def page(self, page: int) -> int:
        """The compacted page; of a page that was never used the next one that was."""
        table = page // TABLE
        if table in self._place:
            return self._place[table] * TABLE + page % TABLE
        return 0

    def span(self, start: int, length: int) -> tuple[int, int]:
        """(first page, pages) of a range in bytes."""
        first, last = start // PAGE, (start + max(length, 1) - 1) // PAGE
        low, high = self.page(first), self.page(last)
        return low, max(1, high - low + 1)
