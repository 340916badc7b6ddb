/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a thread can do. Each operation records the nanoseconds from just before to just after the
 * call it is named after, or returns FAILED, or NOT_DONE when there was nothing to do it on.
 * The access patterns and the generator are those of the shipped ground-truth measurements.
 */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include <errno.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "workload.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#define NOT_DONE UINT64_MAX
#define FAILED (UINT64_MAX - 1)

/* What an operation of one thread remembers from one time to the next. */
struct state {
	struct samples samples;
	size_t next;
	struct constants {	/* seldom or never written */
		char *area;
		int pipe[2];
		long failures;
	} *constants;
};

/* With one operation 48 bytes, as in the program of the shipped measurements. */
struct thread {
	int id;			/* over all groups: chooses the own mapping and the seed */
	int group_number;
	uint64_t seed;
	struct state states[];	/* one per operation, and one for whole rounds where they are named */
};

static int n_states(const struct group *g)
{
	return g->n_operations + (g->round_actor[0] != 0);
}

static size_t thread_size(const struct group *g)
{
	return sizeof(struct thread) + n_states(g) * sizeof(struct state);
}

static size_t constants_size(const struct group *g)
{
	return n_states(g) * sizeof(struct constants);
}

static struct workload *workload;
static pid_t *process_ids;
static volatile uint64_t sink;

/*
 * At once, before anything else is done: its page may have to be copied after a fork, and what
 * waits for that copy is then the same as in the program of the shipped measurements.
 */
static uint64_t record(const struct operation *o, struct state *s, uint64_t ns)
{
	if (o->timed)
		samples_add(&s->samples, ns);
	return ns;
}

/* The address of the page to use next, or NULL when its VMA is not mapped. */
static char *next_page(struct operation *o, struct state *s, struct thread *t, size_t *herd)
{
	struct mapping *m = &workload->mappings[o->mapping];
	size_t vma = t->id % m->count, page;
	uint64_t r;

	switch (o->access) {
	case 's':
		page = ((size_t)(t->id / m->count) * (m->pages / 64) + s->next) % m->pages;
		break;
	case 'o':
		page = (random_next(&t->seed) >> 16) % m->pages;
		break;
	case 'h':
		*herd = atomic_load(m->herd);
		vma = 0;
		page = *herd * 2654435761u % m->pages;
		break;
	case 'z':	/* rank from a table of quantiles, ranks scattered over all pages */
		r = random_next(&t->seed) >> 16;
		page = r % (o->zipf.n - 1);
		r = o->zipf.table[page] + (r >> 20) % (o->zipf.table[page + 1] - o->zipf.table[page] + 1);
		r = r * 2654435761u % (m->count * m->pages);
		vma = r / m->pages;
		page = r % m->pages;
		break;
	default:
		r = random_next(&t->seed);
		vma = r % m->count;
		page = (r >> 16) % m->pages;
	}
	return m->base[vma] ? m->base[vma] + page * PAGE : NULL;
}

/* After an access: on to the next page. */
static void touched(struct operation *o, struct state *s, size_t *herd)
{
	if (o->access == 's')
		s->next++;
	if (o->access == 'h')
		atomic_compare_exchange_strong(workload->mappings[o->mapping].herd, herd, *herd + 1);
}

/* The VMA of a call that goes on to the next one each time; s->next counts the calls. */
static size_t next_vma(struct operation *o, struct state *s, struct thread *t)
{
	size_t count = workload->mappings[o->mapping].count;

	if (o->which == 'o')
		return t->id % count;
	if (o->which == 'r')
		return random_next(&t->seed) % count;
	return s->next % count;
}

static uint64_t touch(struct operation *o, struct state *s, struct thread *t)
{
	size_t herd = 0;
	char *p = next_page(o, s, t, &herd);
	uint64_t start, end;

	if (!p)
		return NOT_DONE;
	if (o->write) {
		start = now_ns();
		*(volatile char *)p = 1;
		end = now_ns();
	} else {
		start = now_ns();
		sink += *(volatile char *)p;
		end = now_ns();
	}
	record(o, s, end - start);
	touched(o, s, &herd);
	return end - start;
}

static uint64_t kernel_mode_fault(struct operation *o, struct state *s, struct thread *t)
{
	size_t herd = 0;
	char *p = next_page(o, s, t, &herd), c;
	uint64_t start, end;
	ssize_t done;

	if (!p)
		return NOT_DONE;
	start = now_ns();
	done = write(s->constants->pipe[1], p, 1);
	end = now_ns();
	if (done == 1 && read(s->constants->pipe[0], &c, 1) != 1)
		done = -1;
	touched(o, s, &herd);
	return done == 1 ? record(o, s, end - start) : FAILED;
}

static uint64_t anon_touch(struct operation *o, struct state *s)
{
	uint64_t start = now_ns(), end;
	char *area = s->constants->area;

	area[s->next] = 1;
	end = now_ns();
	record(o, s, end - start);
	s->next += PAGE;
	if (s->next >= o->pages * PAGE) {
		madvise(area, o->pages * PAGE, MADV_DONTNEED);
		s->next = 0;
	}
	return end - start;
}

