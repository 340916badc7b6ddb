// SPDX-License-Identifier: GPL-2.0-only
#include "prelude.h"
/*
 * A task is killed while it waits for its page. How long until it is gone? Once with readahead (the
 * usual miss), once without.
 */
static double kill_while_reading(int advice)
{
	char *page = cold_pages(32, advice);
	pid_t child = fork();

	if (!child)
		_exit((touch(page), 0));
	sleep_ms(IO_MS / 10);
	kill(child, SIGKILL);
	return wait_for(child);
}

static void reproduce(void)
{
	double readahead_ms = kill_while_reading(MADV_NORMAL);
	double random_ms = kill_while_reading(MADV_RANDOM);

	printf("gone after SIGKILL: %.1f ms with readahead, %.1f ms without; %d ms of the I/O were left\n",
	       readahead_ms, random_ms, IO_MS - IO_MS / 10);
	verdict(readahead_ms > IO_MS / 2 || random_ms > IO_MS / 2,
		"a killed task stays until its I/O is done");
}
