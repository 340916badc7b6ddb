// SPDX-License-Identifier: GPL-2.0-only
#include "prelude.h"
/*
 * T1 calls write(2) with a buffer in a cold file mapping: the kernel itself faults, under mmap_lock. T2
 * calls mmap, the main thread then reads /proc/self/maps. Do they wait for T1's I/O?
 */
static void *write_from(void *page)
{
	int ends[2];

	if (pipe(ends) || write(ends[1], page, 1) != 1)
		fail("pipe");
	return NULL;
}

static void *mapper(void *unused)
{
	double begin;
	void *p;

	(void)unused;
	sleep_ms(IO_MS / 10);
	begin = now_ms();
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared->mmap_ms = now_ms() - begin;
	munmap(p, PAGE);
	return NULL;
}

static void reproduce(void)
{
	char *page = cold_pages(32, MADV_NORMAL), maps[64];
	/* T2 first: pthread_create maps a stack and would itself wait for T1. */
	pthread_t t2 = start(mapper, NULL), t1 = start(write_from, page);
	double begin;
	int fd;

	sleep_ms(IO_MS / 5);
	begin = now_ms();
	fd = open("/proc/self/maps", O_RDONLY);	/* a reader of mmap_lock, behind the writer T2 */
	if (read(fd, maps, sizeof(maps)) < 0)
		fail("/proc/self/maps");
	shared->touch_ms = now_ms() - begin;
	pthread_join(t1, NULL);
	pthread_join(t2, NULL);
	printf("mmap took %.1f ms, reading /proc/self/maps behind it %.1f ms; the I/O takes %d ms\n",
	       shared->mmap_ms, shared->touch_ms, IO_MS);
	verdict(shared->mmap_ms > IO_MS / 2, "mmap waits for the I/O of another thread's kernel-mode fault");
}
