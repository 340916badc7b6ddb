// SPDX-License-Identifier: GPL-2.0-only
/*
 * Black-box facts about a kernel: what waits for a fault that waits for I/O.
 *
 * As /init of a guest: makes null_blk devices whose latency is the kernel parameter probe_latency_ns.
 * As an ordinary process: probe LATENCY_NS FILE, where reads of FILE take that long.
 *
 * Every fact is found in a process of its own: one thread does something to cold pages, WAIT_MS later
 * the main thread does the operation and is timed. Output: FACT name operation_ms rest_ms [1 = hangs].
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include "../driver/guest.h"

#define RANGE_PAGES 256
#define RANGE (RANGE_PAGES * PAGE)
#define WAIT_MS 20
#define HANG_LIMIT_MS 5000
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

static int file, second_file = -1, pipe_ends[2];
static off_t next_offset;
static long latency_ns;
static const char *const vmstat_names[] = { "vma_lock_retry", NULL };

static void sleep_ms(long ms)
{
	sleep_ns(ms * 1000000ull);
}

static double since_ms(uint64_t start_ns)
{
	return (now_ns() - start_ns) / 1e6;
}

static void fact(const char *name, double operation_ms, double rest_ms, int hangs)
{
	printf("FACT %s %.3f %.3f %d\n", name, operation_ms, rest_ms, hangs);
	fflush(stdout);
}

/* A private mapping of pages nobody has read yet; far from all others, so no readahead reaches it. */
static char *cold_pages(int fd, size_t size, int protection, int advice)
{
	char *p = mmap(NULL, size, protection, MAP_PRIVATE, fd, next_offset);

	if (p == MAP_FAILED)
		die("mmap", strerror(errno));
	next_offset += size + (64 << 20);
	madvise(p, size, advice);
	return p;
}

static void *user_fault(void *page)
{
	(void)*(volatile char *)page;
	return NULL;
}

static void *kernel_mode_fault(void *page)
{
	char c;

	if (write(pipe_ends[1], page, 1) != 1 || read(pipe_ends[0], &c, 1) != 1)
		die("pipe", strerror(errno));
	return NULL;
}

static void *populate(void *unused)
{
	(void)unused;
	mmap(NULL, RANGE, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, next_offset);
	return NULL;
}

static void *populate_read(void *pages)
{
	madvise(pages, RANGE, MADV_POPULATE_READ);
	return NULL;
}

static void *willneed(void *pages)
{
	madvise(pages, RANGE, MADV_WILLNEED);
	return NULL;
}

static const struct { const char *name; void *(*start)(void *); int advice; } besides[] = {
	{ "user_fault_random", user_fault, MADV_RANDOM },
	{ "user_fault_readahead", user_fault, MADV_NORMAL },
	{ "kernel_mode_fault", kernel_mode_fault, MADV_NORMAL },
	{ "populate_256", populate, MADV_NORMAL },
	{ "populate_read_256", populate_read, MADV_NORMAL },
	{ "willneed_256", willneed, MADV_NORMAL },
};

static void op_mmap(char *pages)
{
	void *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)pages;
	munmap(p, 65536);
}

static void op_fork(char *pages)
{
	(void)pages;
	if (!fork())
		_exit(0);
}

static void op_mprotect(char *pages)
{
	mprotect(pages, RANGE, PROT_READ | PROT_EXEC);
}

static void read_all(const char *path)
{
	char buffer[4096];
	int fd = open(path, O_RDONLY);

	while (fd >= 0 && read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
}

static void op_maps(char *pages) { (void)pages; read_all("/proc/self/maps"); }
static void op_smaps(char *pages) { (void)pages; read_all("/proc/self/smaps_rollup"); }
static void op_cmdline(char *pages) { (void)pages; read_all("/proc/self/cmdline"); }

static void op_first_touch(char *pages)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)pages;
	*(volatile char *)p = 1;
}

