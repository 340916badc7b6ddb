/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The compiled workload: whitespace-separated words, written by compile_workload.py.
 * The order of the words is defined there and read here, nowhere else.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include "layout.h"
#include "record.h"

#define PAGE 4096ul

enum operation_kind {
	TOUCH, KERNEL_MODE_FAULT, ANON_TOUCH, FORK, MMAP_MUNMAP, MMAP, MUNMAP, MPROTECT, MADVISE,
	POPULATE, POPULATE_READ, WILLNEED, MLOCK, GUP, READ_PROC, READ_FILE, TRUNCATE, PUNCH_HOLE,
	KILL, SLEEP, COMPUTE, N_KINDS
};

struct file {
	char path[256];
	size_t pages, offset_pages;	/* the file is a range of what `path` names */
	double cached;
	int is_device, fd;
};

struct mapping {
	int process, count, first_file, n_files, shared, writable, executable, advice, open_each, at_start;
	size_t pages, offset_pages, written_pages;
	char **base;			/* address of each VMA, NULL while not mapped */
	int *fd;			/* open file of each VMA; -1: anonymous memory */
	size_t *file_offset;
	atomic_ulong *herd;		/* number of the page that all touch */
};

struct operation {
	enum operation_kind kind;
	char actor[64], path[64];
	int timed, mapping, access, write, which, advice, target, locked, file;
	size_t pages;
	long repeat;
	struct distribution think, time, zipf;
};

struct group {
	int process, count, n_operations, first_thread;
	long rounds;
	char round_actor[64];
	struct distribution start_after;
	struct operation *operations;
};

#define MAX_DEVICES 16	/* compile_workload.py makes no more */

struct device {
	long latency_ns, queue_depth, submit_queues, megabytes_per_s, size_mib;
	char name[64];			/* /dev/NAME once it exists */
};

struct workload {
	uint64_t duration_ns, grace_ns;
	long memcg_limit, memcg_high;
	int n_processes, n_devices, n_files, n_mappings, n_groups;
	char (*process_names)[64];
	struct device *devices;
	struct file *files;
	struct mapping *mappings;
	struct group *groups;
};

#define WORD 512

static void next_word(FILE *f, char *word)
{
	if (fscanf(f, "%511s", word) != 1)
		die("compiled workload", "ends too early");
}

static char next_letter(FILE *f)
{
	char word[WORD];

	next_word(f, word);
	return *word;
}

static long next_long(FILE *f)
{
	char word[WORD];

	next_word(f, word);
	return strtol(word, NULL, 10);
}

static void next_text(FILE *f, char *target, size_t size)
{
	char word[WORD];

	next_word(f, word);
	if (strlen(word) >= size)
		die("compiled workload: too long", word);
	strcpy(target, strcmp(word, "-") ? word : "");
}

/* What is made for one workload; init runs several and gives it back after each. */
struct made {
	struct made *before;
	char content[];
};

static struct made *last_made;

static void *make(size_t n, size_t size)
{
	struct made *m = calloc(1, sizeof(*m) + (n ? n : 1) * size);

	if (!m)
		die("out of memory", "workload");
	m->before = last_made;
	last_made = m;
	return m->content;
}

static void free_made(void)
{
	while (last_made) {
		struct made *before = last_made->before;

		free(last_made);
		last_made = before;
	}
}

static struct distribution next_distribution(FILE *f)
{
	struct distribution d = { .kind = next_letter(f) };

	if (d.kind == 't') {
		d.n = next_long(f);
		d.table = make(d.n, sizeof(*d.table));
		for (size_t i = 0; i < d.n; i++)
			d.table[i] = next_long(f);
	} else {
		d.low_ns = next_long(f);
		d.high_ns = next_long(f);
	}
	return d;
}

static void read_mapping(FILE *f, struct mapping *m, int number)
{
	m->process = next_long(f);
	m->count = next_long(f);
	m->first_file = next_long(f);
	m->n_files = next_long(f);
	m->pages = next_long(f);
	m->offset_pages = next_long(f);
	m->shared = next_long(f);
	m->writable = next_long(f);
	m->executable = next_long(f);
	m->advice = next_long(f);
	m->open_each = next_long(f);
	m->written_pages = next_long(f);
	m->at_start = next_long(f);
	m->base = make(m->count, sizeof(*m->base));
	m->fd = make(m->count, sizeof(*m->fd));
	m->file_offset = make(m->count, sizeof(*m->file_offset));
	m->herd = number < N_HERDS ? &herds[number] : make(1, sizeof(*m->herd));
	*m->herd = 1;
}

