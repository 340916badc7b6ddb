/* SPDX-License-Identifier: GPL-2.0-only */
/* Time, random numbers, latency samples and their percentiles. */
#ifndef RECORD_H
#define RECORD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what, const char *detail)
{
	printf("ERROR %s: %s\n", what, detail);
	fflush(stdout);
	if (getpid() == 1)	/* an init that exits is a panic, which hides what was wrong */
		reboot(RB_POWER_OFF);
	_exit(3);
}

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Marsaglia's xorshift64 (13, 7, 17); the state must not be 0. */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* kind: 'c' constant high_ns, 'u' uniform from low_ns to high_ns, 't' table of equally likely values */
struct distribution {
	char kind;
	uint64_t low_ns, high_ns;
	size_t n;
	uint64_t *table;
};

/* Uniform times are whole microseconds, as the timers take them. */
static uint64_t draw_ns(const struct distribution *d, uint64_t *state)
{
	uint64_t width_us;

	switch (d->kind) {
	case 'u':
		width_us = (d->high_ns - d->low_ns) / 1000;
		return d->low_ns + (width_us ? random_next(state) % width_us * 1000 : 0);
	case 't':
		return d->table[(random_next(state) >> 16) % d->n];
	default:
		return d->high_ns;
	}
}

static int is_zero(const struct distribution *d)
{
	return d->kind == 'c' && d->high_ns == 0;
}

static void sleep_ns(uint64_t ns)
{
	struct timespec t = { ns / 1000000000ull, ns % 1000000000ull };

	if (ns)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

/* Every latency is kept: percentiles are exact. */
struct samples {
	uint64_t *ns;
	uint32_t n, capacity;
};

static void samples_add(struct samples *s, uint64_t ns)
{
	if (s->n == s->capacity) {
		s->capacity = s->capacity ? s->capacity * 2 : 4096;
		s->ns = s->capacity ? realloc(s->ns, s->capacity * sizeof(*s->ns)) : NULL;
		if (!s->ns)
			die("out of memory", "latency samples");
	}
	s->ns[s->n++] = ns;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* One actor as JSON; sorts the samples. */
static void samples_print(const char *name, struct samples *s, double seconds)
{
	double sum_ns = 0;
	uint64_t *v = s->ns;
	size_t n = s->n;

	if (!n) {
		printf("\"%s\":{\"n\":0}", name);
		return;
	}
	qsort(v, n, sizeof(*v), compare_u64);
	for (size_t i = 0; i < n; i++)
		sum_ns += v[i];
	printf("\"%s\":{\"n\":%zu,\"rate_hz\":%.2f,\"mean_us\":%.3f,\"p10_us\":%.3f,\"p50_us\":%.3f,"
	       "\"p90_us\":%.3f,\"p99_us\":%.3f,\"max_us\":%.3f}",
	       name, n, n / seconds, sum_ns / n / 1e3, v[n / 10] / 1e3, v[n / 2] / 1e3,
	       v[n * 9 / 10] / 1e3, v[(size_t)(n * 0.99)] / 1e3, v[n - 1] / 1e3);
}

/* The named fields of /proc/vmstat; a field the kernel lacks is left at -1. */
static void vmstat_read(const char *const *names, long *values)
{
	char line[256];
	FILE *f = fopen("/proc/vmstat", "r");

	for (int i = 0; names[i]; i++)
		values[i] = -1;
	while (f && fgets(line, sizeof(line), f)) {
		char *space = strchr(line, ' ');

		if (!space)
			continue;
		*space = 0;
		for (int i = 0; names[i]; i++)
			if (!strcmp(line, names[i]))
				values[i] = atol(space + 1);
	}
	if (f)
		fclose(f);
}

#endif