static const struct { const char *name; void (*run)(char *); } operations[] = {
	{ "mmap_munmap", op_mmap }, { "fork", op_fork }, { "mprotect_same_vma", op_mprotect },
	{ "read_maps", op_maps }, { "read_smaps_rollup", op_smaps },
	{ "anon_first_touch", op_first_touch }, { "read_cmdline", op_cmdline },
};

#define N(array) (sizeof(array) / sizeof(*(array)))

static void one_pair(int beside, int operation)
{
	char *pages = cold_pages(file, RANGE, PROT_READ, besides[beside].advice), name[96];
	double operation_ms;
	pthread_t thread;
	uint64_t start;

	pthread_create(&thread, NULL, besides[beside].start, pages);
	sleep_ms(WAIT_MS);
	start = now_ns();
	operations[operation].run(pages);
	operation_ms = since_ms(start);
	start = now_ns();
	pthread_join(thread, NULL);
	snprintf(name, sizeof(name), "%s_beside_%s", operations[operation].name, besides[beside].name);
	fact(name, operation_ms, since_ms(start), 0);
}

static long vma_lock_retries(void)
{
	long value[1];

	vmstat_read(vmstat_names, value);
	return value[0];
}

/*
 * Does the redo of a fault need mmap_lock? mprotect of a locked private page to writable reads it from
 * the file while it holds mmap_lock for writing. It starts half a latency after the fault and so ends
 * half a latency after the fault's I/O: only a redo under mmap_lock waits for it.
 */
static void *timed_fault(void *page)
{
	static double ms;
	uint64_t start = now_ns();

	user_fault(page);
	ms = since_ms(start);
	return &ms;
}

static void redo_beside_writer(void)
{
	char *locked = cold_pages(file, PAGE, PROT_NONE, MADV_RANDOM);
	char *pages = cold_pages(file, RANGE, PROT_READ, MADV_RANDOM);
	uint64_t start;
	pthread_t thread;
	void *fault_ms;

	(void)!mlock(locked, PAGE);	/* cannot read it yet, but stays marked as locked */
	pthread_create(&thread, NULL, timed_fault, pages);
	sleep_ns(latency_ns / 2);
	start = now_ns();
	if (mprotect(locked, PAGE, PROT_READ | PROT_WRITE))
		die("mprotect", strerror(errno));
	start = now_ns() - start;
	pthread_join(thread, &fault_ms);
	fact("user_fault_beside_mmap_lock_writer", *(double *)fault_ms, start / 1e6, 0);
}

static void retries_of_fault(void)
{
	char *page = cold_pages(file, RANGE, PROT_READ, MADV_RANDOM);
	long before = vma_lock_retries();

	if (before < 0)
		return;		/* a kernel without CONFIG_PER_VMA_LOCK_STATS: no such fact */
	user_fault(page);
	fact("vma_lock_retries_of_user_fault", vma_lock_retries() - before, 0, 0);
}

/*
 * How many pages does one cold fault with readahead map? A fault that dropped its lock is done again, and
 * the second time fault-around maps the neighbours that were read with it; a fault that kept its lock
 * maps the one page (one folio in newer kernels).
 */
static void pages_mapped_by_fault(void)
{
	char *pages = cold_pages(file, RANGE, PROT_READ, MADV_NORMAL);
	uint64_t entries[RANGE_PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY), mapped = 0;

	user_fault(pages + RANGE / 2);
	if (pread(fd, entries, sizeof(entries), (uintptr_t)pages / PAGE * 8) != sizeof(entries))
		return;		/* a kernel without CONFIG_PROC_PAGE_MONITOR: no such fact */
	for (int i = 0; i < RANGE_PAGES; i++)
		mapped += entries[i] >> 63;
	fact("pages_mapped_by_user_fault", mapped, 0, 0);
}

static pid_t start_toucher(char *page)
{
	pid_t child = fork();

	if (!child) {
		user_fault(page);
		_exit(0);
	}
	return child;
}

/* Milliseconds until `child` is gone, or -1 when it is not after HANG_LIMIT_MS. */
static double wait_for(pid_t child)
{
	uint64_t start = now_ns();

	while (!waitpid(child, NULL, WNOHANG)) {
		if (since_ms(start) > HANG_LIMIT_MS)
			return -1;
		sleep_ns(20000);
	}
	return since_ms(start);
}

