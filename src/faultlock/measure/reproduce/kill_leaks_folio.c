// SPDX-License-Identifier: GPL-2.0-only
#include "prelude.h"
/*
 * As a second waiter is killed while it waits for a folio, it must give back its reference. A folio with
 * a reference too many can never be dropped from the page cache: mincore() still finds it after
 * POSIX_FADV_DONTNEED.
 */
static int is_cached(char *page)
{
	unsigned char resident = 0;

	mincore(page, PAGE, &resident);
	return resident & 1;
}

static void reproduce(void)
{
	char *page = cold_pages(32, MADV_NORMAL);
	off_t offset = next_cold - (32 * PAGE + (64 << 20));
	pid_t first, second;
	int before, after;

	first = fork();
	if (!first)
		_exit((touch(page), 0));
	sleep_ms(IO_MS / 10);
	second = fork();
	if (!second)
		_exit((touch(page), 0));
	sleep_ms(IO_MS / 10);
	kill(second, SIGKILL);
	wait_for(second);
	wait_for(first);
	before = is_cached(page);
	posix_fadvise(device, offset, 32 * PAGE, POSIX_FADV_DONTNEED);
	after = is_cached(page);
	printf("page in the page cache: %d before, %d after POSIX_FADV_DONTNEED; nobody maps it\n", before, after);
	verdict(after, "the killed task left a folio reference: the page cannot be dropped");
}
