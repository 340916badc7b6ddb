// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs compiled workloads on the kernel it is started on and prints their results as JSON.
 *
 * As an ordinary process:  driver WORKLOAD...
 * As /init of a guest:     the workloads are /workload.0, /workload.1 ...; powers off at the end.
 *
 * Every process of a workload is a child of its own, so each starts with a fresh address space.
 * Output lines: READY, RESULT {json} per process, ERROR text, DONE.
 */
#define _GNU_SOURCE
#include <alloca.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include "guest.h"
#include "report.h"

#define SETUP_LIMIT_NS 60000000000ull

static int in_guest;	/* we are init: the whole machine is ours */

struct child {
	pid_t pid;
	int orders;	/* write end of its pipe: the process ids, then 'g' go, 'p' print */
};

static void await_order(int orders, char wanted)
{
	char order = 0;

	if (read(orders, &order, 1) != 1 || order != wanted)
		_exit(4);
}

/* The whole life of one process of the workload. */
static void process_main(int number, int orders, int ready)
{
	struct process p = { .number = number };
	long before[N_VMSTAT], after[N_VMSTAT];
	struct timespec duration = { workload->duration_ns / 1000000000ull,
				     workload->duration_ns % 1000000000ull };
	size_t ids_size = workload->n_processes * sizeof(*process_ids);
	size_t memory_size;
	double seconds;
	uint64_t start;
	char *memory;

	if (!in_guest)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(orders, process_ids, ids_size) != (ssize_t)ids_size)
		_exit(4);
	if (in_guest)
		join_limit(workload);
	open_files();
	map_all(number);
	if (number == 0) {
		open_switches();
		if (in_guest)
			write_text("/proc/sys/vm/drop_caches", "1\n");
		for (int i = 0; i < workload->n_files; i++)
			if (workload->files[i].cached > 0)
				fill_cache(&workload->files[i]);
	}
	/*
	 * The threads' states lie together on the main thread's stack, at least 48 KiB of it, as in the
	 * driver of the shipped measurements: how many pages must be copied again after each fork, and
	 * in which VMA they are, decides in which rhythm threads meet.
	 */
	memory_size = threads_size(number) > 49152 ? threads_size(number) : 49152;
	memory = alloca(memory_size);
	memset(memory, 0, memory_size);
	start_threads(&p, memory, memory + memory_size);
	if (workload->n_processes > 1) {
		if (write(ready, "r", 1) != 1)
			_exit(4);
		await_order(orders, 'g');
	}
	vmstat_read(vmstat_names, before);
	switch_all("1");
	start = now_ns();
	go = 1;
	nanosleep(&duration, NULL);
	stop = 1;
	seconds = (now_ns() - start) / 1e9;
	switch_all("0");
	vmstat_read(vmstat_names, after);
	number = join_threads(&p);
	await_order(orders, 'p');
	print_result(&p, seconds, before, after, number);
	_exit(0);
}

static void start_children(struct child *children, int *ready)
{
	int n = workload->n_processes, pipes[2];

	if (pipe(ready))
		die("pipe", strerror(errno));
	process_ids = make(n, sizeof(*process_ids));
	for (int i = 0; i < n; i++) {
		if (pipe(pipes))
			die("pipe", strerror(errno));
		children[i].pid = fork();
		if (!children[i].pid)
			process_main(i, pipes[0], ready[1]);
		if (children[i].pid < 0)
			die("fork", strerror(errno));
		close(pipes[0]);
		children[i].orders = pipes[1];
		process_ids[i] = children[i].pid;
	}
	for (int i = 0; i < n; i++)
		if (write(children[i].orders, process_ids, n * sizeof(*process_ids)) < 0)
			die("pipe", strerror(errno));
}

/* Lets one child print, then waits for its end as long as the grace time allows. */
static void finish_child(int number, struct child *c)
{
	struct timespec duration = { workload->duration_ns / 1000000000ull,
				     workload->duration_ns % 1000000000ull };
	uint64_t until = now_ns() + workload->duration_ns + 2 * workload->grace_ns + SETUP_LIMIT_NS;
	int status = 0, gone;

	if (number == 0)	/* nothing of ours runs beside the workload */
		nanosleep(&duration, NULL);

	if (write(c->orders, "p", 1) != 1)
		status = 0;	/* it is gone already: waitpid says how */
	while (!(gone = waitpid(c->pid, &status, WNOHANG)) && now_ns() < until)
		usleep(10000);
	if (!gone)
		printf("\nHANGS %s\n", workload->process_names[number]);
	else if (WIFSIGNALED(status))
		printf("\nKILLED %s signal %d\n", workload->process_names[number], WTERMSIG(status));
	close(c->orders);
}

/* kept: the devices that exist already, in a guest; NULL outside of one */
static void run_workload(const char *path, struct device *kept)
{
	struct child *children;
	FILE *file;
	int ready[2];
	char c;

	workload = read_workload(path, &file);
	if (in_guest) {
		for (int i = 0; i < workload->n_devices; i++)
			make_device(i, &workload->devices[i], &kept[i]);
		name_devices(workload);
		limit_memory(workload);
	}
	printf("\nREADY %s\n", path);
	fflush(stdout);
	children = make(workload->n_processes, sizeof(*children));
	start_children(children, ready);
	if (workload->n_processes > 1) {
		for (int i = 0; i < workload->n_processes; i++)
			if (read(ready[0], &c, 1) != 1)
				die("a process of the workload", "did not start");
		for (int i = 0; i < workload->n_processes; i++)
			if (write(children[i].orders, "g", 1) != 1)
				die("a process of the workload", "ended before the start");
	}
	for (int i = 0; i < workload->n_processes; i++)
		finish_child(i, &children[i]);
	close(ready[0]);
	close(ready[1]);
	if (in_guest)
		remove_limit(workload);
	fclose(file);
	free_made();
	printf("\nDONE %s\n", path);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct device *kept;
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct utsname kernel;
	char path[64];

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	sigaction(SIGPIPE, &ignore, NULL);
	uname(&kernel);
	printf("\nKERNEL %s\n", kernel.release);
	if (getpid() != 1) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);	/* a killed command leaves nothing running */
		for (int i = 1; i < argc; i++)
			run_workload(argv[i], NULL);
		return argc > 1 ? 0 : 2;
	}
	in_guest = 1;
	mount_all();
	/*
	 * Not in a child: the depth of the process tree is in the cost of a fork, as each VMA that was
	 * inherited has one anon_vma for each process it came through. And one page of stack lies
	 * between init's frames and its child's.
	 */
	kept = alloca(PAGE);
	memset(kept, 0, PAGE);
	for (int i = 0; snprintf(path, sizeof(path), "/workload.%d", i), !access(path, R_OK); i++)
		run_workload(path, kept);
	printf("\nFINISHED\n");
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}