static void read_operation(FILE *f, struct operation *o)
{
	o->kind = next_long(f);
	next_text(f, o->actor, sizeof(o->actor));
	o->timed = next_long(f);
	o->mapping = next_long(f);
	o->access = next_letter(f);
	o->write = next_long(f);
	o->which = next_letter(f);
	o->advice = next_long(f);
	o->target = next_long(f);
	o->locked = next_long(f);
	o->file = next_long(f);
	o->pages = next_long(f);
	o->repeat = next_long(f);
	next_text(f, o->path, sizeof(o->path));
	o->think = next_distribution(f);
	o->time = next_distribution(f);
	o->zipf = next_distribution(f);
}

static void read_group(FILE *f, struct group *g)
{
	g->process = next_long(f);
	g->count = next_long(f);
	g->rounds = next_long(f);
	next_text(f, g->round_actor, sizeof(g->round_actor));
	g->start_after = next_distribution(f);
	g->n_operations = next_long(f);
	g->operations = make(g->n_operations, sizeof(*g->operations));
	for (int i = 0; i < g->n_operations; i++)
		read_operation(f, &g->operations[i]);
}

static void read_parts(FILE *f, struct workload *w)
{
	int thread = 0;

	for (int i = 0; i < w->n_files; i++) {
		struct file *file = &w->files[i];

		next_text(f, file->path, sizeof(file->path));
		file->is_device = next_long(f);
		file->offset_pages = next_long(f);
		file->pages = next_long(f);
		file->cached = next_long(f) / 1e6;
	}
	for (int i = 0; i < w->n_mappings; i++)
		read_mapping(f, &w->mappings[i], i);
	for (int i = 0; i < w->n_groups; i++) {
		read_group(f, &w->groups[i]);
		w->groups[i].first_thread = thread;
		thread += w->groups[i].count;
	}
}

static void expect(FILE *f, const char *wanted, const char *error)
{
	char word[WORD];

	next_word(f, word);
	if (strcmp(word, wanted))
		die("compiled workload", error);
}

/*
 * *file stays open: as in the program of the shipped measurements, fork copies and resets one more
 * stdio lock. Its buffer is not in the heap, which is as large as there.
 */
static struct workload *read_workload(const char *path, FILE **file)
{
	struct workload *w = make(1, sizeof(*w));
	FILE *f = *file = fopen(path, "r");

	if (!f)
		die("cannot open the compiled workload", path);
	setvbuf(f, read_buffer, _IOFBF, sizeof(read_buffer));
	expect(f, "faultlock-driver-1", "is of another version");
	w->duration_ns = next_long(f);
	w->grace_ns = next_long(f);
	w->memcg_limit = next_long(f);
	w->memcg_high = next_long(f);
	w->n_processes = next_long(f);
	w->process_names = make(w->n_processes, sizeof(*w->process_names));
	for (int i = 0; i < w->n_processes; i++)
		next_text(f, w->process_names[i], sizeof(*w->process_names));
	w->n_devices = next_long(f);
	w->n_files = next_long(f);
	w->n_mappings = next_long(f);
	w->n_groups = next_long(f);
	if (w->n_devices > MAX_DEVICES)
		die("compiled workload", "has too many devices");
	w->devices = make(w->n_devices, sizeof(*w->devices));
	w->files = make(w->n_files, sizeof(*w->files));
	w->mappings = make(w->n_mappings, sizeof(*w->mappings));
	w->groups = make(w->n_groups, sizeof(*w->groups));
	for (int i = 0; i < w->n_devices; i++) {
		struct device *d = &w->devices[i];

		d->latency_ns = next_long(f);
		d->queue_depth = next_long(f);
		d->submit_queues = next_long(f);
		d->megabytes_per_s = next_long(f);
		d->size_mib = next_long(f);
	}
	read_parts(f, w);
	expect(f, "end", "has words left over");
	return w;
}

#endif
