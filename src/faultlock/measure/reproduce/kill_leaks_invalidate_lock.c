// SPDX-License-Identifier: GPL-2.0-only
#include "prelude.h"
/*
 * Two processes fault on one page that is being read. The second one waits for the folio with the file's
 * invalidate_lock held for reading; it is killed there. If it forgets the lock, the next one who wants
 * it for writing (truncate, hole punch, here BLKZEROOUT) waits for ever, and so does every later fault.
 */
static void reproduce(void)
{
	char *page = cold_pages(32, MADV_NORMAL);
	uint64_t range[2] = { 32ull << 30, PAGE };
	pid_t first, second, writer;
	double exit_ms, write_ms;

	first = fork();
	if (!first)
		_exit((touch(page), 0));
	sleep_ms(IO_MS / 10);
	second = fork();
	if (!second)
		_exit((touch(page), 0));
	sleep_ms(IO_MS / 10);
	kill(second, SIGKILL);
	exit_ms = wait_for(second);
	wait_for(first);

	writer = fork();
	if (!writer)
		_exit(ioctl(device, BLKZEROOUT, range) != 0);
	write_ms = wait_for(writer);
	printf("second waiter was gone %.1f ms after SIGKILL; BLKZEROOUT took %.1f ms%s\n", exit_ms, write_ms,
	       write_ms >= HANG_MS ? " and had not ended then" : "");
	verdict(write_ms >= HANG_MS, "the killed task left invalidate_lock held: BLKZEROOUT hangs");
}
