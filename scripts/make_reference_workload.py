#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Writes docs/reference-workload.md from the schema of workload files."""

from __future__ import annotations

from pathlib import Path

from faultlock.workload.reference import reference_lines

INTRODUCTION = """\
<!-- SPDX-License-Identifier: GPL-2.0-only -->
# Workload files

A workload file says which threads do what beside each other, on which mappings, files, device,
machine and kernel. The simulator and the C driver, in QEMU and on a host, run the same file.
`faultlock workloads` lists the shipped ones, `faultlock workloads NAME` prints one to start from,
`--set KEY=VALUE` changes one key of any of them (`threads.fork=4`: four of these threads). This
page is printed from the schema (`scripts/make_reference_workload.py`); `faultlock workloads --keys`
prints it too.

## A small one

    duration = "2s"

    [device]
    latency = "lognormal(1ms, 0.7)"

    [[files]]
    name = "libraries"
    size = "4GiB"

    [[mappings]]
    name = "data"
    file = "libraries"
    count = 8
    advice = "random"

    [[threads]]
    op = "touch"
    count = 8
    think = "exponential(1ms)"

    [[threads]]
    op = "fork"
    think = "10ms"

A thread does its operation again and again until the time is over; `think` is a sleep after it.
Several operations go into a list, which is done in order:

    [[threads]]
    name = "scanner"
    round_actor = "round"
    loop = [
      { op = "mmap", mapping = "own", which = "own" },
      { op = "touch", mapping = "own", access = "sequential", repeat = 4096 },
      { op = "munmap", mapping = "own", which = "own" },
    ]

## Units and times

Times: ns, us, ms, s, min. Sizes: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB, pages. Rates: a size and
`/s`. A distribution is `"10ms"` (always), `"uniform(0, 2ms)"`, `"exponential(1ms)"` (mean),
`"lognormal(1ms, 0.7)"` (median, sigma), or a measured histogram
`{ upper_bounds = ["128us", "256us"], counts = [3, 1] }`.

## Which page comes next

With n VMAs of p pages each and thread number t (over all groups, in the file's order):

| access | page |
| --- | --- |
| random | any page of any VMA: r from xorshift64, VMA r mod n, page (r >> 16) mod p |
| own | any page of VMA t mod n |
| sequential | VMA t mod n, from page (t div n) * (p div 64) on, one after another |
| herd | all threads the same page of VMA 0, the next one when one has it |
| zipf | rank by a Zipf distribution, ranks scattered over all pages of all VMAs |

`cached = 0.5` puts half of a file's blocks of 64 pages into the page cache before the start, chosen
by a hash of their number.

"""


def main() -> None:
    """Writes the page."""
    page = Path(__file__).resolve().parent.parent / "docs" / "reference-workload.md"
    page.write_text(INTRODUCTION + "\n".join(reference_lines()) + "\n")


if __name__ == "__main__":
    main()
