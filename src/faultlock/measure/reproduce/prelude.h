/* SPDX-License-Identifier: GPL-2.0-only */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define IO_MS 200		/* null_blk.completion_nsec=200000000 on the kernel's command line */
#define HANG_MS 5000

/* Shared between the processes of a reproducer. */
struct shared {
	volatile double fork_ms, mmap_ms, touch_ms;
	volatile int done, failed;
};

static struct shared *shared;
static int device = -1;
static off_t next_cold;

static void fail(const char *what)
{
	printf("ERROR %s: %s\n", what, strerror(errno));
	fflush(stdout);
	if (shared)
		shared->failed = 1;
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	_exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* Pages of the device that nobody has read: each call gets others. MADV_NORMAL reads ahead. */
__attribute__((unused)) static char *cold_pages(size_t n, int advice)
{
	char *p;

	if (device < 0)
		device = open("/dev/nullb0", O_RDWR);
	p = mmap(NULL, n * PAGE, PROT_READ, MAP_PRIVATE, device, next_cold);
	if (device < 0 || p == MAP_FAILED)
		fail("/dev/nullb0 (needs CONFIG_BLK_DEV_NULL_BLK)");
	next_cold += n * PAGE + (64 << 20);
	madvise(p, n * PAGE, advice);
	return p;
}

__attribute__((unused)) static void *touch(void *page)
{
	(void)*(volatile char *)page;
	return NULL;
}

__attribute__((unused)) static pthread_t start(void *(*function)(void *), void *argument)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, function, argument);
	if (errno)
		fail("pthread_create");
	return thread;
}

/* Milliseconds until `child` has ended; HANG_MS when it did not end by then. */
__attribute__((unused)) static double wait_for(pid_t child)
{
	double begin = now_ms();

	while (!waitpid(child, NULL, WNOHANG)) {
		if (now_ms() - begin > HANG_MS)
			return HANG_MS;
		sleep_ms(1);
	}
	return now_ms() - begin;
}

static void verdict(int seen, const char *what)
{
	if (shared->failed)	/* a process of it ended early: nothing was seen */
		return;
	printf("%s %s\n", seen ? "CONFIRMED" : "NOT-SEEN", what);
	fflush(stdout);
}

static void reproduce(void);

/* Runs as init of a guest, or as root on a test machine that has /dev/nullb0. */
int main(void)
{
	int is_init = getpid() == 1;

	if (is_init) {
		mkdir("/proc", 0755);
		mkdir("/dev", 0755);
		mkdir("/mnt", 0755);
		mount("proc", "/proc", "proc", 0, NULL);
		mount("dev", "/dev", "devtmpfs", 0, NULL);
	}
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	printf("\nREPRODUCER\n");
	reproduce();
	printf("FINISHED\n");
	fflush(stdout);
	if (is_init)
		reboot(RB_POWER_OFF);
	return 0;
}
