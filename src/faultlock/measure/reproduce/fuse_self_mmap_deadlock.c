// SPDX-License-Identifier: GPL-2.0-only
#include "prelude.h"
#include "fuse.h"
/*
 * A process serves a FUSE file system and maps a file on it. F faults on the file in kernel mode (a
 * write(2) from the mapping), so it holds mmap_lock; the server thread S maps memory before it answers.
 * F waits for S, S waits for F: if F keeps mmap_lock over the I/O this is a deadlock.
 */
static void before_reply(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(p, PAGE);
}

static void process(void)
{
	char *page = page_served_here();
	int ends[2];

	if (pipe(ends) || write(ends[1], page, 1) != 1)
		fail("pipe");
}

static void reproduce(void)
{
	watch(process, "deadlock: the fault holds mmap_lock and waits for a server that needs it");
}
