/* SPDX-License-Identifier: GPL-2.0-only */
/* One process of the workload: maps, starts its threads, waits, reports. */
#ifndef RUN_H
#define RUN_H

#include <pthread.h>
#include <sched.h>
#include "operations.h"

#define CACHED_BLOCK_PAGES 64

static atomic_int go, stop;
static const char *const vmstat_names[] = {
	"pgfault", "pgmajfault", "vma_lock_success", "vma_lock_abort", "vma_lock_retry",
	"vma_lock_miss", "pgpgin", NULL
};
#define N_VMSTAT (sizeof(vmstat_names) / sizeof(*vmstat_names))

struct process {
	int number, n_threads;
	struct thread **threads;
	pthread_t *handles;
};

/* Files of tracefs that count events of the kernel while they hold 1 (measure/trace_counters.py). */
#define MAX_SWITCHES 16
static int switches[MAX_SWITCHES], n_switches;

static void open_switches(void)
{
	char *list = getenv("FAULTLOCK_TRACE_SWITCHES"), *rest = NULL;

	for (char *path = list ? strtok_r(list, ":", &rest) : NULL; path; path = strtok_r(NULL, ":", &rest)) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd >= 0 && n_switches < MAX_SWITCHES)
			switches[n_switches++] = fd;
	}
}

static void switch_all(const char *state)
{
	for (int i = 0; i < n_switches; i++)
		if (write(switches[i], state, 1) != 1)
			die("tracefs", strerror(errno));
}

static uint64_t file_operation(struct operation *o, struct state *s, struct thread *t)
{
	struct file *f = &workload->files[o->file];
	size_t size = o->pages * PAGE, windows = f->pages / o->pages;
	off_t first = (off_t)f->offset_pages * PAGE, whole = (off_t)f->pages * PAGE;
	off_t place = first + (off_t)((t->id + s->next++) % windows * size);
	uint64_t range[2] = { o->kind == TRUNCATE ? first + whole - size : (uint64_t)place, size };
	uint64_t start = now_ns();
	int result;

	if (o->kind == READ_FILE)
		result = pread(f->fd, s->constants->area, size, place) < 0;
	else if (f->is_device)	/* a block device cannot be cut: its pages are removed and zeroed */
		result = ioctl(f->fd, BLKZEROOUT, range);
	else if (o->kind == TRUNCATE)
		result = ftruncate(f->fd, whole - size) || ftruncate(f->fd, whole);
	else
		result = fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, place, size);
	return result ? FAILED : record(o, s, now_ns() - start);
}

static uint64_t compute(uint64_t ns)
{
	uint64_t start = now_ns();
	struct timespec t;
	uint64_t until;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	until = t.tv_sec * 1000000000ull + t.tv_nsec + ns;
	while (t.tv_sec * 1000000000ull + t.tv_nsec < until && !stop)
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return now_ns() - start;
}

static uint64_t perform(struct operation *o, struct state *s, struct thread *t)
{
	uint64_t start;

	switch (o->kind) {
	case TOUCH: return touch(o, s, t);
	case KERNEL_MODE_FAULT: return kernel_mode_fault(o, s, t);
	case ANON_TOUCH: return anon_touch(o, s);
	case FORK: return do_fork(o, s);
	case MMAP_MUNMAP: return mmap_munmap(o, s);
	case MMAP: case MUNMAP: return map_operation(o, s, t);
	case MPROTECT: case MADVISE: return change_operation(o, s, t);
	case POPULATE: case POPULATE_READ: case WILLNEED: case MLOCK: return range_operation(o, s, t);
	case GUP: return gup(o, s, t);
	case READ_PROC: return read_proc(o, s);
	case READ_FILE: case TRUNCATE: case PUNCH_HOLE: return file_operation(o, s, t);
	case COMPUTE: return record(o, s, compute(draw_ns(&o->time, &t->seed)));
	case SLEEP:
		start = now_ns();
		sleep_ns(draw_ns(&o->time, &t->seed));
		return record(o, s, now_ns() - start);
	case KILL:
		start = now_ns();
		if (kill(process_ids[o->target], SIGKILL))
			return FAILED;
		return record(o, s, now_ns() - start);
	default: return NOT_DONE;
	}
}

static void prepare(struct operation *o, struct constants *s)
{
	size_t size = o->pages * PAGE;

	if (o->kind == ANON_TOUCH || o->kind == READ_FILE) {
		s->area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (s->area == MAP_FAILED)
			die("mmap of private memory", strerror(errno));
	}
	if (o->kind == KERNEL_MODE_FAULT && pipe(s->pipe))
		die("pipe", strerror(errno));
	if (o->kind == GUP && o->locked && (s->pipe[0] = open("/proc/self/mem", O_RDONLY)) < 0)
		die("/proc/self/mem", strerror(errno));
}

