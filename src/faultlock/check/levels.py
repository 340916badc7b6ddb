# SPDX-License-Identifier: GPL-2.0-only
"""Runs the breadth-first search level after level, by one worker or several."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor
from concurrent.futures import wait as wait_futures

from faultlock.check.compiled import handle
from faultlock.check.exploration import PARALLEL_LEVEL, Exploration, Limits, Progress
from faultlock.check.fingerprints import RowsThatGo
from faultlock.check.machine import make_room
from faultlock.check.store import NO_STATE, TOO_WIDE, bytes_in_use, grown, state_words
from faultlock.check.workers import (
    ARRIVED,
    BEGUN,
    DONE,
    LEFT,
    STOPPED,
    TABLE_FULL,
    make_course,
    work,
)
from faultlock.lang.native import OUT_WORDS

LEVELS = 1024  # that are done between two looks by Python


class Levels:
    """Runs level after level until there are no new states or a limit is reached."""

    def __init__(self, run: Exploration, limits: Limits,
                 progress: Callable[[Progress], None] | None) -> None:
        self.run = run
        self.limits = limits
        self.progress = progress
        self.workers = run.options.workers
        # Made once: there may be a thousand levels, some of a millisecond.
        self.rooms = [handle(make_room(state_words(run.store), run.store.rows.shape[1],
                                       run.machine.threads, OUT_WORDS))
                      for _ in range(self.workers)]
        self.tables = handle(run.machine), handle(run.search)
        self.store = handle(run.store)
        self.rows_that_go = RowsThatGo(run, self.workers) if run.options.fingerprints else None
        self.course = make_course(self.workers, LEVELS if self.rows_that_go is None else 1)
        self.shared = handle(self.course)
        self.started = time.monotonic()
        self.told = 0.0

    def search(self) -> None:
        run = self.run
        lows = [worker * run.store.region for worker in range(self.workers)]
        with ThreadPoolExecutor(self.workers) as pool:
            while not run.reason:
                highs = [high for _, high in run.rows()]
                if lows == highs:
                    run.complete = True
                    break
                self._begin(lows, highs)
                try:
                    self._levels(pool, sum(highs) - sum(lows))
                except KeyboardInterrupt:
                    self.course.stop[0] = 1
                    run.interrupted, run.reason = True, "interrupted"
                lows, highs = self._note_levels()
                if self.rows_that_go is not None:
                    self.rows_that_go.close(lows, highs)
                lows = highs
        run.seconds = time.monotonic() - self.started

    def _begin(self, lows: list[int], highs: list[int]) -> None:
        course = self.course
        course.cursors[:, 0], course.ends[:] = lows, highs
        course.levels[0] = [*lows, *highs]
        course.marks[:, 0] = 0
        course.marks[BEGUN, 0] = 1

    def _note_levels(self) -> tuple[list[int], list[int]]:
        """Enter the levels that were begun; the rows of the last one."""
        for row in self.course.levels[: int(self.course.marks[BEGUN, 0])].tolist():
            self.run.levels.append((row[: self.workers], row[self.workers:]))
        self.course.marks[BEGUN, 0] = 0
        return self.run.levels[-1]

    def _levels(self, pool: ThreadPoolExecutor, size: int) -> None:
        """The level that was begun, and those that follow as long as they suit as many
        workers."""
        many = self.workers > 1 and size >= PARALLEL_LEVEL
        active = self.workers if many else 1
        least = PARALLEL_LEVEL if many else 1
        below = PARALLEL_LEVEL if self.workers > 1 and not many else NO_STATE
        unfinished = True
        while unfinished and not self.run.reason:
            self.course.marks[[ARRIVED, LEFT], 0] = 0
            codes = self._workers(pool, active, least, below)
            if TABLE_FULL in codes:
                self.run.store = grown(self.run.store, self.workers)
                self.store = handle(self.run.store)
            self._check_limits(codes)
            unfinished = any(code != DONE for code in codes)

    def _workers(self, pool: ThreadPoolExecutor, active: int, least: int,
                 below: int) -> list[int]:
        def one(worker: int) -> int:
            return work(self.store, *self.tables, worker, active, self.shared,
                        self.rooms[worker], least, below, self.limits.states)

        futures = [pool.submit(one, worker) for worker in range(active)]
        try:
            pending = set(futures)
            while pending:
                _, pending = wait_futures(pending, timeout=0.1, return_when=FIRST_COMPLETED)
                self._tell()
                if self._exceeded():
                    self.course.stop[0] = 1
        except KeyboardInterrupt:
            self.course.stop[0] = 1
            wait_futures(futures)
            raise
        return [future.result() for future in futures]

    def _check_limits(self, codes: list[int]) -> None:
        self.run.reason = self._exceeded()
        if not self.run.reason and any(code not in (DONE, TABLE_FULL) for code in codes):
            stopped = STOPPED in codes
            self.run.reason = "stopped" if stopped else "the reserved memory is full"

    def _exceeded(self) -> str:
        store, limits = self.run.store, self.limits
        if store.counters[:, TOO_WIDE].any():
            return "a choose() has more than 500 alternatives"
        if self.run.states >= limits.states:
            return f"limit of {limits.states} states"
        if bytes_in_use(store) >= limits.memory_bytes:
            return f"limit of {limits.memory_bytes >> 20} MiB of memory"
        if time.monotonic() - self.started >= limits.seconds:
            return f"limit of {limits.seconds:g} seconds"
        return ""

    def _tell(self) -> None:
        now = time.monotonic() - self.started
        if self.progress is not None and now - self.told >= 0.1:
            self.told = now
            depth = len(self.run.levels) + int(self.course.marks[BEGUN, 0]) - 1
            self.progress(Progress(self.run.states, depth, now))
