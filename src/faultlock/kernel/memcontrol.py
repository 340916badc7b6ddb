# SPDX-License-Identifier: GPL-2.0-only
"""A memory cgroup with limits: charging, memory.max, memory.high (mm/memcontrol.c).

MEMCG 1: every page of the page cache and every private page is charged to one cgroup that all
threads belong to.  Above memory.max the charging thread reclaims before it gets the page; above
memory.high it gets the page, reclaims later and may have to sleep: once it owes more than one
batch, in the middle of the allocation (whatever locks it holds), else when it returns to user mode.
"""

MEMCG: Param = 0  # 1: pages are charged to a memory cgroup with limits (simulator)
MEMCG_HIGH_PAGES: Param = 0  # memory.high
MEMCG_MAX_PAGES: Param = 0  # memory.max
N_CPUS: Param = 1  # each keeps charged pages in stock

MEMCG_CHARGE_BATCH = 64
MEMCG_DELAY_PRECISION_SHIFT = 20
MEMCG_DELAY_SCALING_SHIFT = 14
HZ = 250
MEMCG_MAX_HIGH_DELAY_JIFFIES = 2 * HZ
PageCount = Range[0, MEMCG * ((1 << 31) - 1)]


class mem_cgroup(Struct, count=1):
    """The cgroup (kernel: struct mem_cgroup, and memcg_stock of each CPU)."""

    memory: PageCount  # page_counter: charged, those in stock included
    stock: Array[N_CPUS, Range[0, MEMCG * 2 * MEMCG_CHARGE_BATCH]]


# ---- charging ---------------------------------------------------------------------------------------


@atomic
def consume_stock(cpu_number: int, nr: int) -> bool:
    """Take nr pages that this CPU has charged in advance.

    Source: consume_stock, mm/memcontrol.c, 6.12
    Context: any
    Returns: True if there were enough
    Left out: other cgroups that use the same CPU
    """
    if mem_cgroup.stock[cpu_number] < nr:
        return False
    mem_cgroup.stock[cpu_number] -= nr
    return True


@atomic
def refill_stock(cpu_number: int, nr: int):
    """Keep nr charged pages for later; more than a batch is given back, all of it.

    Source: refill_stock, drain_stock, mm/memcontrol.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    pages: int = mem_cgroup.stock[cpu_number] + nr
    if pages > MEMCG_CHARGE_BATCH:
        mem_cgroup.memory -= pages
        pages = 0
    mem_cgroup.stock[cpu_number] = pages


@atomic
def drain_all_stock():
    """Give back what the CPUs have in stock.

    Source: drain_all_stock, mm/memcontrol.c, 6.12
    Context: reclaim was not enough
    Returns: nothing
    Left out: the work items that do it on other CPUs, some time later
    """
    for cpu_number in range(0, N_CPUS):
        mem_cgroup.memory -= mem_cgroup.stock[cpu_number]
        mem_cgroup.stock[cpu_number] = 0


@atomic
def page_counter_try_charge(nr: int) -> bool:
    """Charge nr pages unless that exceeds memory.max.

    Source: page_counter_try_charge, mm/page_counter.c, 6.12
    Context: any
    Returns: True if charged
    Left out: the hierarchy; the moment in which a charge that fails stands in the counter
    """
    if mem_cgroup.memory + nr > MEMCG_MAX_PAGES:
        return False
    mem_cgroup.memory += nr
    return True


@atomic
def page_counter_charge(nr: int):
    """Charge nr pages, limit or not: they are there already.

    Source: page_counter_charge, mm/page_counter.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    if MEMCG == 1:
        mem_cgroup.memory += nr


@atomic
def page_counter_uncharge(nr: int):
    """Pages were freed.

    Source: uncharge_batch, mm/memcontrol.c, 6.12
    Context: any
    Returns: nothing
    Left out: batches (a page that is freed alone and 32 together come out the same)
    """
    if MEMCG == 1:
        mem_cgroup.memory -= min(nr, mem_cgroup.memory)


@atomic
def note_pages_over_high(batch: int):
    """Above memory.high the thread owes what it charged.

    Source: done_restock in try_charge_memcg, mm/memcontrol.c, 6.12
    Context: batch pages were charged
    Returns: nothing
    Left out: swap.high; charges from interrupts
    """
    if mem_cgroup.memory > MEMCG_HIGH_PAGES:
        current.memcg_nr_pages_over_high += batch


