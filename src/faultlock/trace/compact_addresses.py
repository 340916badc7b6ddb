# SPDX-License-Identifier: GPL-2.0-only
"""Address spaces without the tables in which nothing happens."""

from __future__ import annotations

from faultlock.errors import LimitReached

PAGE = 4096
TABLE = 512
MAX_TABLES = 1 << 19


class CompactAddresses:
    """Compacts the addresses of a family of address spaces (connected by fork)."""

    def __init__(self) -> None:
        self._tables: set[int] = set()
        self._whole: list[tuple[int, int]] = []
        self._place: dict[int, int] = {}

    def use(self, page: int) -> None:
        """This page will be asked for."""
        self._tables.add(page // TABLE)

    def use_all(self, start: int, end: int) -> None:
        """All pages of [start, end): the distance between any two of them matters."""
        if end > start:
            self._whole.append((start // TABLE, (end - 1) // TABLE + 1))

    def finish(self) -> int:
        """Number of pages of the compacted address space.

        Raises LimitReached when there are more than MAX_TABLES tables.
        """
        reached = 0
        for first, end in sorted(self._whole):
            if len(self._tables) + end - max(first, reached) > MAX_TABLES:
                raise LimitReached(
                    f"mappings of more than {MAX_TABLES * TABLE * PAGE >> 30} GiB in one address "
                    "space; too large to replay"
                )
            self._tables.update(range(max(first, reached), end))
            reached = max(reached, end)
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
