// SPDX-License-Identifier: GPL-2.0-only
#include "prelude.h"
#include "fuse.h"
/*
 * A process serves a FUSE file system and maps a file on it. F faults on the file in user mode, under the
 * VMA lock. G forks: it owns mmap_lock and waits for F's VMA. The server thread S maps memory before it
 * answers: it waits for G. F -> S -> G -> F: if F keeps its VMA lock over the I/O this is a deadlock.
 */
static void before_reply(void)
{
	void *p;

	sleep_ms(IO_MS / 2);	/* G forks meanwhile */
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(p, PAGE);
}

static void process(void)
{
	pthread_t f = start(touch, page_served_here());
	pid_t child;

	sleep_ms(IO_MS / 10);
	child = fork();
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	pthread_join(f, NULL);
}

static void reproduce(void)
{
	watch(process, "deadlock: fault -> server -> fork -> fault");
}
