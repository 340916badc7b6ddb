// SPDX-License-Identifier: GPL-2.0-only
#include "prelude.h"
/*
 * T1 reads a cold page. T2 forks: it owns mmap_lock and must write-lock T1's VMA. T3 maps memory, which
 * needs mmap_lock too. Do T2 and T3 wait for T1's I/O?
 */
static void *forker(void *unused)
{
	double begin = now_ms();
	pid_t child = fork();

	(void)unused;
	if (!child)
		_exit(0);
	shared->fork_ms = now_ms() - begin;
	waitpid(child, NULL, 0);
	return NULL;
}

static void reproduce(void)
{
	char *page = cold_pages(32, MADV_RANDOM);
	pthread_t t1 = start(touch, page), t2;
	double begin;
	void *p;

	sleep_ms(IO_MS / 10);
	t2 = start(forker, NULL);
	sleep_ms(IO_MS / 10);
	begin = now_ms();
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared->mmap_ms = now_ms() - begin;
	munmap(p, PAGE);
	pthread_join(t1, NULL);
	pthread_join(t2, NULL);
	printf("fork took %.1f ms, mmap in a third thread %.1f ms; the I/O takes %d ms\n", shared->fork_ms,
	       shared->mmap_ms, IO_MS);
	verdict(shared->fork_ms > IO_MS / 2, "fork waits for the I/O of another thread's fault");
}