def try_charge_memcg(nr: int, no_retry: bool) -> bool:
    """Charge nr pages, reclaiming when memory.max is reached.

    Source: try_charge_memcg, mm/memcontrol.c, 6.12
    Context: sleeps in reclaim and for memory.high, whatever locks are held
    Returns: True if charged
    Left out: the OOM killer; threads that are OOM victims
    """
    batch = max(MEMCG_CHARGE_BATCH, nr)
    retries = MAX_RECLAIM_RETRIES
    drained = False
    while True:
        cpu_number = choose(0, N_CPUS, "smp_processor_id")
        if consume_stock(cpu_number, nr):
            return True
        if page_counter_try_charge(batch):
            break
        if batch > nr:
            batch = nr
            continue
        emit("MEMCG_MAX")
        reclaimed = try_to_free_mem_cgroup_pages(nr)
        if mem_cgroup.memory + nr <= MEMCG_MAX_PAGES:
            continue
        if not drained:
            drain_all_stock()
            drained = True
            continue
        if no_retry:
            return False
        if reclaimed == 0:
            if retries == 0:
                return False
            retries -= 1
    if batch > nr:
        refill_stock(cpu_number, batch - nr)
    note_pages_over_high(batch)
    if current.memcg_nr_pages_over_high > MEMCG_CHARGE_BATCH:
        mem_cgroup_handle_over_high()
    return True


# ---- memory.high ------------------------------------------------------------------------------------


def reclaim_high(nr: int) -> int:
    """Reclaim nr pages (32 at least) if there are more than memory.high.

    Source: reclaim_high, mm/memcontrol.c, 6.12
    Context: sleeps, whatever locks are held
    Returns: pages freed
    Left out: the hierarchy
    """
    usage: int = mem_cgroup.memory
    if usage <= MEMCG_HIGH_PAGES:
        return 0
    emit("MEMCG_HIGH")
    return try_to_free_mem_cgroup_pages(nr)


@atomic
def calculate_high_delay(nr: int) -> int:
    """How long a thread that charged nr pages has to sleep: with the square of the excess.

    Source: calculate_high_delay, calculate_overage, mm/memcontrol.c, 6.12
    Context: any
    Returns: jiffies, two seconds at most
    Left out: swap.high
    """
    usage: int = mem_cgroup.memory
    if usage <= MEMCG_HIGH_PAGES:
        return 0
    overage = ((usage - MEMCG_HIGH_PAGES) << MEMCG_DELAY_PRECISION_SHIFT) // MEMCG_HIGH_PAGES
    penalty = overage * overage * HZ >> MEMCG_DELAY_PRECISION_SHIFT
    penalty = (penalty >> MEMCG_DELAY_SCALING_SHIFT) * nr // MEMCG_CHARGE_BATCH
    return min(penalty, MEMCG_MAX_HIGH_DELAY_JIFFIES)


def mem_cgroup_handle_over_high():
    """Pay for pages above memory.high: reclaim, and sleep if that does not help.

    Source: mem_cgroup_handle_over_high, mm/memcontrol.c, 6.12
    Context: on the way back to user mode, or in an allocation, whatever locks are held
    Returns: nothing
    Left out: a fatal signal does not end the sleep
    """
    nr: int = current.memcg_nr_pages_over_high
    if nr == 0:
        return
    current.memcg_nr_pages_over_high = 0
    wanted: int = nr
    retries = MAX_RECLAIM_RETRIES
    while not current.fatal_signal_pending:
        reclaimed = reclaim_high(wanted)
        penalty_jiffies = calculate_high_delay(nr)
        if penalty_jiffies <= HZ // 100:
            return
        if reclaimed == 0:
            if retries == 0:
                emit("MEMCG_THROTTLE")
                sleep(penalty_jiffies * (1000000 // HZ))
                return
            retries -= 1
        wanted = SWAP_CLUSTER_MAX


@atomic
def memory_is_over_high() -> bool:
    """Does current owe anything when it returns to user mode?

    Source: resume_user_mode_work, include/linux/resume_user_mode.h, 6.12
    Context: on the way back to user mode
    Returns: True if so
    Left out: nothing
    """
    return MEMCG == 1 and current.memcg_nr_pages_over_high > 0
