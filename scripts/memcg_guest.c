// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shipped workload memcg-guest on a kernel: threads map, scan and unmap a sparse file each, in a memory
 * cgroup with limits.  Prints what happened per second and per thousand touches.
 *
 *   truncate -s 8M fs.img && mkfs.ext4 -q -O ^has_journal -N 1024 -m 0 fs.img
 *   scripts/guest.py KERNEL scripts/memcg_guest.c --file fs.img:/fs.img --memory 1024 \
 *           --append 'THREADS=16 HIGH_KIB=32768 MAX_KIB=39322 READAHEAD_KIB=128 BEGIN_MS=1 MS=2000'
 *
 * memcg-thrash itself, on 8 CPUs (some minutes; an image of 64 MiB):
 *
 *   scripts/guest.py KERNEL scripts/memcg_guest.c --file fs.img:/fs.img --memory 2600 --cpus 8 --seconds 1500
 *           --append 'THREADS=500 HIGH_KIB=1048576 MAX_KIB=1257472 READAHEAD_KIB=2048 BEGIN_MS=10000 MS=60000'
 *
 * FSTYPE=xfs has large folios (mkfs.xfs wants 300 MiB; --memory 3400).  A kernel with vmstat_count.patch of
 * github.com/lianux-mm/ioretry_test counts the releases and the misses of a redo itself.  The shipped kernels
 * have 8 CPUs at most; one with CONFIG_NR_CPUS=256 boots with 240 (ten minutes).
 *
 * missed_again: a fault that was redone after a read counts as major for the process, found or not
 * (FAULT_FLAG_TRIED); pgmajfault counts every lookup that finds nothing. The difference are the second ones.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/loop.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 512
#define PAGES 4096L
#define TEXT 32768

static volatile struct { long touches, rounds; char pad[48]; } done[MAX_THREADS];

/* Parameters of the kernel's command line that it does not know are init's environment. */
static long parameter(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? atol(text) : otherwise;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("%s: cannot write %s\n", path, text);
	close(fd);
}

static void write_number(const char *path, long number, const char *unit)
{
	char text[40];

	snprintf(text, sizeof(text), "%ld%s", number, unit);
	write_file(path, text);
}

static char *read_file(const char *path)
{
	char *text = calloc(1, TEXT);
	int fd = open(path, O_RDONLY);
	int got, length = 0;

	while (text && (got = read(fd, text + length, TEXT - 1 - length)) > 0)
		length += got;
	close(fd);
	return text;
}

/* How much a counter of a file "name number\n..." grew. */
static long grown(const char *before, const char *after, const char *name)
{
	const char *texts[2] = { before, after };
	long found[2] = { 0, 0 };

	for (int i = 0; i < 2; i++)
		for (const char *line = texts[i]; line && *line; line = strchr(line, '\n'), line += !!line)
			if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ' ')
				found[i] = atol(line + strlen(name));
	return found[1] - found[0];
}

static void *scan(void *argument)
{
	long number = (long)argument;
	char *place = (char *)0x10000000000 + number * (PAGES * 4096), path[40];

	snprintf(path, sizeof(path), "/files/%ld", number);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	if (ftruncate(fd, PAGES * 4096))
		return NULL;
	for (;;) {
		char *map = mmap(place, PAGES * 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);

		if (map == MAP_FAILED)
			return NULL;
		for (long page = 0; page < PAGES; page++) {
			(void)*(volatile char *)(map + page * 4096);
			done[number].touches++;
		}
		munmap(map, PAGES * 4096);
		done[number].rounds++;
	}
}

static void prepare(void)
{
	static const char *folders[] = { "/proc", "/sys", "/files", "/group" };

	for (int i = 0; i < 4; i++)
		mkdir(folders[i], 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("group", "/group", "cgroup2", 0, NULL);
	if (ioctl(open("/dev/loop0", O_RDWR), LOOP_SET_FD, open("/fs.img", O_RDWR)))
		printf("no loop device\n");
	write_number("/sys/block/loop0/queue/read_ahead_kb", parameter("READAHEAD_KIB", 128), "");
	if (mount("/dev/loop0", "/files", getenv("FSTYPE") ? getenv("FSTYPE") : "ext4", 0, ""))
		printf("cannot mount /fs.img\n");
	write_file("/group/cgroup.subtree_control", "+memory");
	mkdir("/group/scan", 0755);
	write_number("/group/scan/memory.high", parameter("HIGH_KIB", 32768), "K");
	write_number("/group/scan/memory.max", parameter("MAX_KIB", 39322), "K");
	write_number("/group/scan/cgroup.procs", getpid(), "");
}

static long major_faults(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return used.ru_majflt;
}

static void report(char *texts[2][3], long majors, long touches, long rounds, double seconds)
{
	static const struct { int file; const char *name; } counters[] = {
		{ 0, "pgfault" }, { 0, "pgmajfault" }, { 0, "vma_lock_success" }, { 0, "vma_lock_retry" },
		{ 1, "pgscan_direct" }, { 1, "pgsteal_direct" }, { 1, "pgactivate" }, { 1, "pgdeactivate" },
		{ 1, "workingset_refault_file" }, { 1, "workingset_activate_file" },
		{ 2, "high" }, { 2, "max" }, { 0, "retry_mmap_drop" }, { 0, "retry_io_miss" },
	};

	long missed = grown(texts[0][0], texts[1][0], "pgmajfault") - majors;

	printf("\nmajor_faults %.2f\nmissed_again %.2f", 1e3 * majors / touches, 1e3 * missed / touches);
	printf("\ntouches_per_second %.0f\nrounds_per_second %.1f\n", touches / seconds, rounds / seconds);
	for (unsigned int i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		const char *name = counters[i].name;
		long n = grown(texts[0][counters[i].file], texts[1][counters[i].file], name);

		if (!strstr(texts[1][counters[i].file], name))
			continue;
		printf("%s%s %.2f\n", counters[i].file == 2 ? "memcg_" : "", name, 1e3 * n / touches);
	}
}

int main(void)
{
	static const char *files[] = { "/proc/vmstat", "/group/scan/memory.stat", "/group/scan/memory.events" };
	long threads = parameter("THREADS", 16), touches[2] = { 0, 0 }, rounds[2] = { 0, 0 }, majors[2];
	struct timespec at[2];
	char *texts[2][3];
	pthread_t thread;

	prepare();
	for (long i = 0; i < threads && i < MAX_THREADS; i++)
		pthread_create(&thread, NULL, scan, (void *)i);
	for (int end = 0; end < 2; end++) {
		usleep(1000 * (end ? parameter("MS", 2000) : parameter("BEGIN_MS", 1)));
		clock_gettime(CLOCK_MONOTONIC, &at[end]);
		for (long i = 0; i < MAX_THREADS; i++)
			touches[end] += done[i].touches, rounds[end] += done[i].rounds;
		majors[end] = major_faults();
		for (int i = 0; i < 3; i++)
			texts[end][i] = read_file(files[i]);
	}
	report(texts, majors[1] - majors[0], touches[1] - touches[0], rounds[1] - rounds[0],
	       at[1].tv_sec - at[0].tv_sec + (at[1].tv_nsec - at[0].tv_nsec) / 1e9);
	fflush(stdout);
	return reboot(RB_POWER_OFF);
}