static void one_operation(struct operation *o, struct state *s, struct thread *t)
{
	uint64_t ns = perform(o, s, t);

	if (ns >= FAILED) {
		s->constants->failures += ns == FAILED;
		sched_yield();
	}
	if (!is_zero(&o->think))
		sleep_ns(draw_ns(&o->think, &t->seed));
}

static void *thread_main(void *argument)
{
	struct thread *t = argument;
	struct group *g = &workload->groups[t->group_number];
	int named = g->round_actor[0] != 0;

	for (int i = 0; i < g->n_operations; i++)
		prepare(&g->operations[i], t->states[i].constants);
	while (!go)
		sched_yield();
	sleep_ns(draw_ns(&g->start_after, &t->seed));
	for (long round = 0; !stop && (!g->rounds || round < g->rounds); round++) {
		uint64_t start = named ? now_ns() : 0;

		for (int i = 0; i < g->n_operations; i++)
			for (long n = g->operations[i].repeat; n && !stop; n--)
				one_operation(&g->operations[i], &t->states[i], t);
		if (named && !stop)
			samples_add(&t->states[g->n_operations].samples, now_ns() - start);
	}
	return NULL;
}

/* Puts the wanted share of a file into the page cache: whole blocks, chosen by a hash of their number. */
static void fill_cache(struct file *f)
{
	size_t size = CACHED_BLOCK_PAGES * PAGE;
	char *buffer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open(f->path, O_RDONLY);

	if (fd < 0 || buffer == MAP_FAILED)
		die(f->path, strerror(errno));
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	for (size_t block = 0; block * CACHED_BLOCK_PAGES < f->pages; block++) {
		off_t place = (off_t)(f->offset_pages + block * CACHED_BLOCK_PAGES) * PAGE;

		if ((block * 2654435761u & 0xffff) < f->cached * 0x10000 &&
		    pread(fd, buffer, size, place) < 0)
			die(f->path, strerror(errno));
	}
	close(fd);
	munmap(buffer, size);
}

static void map_all(int process)
{
	for (int i = 0; i < workload->n_mappings; i++) {
		struct mapping *m = &workload->mappings[i];

		if (m->process != process)
			continue;
		for (int v = 0; v < m->count; v++) {
			struct file *f = m->n_files ? &workload->files[m->first_file + v % m->n_files] : NULL;

			m->fd[v] = !f ? -1 : m->open_each ? open(f->path, O_RDWR) : f->fd;
			if (f && m->fd[v] < 0)
				die(f->path, strerror(errno));
			if (f)
				m->file_offset[v] = (f->offset_pages + m->offset_pages +
						     (size_t)(v / m->n_files) * m->pages) * PAGE;
			if (!m->at_start)
				continue;
			m->base[v] = map_vma(m, v, 0);
			if (m->base[v] == MAP_FAILED)
				die("mmap", strerror(errno));
			madvise(m->base[v], m->pages * PAGE, m->advice);
			for (size_t p = 0; p < m->written_pages; p++)
				m->base[v][p * PAGE] = 1;
		}
	}
}

static void open_files(void)
{
	for (int i = 0; i < workload->n_files; i++) {
		struct file *f = &workload->files[i];

		for (int k = 0; k < i && f->fd <= 0; k++)	/* ranges of one device share the open file */
			if (!strcmp(workload->files[k].path, f->path))
				f->fd = workload->files[k].fd;
		if (f->fd <= 0)
			f->fd = open(f->path, O_RDWR);
		if (f->fd < 0)
			die(f->path, strerror(errno));
	}
}

static size_t threads_size(int process)
{
	size_t size = 0;

	for (int i = 0; i < workload->n_groups; i++)
		if (workload->groups[i].process == process)
			size += workload->groups[i].count *
				(thread_size(&workload->groups[i]) + constants_size(&workload->groups[i]));
	return size;
}

/* memory: threads_size() zeroed bytes up to `end`: threads from the start, their constants from there */
static void start_threads(struct process *p, char *memory, char *end)
{
	for (int i = 0; i < workload->n_groups; i++)
		if (workload->groups[i].process == p->number)
			p->n_threads += workload->groups[i].count;
	p->threads = make(p->n_threads, sizeof(*p->threads));
	p->handles = make(p->n_threads, sizeof(*p->handles));
	for (int i = 0, n = 0; i < workload->n_groups; i++) {
		struct group *g = &workload->groups[i];

		for (int k = 0; k < g->count && g->process == p->number; k++, n++) {
			struct thread *t = (struct thread *)memory;

			memory += thread_size(g);
			end -= constants_size(g);
			t->id = g->first_thread + k;
			t->seed = 88172645463325252ull * (t->id + 3);
			t->group_number = i;
			for (int s = 0; s < n_states(g); s++)
				t->states[s].constants = (struct constants *)end + s;
			p->threads[n] = t;
			errno = pthread_create(&p->handles[n], NULL, thread_main, t);
			if (errno)
				die("pthread_create", strerror(errno));
		}
	}
}

#endif