static void kill_while_reading(const char *name, int advice)
{
	pid_t child = start_toucher(cold_pages(file, RANGE, PROT_READ, advice));
	double ms;

	sleep_ms(WAIT_MS);
	kill(child, SIGKILL);
	ms = wait_for(child);
	fact(name, ms < 0 ? HANG_LIMIT_MS : ms, 0, ms < 0);
}

/* Two processes wait for one page, the second one is killed; then the file's invalidate_lock is taken. */
static void kill_second_waiter(void)
{
	int fd = second_file >= 0 ? second_file : file;
	uint64_t range[2] = { 1ull << 30, PAGE };
	char *page = cold_pages(fd, RANGE, PROT_READ, MADV_NORMAL);
	pid_t first = start_toucher(page), second, zeroer;
	double ms;

	sleep_ms(WAIT_MS / 2);
	second = start_toucher(page);
	sleep_ms(WAIT_MS / 2);
	kill(second, SIGKILL);
	ms = wait_for(second);
	fact("kill_of_second_waiter", ms < 0 ? HANG_LIMIT_MS : ms, 0, ms < 0);
	wait_for(first);
	if (second_file < 0)
		return;		/* FUSE takes no invalidate_lock for truncate: nothing to see on a host */
	zeroer = fork();
	if (!zeroer) {
		ioctl(fd, BLKZEROOUT, range);
		_exit(0);
	}
	ms = wait_for(zeroer);
	fact("zeroout_after_kill", ms < 0 ? HANG_LIMIT_MS : ms, 0, ms < 0);
}

/* Runs one fact in a fresh process; offsets already used are not used again. */
#define IN_CHILD(call)                                          \
	do {                                                    \
		pid_t child = fork();                           \
		if (!child) {                                   \
			call;                                   \
			_exit(0);                               \
		}                                               \
		waitpid(child, NULL, 0);                        \
		next_offset += 512l << 20;                      \
	} while (0)

static void probe_all(void)
{
	if (pipe(pipe_ends))
		die("pipe", strerror(errno));
	for (size_t i = 0; i < N(besides); i++)
		for (size_t k = 0; k < N(operations); k++)
			IN_CHILD(one_pair(i, k));
	IN_CHILD(redo_beside_writer());
	IN_CHILD(retries_of_fault());
	IN_CHILD(pages_mapped_by_fault());
	IN_CHILD(kill_while_reading("kill_during_random_miss", MADV_RANDOM));
	IN_CHILD(kill_while_reading("kill_during_readahead_miss", MADV_NORMAL));
	IN_CHILD(kill_second_waiter());
	printf("FINISHED\n");
	fflush(stdout);
}

static int guest_device(int number)
{
	struct device d = { .latency_ns = latency_ns, .queue_depth = 128, .submit_queues = 2,
			    .size_mib = 65536 };
	struct device none = { 0 };
	int fd;

	make_device(number, &d, &none);
	fd = open(d.name, O_RDWR);
	if (fd < 0)
		die(d.name, strerror(errno));
	return fd;
}

static long parameter(const char *name)
{
	char line[2048] = "", *place;
	int fd = open("/proc/cmdline", O_RDONLY);

	if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0 || !(place = strstr(line, name)))
		die("kernel parameter", name);
	close(fd);
	return atol(place + strlen(name));
}

int main(int argc, char **argv)
{
	struct utsname kernel;

	uname(&kernel);
	printf("\nKERNEL %s\n", kernel.release);
	fflush(stdout);
	if (getpid() == 1) {
		mount_all();
		latency_ns = parameter("probe_latency_ns=");
		file = guest_device(0);
		second_file = guest_device(1);
		probe_all();
		reboot(RB_POWER_OFF);
	}
	if (argc != 3)
		die("usage", "probe LATENCY_NS FILE");
	latency_ns = atol(argv[1]);
	file = open(argv[2], O_RDWR);
	if (file < 0)
		die(argv[2], strerror(errno));
	probe_all();
	return 0;
}
