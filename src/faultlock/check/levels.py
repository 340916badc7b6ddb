# SPDX-License-Identifier: GPL-2.0-only
"""Runs the breadth-first search level after level, by one worker or several."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_futures
from typing import Any

import numpy as np

from faultlock.check.compiled import handle
from faultlock.check.exploration import PARALLEL_LEVEL, Exploration, Limits, Progress
from faultlock.check.fingerprints import RowsThatGo
from faultlock.check.machine import make_room
from faultlock.check.store import TOO_WIDE, bytes_in_use, grown, state_words
from faultlock.check.workers import DONE, STOPPED, TABLE_FULL, work
from faultlock.lang.native import OUT_WORDS

Array = Any


class Levels:
    """Runs level after level until there are no new states or a limit is reached."""

    def __init__(self, run: Exploration, limits: Limits,
                 progress: Callable[[Progress], None] | None) -> None:
        self.run = run
        self.limits = limits
        self.progress = progress
        self.workers = run.options.workers
        self.stop = np.zeros(8, np.int64)
        # Made once: there may be a thousand levels, some of a millisecond.
        self.rooms = [handle(make_room(state_words(run.store), run.store.rows.shape[1],
                                       run.machine.threads, OUT_WORDS))
                      for _ in range(self.workers)]
        self.tables = handle(run.machine), handle(run.search)
        self.store = handle(run.store)
        self.rows_that_go = RowsThatGo(run, self.workers) if run.options.fingerprints else None
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
                run.levels.append((lows, highs))
                try:
                    self._level(pool, lows, highs)
                except KeyboardInterrupt:
                    self.stop[0] = 1
                    run.interrupted, run.reason = True, "interrupted"
                if self.rows_that_go is not None:
                    self.rows_that_go.close(lows, highs)
                lows = highs
        run.seconds = time.monotonic() - self.started

    def _level(self, pool: ThreadPoolExecutor, lows: list[int], highs: list[int]) -> None:
        cursors = np.zeros((self.workers, 8), np.int64)
        cursors[:, 0] = lows
        ends = np.array(highs, np.int64)
        size = sum(highs) - sum(lows)
        active = self.workers if size >= PARALLEL_LEVEL else 1
        waiting = list(range(active))
        while waiting and not self.run.reason:
            codes = self._workers(pool, waiting, cursors, ends, size)
            if TABLE_FULL in codes.values():
                self.run.store = grown(self.run.store, self.workers)
                self.store = handle(self.run.store)
            self._check_limits(codes)
            waiting = [worker for worker, code in codes.items() if code != DONE]

    def _workers(self, pool: ThreadPoolExecutor, workers: list[int], cursors: Array,
                 ends: Array, size: int) -> dict[int, int]:
        def one(worker: int) -> int:
            return work(self.store, *self.tables, worker, cursors, ends, self.stop,
                        self.rooms[worker])

        if len(workers) == 1 and size < PARALLEL_LEVEL:
            self._tell()
            return {workers[0]: one(workers[0])}
        futures: dict[Future[int], int] = {pool.submit(one, worker): worker for worker in workers}
        try:
            pending = set(futures)
            while pending:
                _, pending = wait_futures(pending, timeout=0.1, return_when=FIRST_COMPLETED)
                self._tell()
                if self._exceeded():
                    self.stop[0] = 1
        except KeyboardInterrupt:
            self.stop[0] = 1
            wait_futures(futures)
            raise
        return {worker: future.result() for future, worker in futures.items()}

    def _check_limits(self, codes: dict[int, int]) -> None:
        self.run.reason = self._exceeded()
        if not self.run.reason and any(code not in (DONE, TABLE_FULL) for code in codes.values()):
            stopped = STOPPED in codes.values()
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
            self.progress(Progress(self.run.states, self.run.depth, now))
