// SPDX-License-Identifier: GPL-2.0-only
#include "prelude.h"
/*
 * T1 reads a cold page. T2 changes the protection of T1's VMA (munmap, mremap, mlock and madvise of
 * it behave alike): it owns mmap_lock and must write-lock that VMA. The main thread reads
 * /proc/self/maps, which needs mmap_lock too in older kernels. Does T2 wait for T1's I/O?
 */
static void *changer(void *page)
{
	double begin;

	sleep_ms(IO_MS / 10);
	begin = now_ms();
	if (mprotect(page, 32 * PAGE, PROT_READ | PROT_EXEC))
		fail("mprotect");
	shared->mmap_ms = now_ms() - begin;
	return NULL;
}

static void reproduce(void)
{
	char *page = cold_pages(32, MADV_RANDOM), maps[64];
	/* T2 first: pthread_create maps a stack. */
	pthread_t t2 = start(changer, page), t1 = start(touch, page);
	double begin;
	int fd;

	sleep_ms(IO_MS / 5);
	begin = now_ms();
	fd = open("/proc/self/maps", O_RDONLY);
	if (read(fd, maps, sizeof(maps)) < 0)
		fail("/proc/self/maps");
	shared->touch_ms = now_ms() - begin;
	pthread_join(t1, NULL);
	pthread_join(t2, NULL);
	printf("mprotect took %.1f ms, reading /proc/self/maps behind it %.1f ms; the I/O takes %d ms\n",
	       shared->mmap_ms, shared->touch_ms, IO_MS);
	verdict(shared->mmap_ms > IO_MS / 2, "mprotect waits for the I/O of another thread's fault");
}