static uint64_t do_fork(struct operation *o, struct state *s)
{
	uint64_t start = now_ns(), end;
	pid_t child = fork();

	if (!child)
		_exit(0);
	end = now_ns();
	if (child < 0)
		return FAILED;
	record(o, s, end - start);
	waitpid(child, NULL, 0);
	return end - start;
}

static uint64_t mmap_munmap(struct operation *o, struct state *s)
{
	uint64_t start = now_ns();
	void *p = mmap(NULL, o->pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return FAILED;
	munmap(p, o->pages * PAGE);
	return record(o, s, now_ns() - start);
}

/* Maps VMA number `vma` of a mapping; returns its address or MAP_FAILED. */
static char *map_vma(struct mapping *m, size_t vma, int more_flags)
{
	int protection = PROT_READ | (m->writable ? PROT_WRITE : 0);
	int flags = (m->shared ? MAP_SHARED : MAP_PRIVATE) | more_flags;

	if (m->executable == 2 || (m->executable == 1 && (vma & 1)))
		protection |= PROT_EXEC;
	if (m->fd[vma] < 0)
		flags |= MAP_ANONYMOUS;
	return mmap(NULL, m->pages * PAGE, protection, flags, m->fd[vma], m->file_offset[vma]);
}

static uint64_t map_operation(struct operation *o, struct state *s, struct thread *t)
{
	struct mapping *m = &workload->mappings[o->mapping];
	size_t vma = next_vma(o, s, t);
	uint64_t start, end;
	char *p = m->base[vma];

	s->next++;
	if ((o->kind == MMAP) == (p != NULL))
		return NOT_DONE;
	if (o->kind == MMAP) {
		start = now_ns();
		p = map_vma(m, vma, 0);
		end = now_ns();
		if (p == MAP_FAILED)
			return FAILED;
		if (m->advice)
			madvise(p, m->pages * PAGE, m->advice);
		m->base[vma] = p;
		return record(o, s, end - start);
	}
	m->base[vma] = NULL;
	start = now_ns();
	munmap(p, m->pages * PAGE);
	return record(o, s, now_ns() - start);
}

static uint64_t change_operation(struct operation *o, struct state *s, struct thread *t)
{
	struct mapping *m = &workload->mappings[o->mapping];
	size_t vma = next_vma(o, s, t), size = (o->pages ? o->pages : m->pages) * PAGE;
	char *p = m->base[vma];
	uint64_t start;
	int result;

	if (!p) {
		s->next++;
		return NOT_DONE;
	}
	start = now_ns();
	if (o->kind == MPROTECT)
		result = mprotect(p, size, s->next & 1 ? PROT_READ | PROT_EXEC : PROT_READ);
	else
		result = madvise(p, size, o->advice);
	if (!result)
		record(o, s, now_ns() - start);
	s->next++;
	return result ? FAILED : 0;
}

/* populate, populate_read, willneed, mlock: the next pages of the own VMA, from the thread's place on */
static uint64_t range_operation(struct operation *o, struct state *s, struct thread *t)
{
	struct mapping *m = &workload->mappings[o->mapping];
	size_t vma = t->id % m->count, size = o->pages * PAGE;
	size_t windows = m->pages / o->pages;
	size_t page = ((size_t)(t->id / m->count) * (windows / 64 + 1) + s->next++) % windows * o->pages;
	char *p = m->base[vma] ? m->base[vma] + page * PAGE : NULL;
	int result = 0;
	uint64_t start, end;

	if (!p)
		return NOT_DONE;
	start = now_ns();
	if (o->kind == POPULATE)
		p = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, m->fd[vma],
			 m->file_offset[vma] + page * PAGE);
	else if (o->kind == MLOCK)
		result = mlock(p, size);
	else
		result = madvise(p, size, o->kind == WILLNEED ? MADV_WILLNEED : MADV_POPULATE_READ);
	end = now_ns();
	if (result || p == MAP_FAILED)
		return FAILED;
	if (o->kind == POPULATE)
		munmap(p, size);
	if (o->kind == MLOCK)
		munlock(p, size);
	return record(o, s, end - start);
}

static uint64_t gup(struct operation *o, struct state *s, struct thread *t)
{
	size_t herd = 0;
	char *p = next_page(o, s, t, &herd), c;
	struct iovec local = { &c, 1 }, remote = { p, 1 };
	ssize_t done;
	uint64_t start;

	if (!p)
		return NOT_DONE;
	start = now_ns();
	if (o->locked)	/* /proc/PID/mem: GUP that may not release mmap_lock */
		done = pread(s->constants->pipe[0], &c, 1, (off_t)(uintptr_t)p);
	else
		done = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	if (done != 1)
		return FAILED;
	record(o, s, now_ns() - start);
	touched(o, s, &herd);
	return 0;
}

static uint64_t read_proc(struct operation *o, struct state *s)
{
	char buffer[65536], path[96];
	uint64_t start;
	ssize_t n = 0;
	int fd;

	if (o->target < 0)
		snprintf(path, sizeof(path), "/proc/self/%s", o->path);
	else
		snprintf(path, sizeof(path), "/proc/%d/%s", process_ids[o->target], o->path);
	start = now_ns();
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return FAILED;
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		;
	close(fd);
	return n < 0 ? FAILED : record(o, s, now_ns() - start);
}

#endif
