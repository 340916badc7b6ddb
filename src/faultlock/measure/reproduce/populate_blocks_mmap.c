// SPDX-License-Identifier: GPL-2.0-only
#include "prelude.h"
/*
 * T1 maps 256 cold pages with MAP_POPULATE: eight readahead windows, one after the other. T2 calls mmap.
 * Does it wait for one page's redo, or for all windows?
 */
static void *populate(void *unused)
{
	(void)unused;
	mmap(NULL, 256 * PAGE, PROT_READ, MAP_PRIVATE | MAP_POPULATE, device, next_cold);
	return NULL;
}

static void reproduce(void)
{
	pthread_t t1;
	double begin;
	void *p;

	cold_pages(1, MADV_NORMAL);	/* opens the device */
	t1 = start(populate, NULL);
	sleep_ms(IO_MS / 10);
	begin = now_ms();
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared->mmap_ms = now_ms() - begin;
	munmap(p, PAGE);
	pthread_join(t1, NULL);
	printf("mmap took %.1f ms beside MAP_POPULATE; one I/O takes %d ms\n", shared->mmap_ms, IO_MS);
	verdict(shared->mmap_ms > IO_MS / 2, "mmap waits until a whole range is populated");
}
