/* SPDX-License-Identifier: GPL-2.0-only */
/* What a process of the workload prints at its end: one line of JSON. */
#ifndef REPORT_H
#define REPORT_H

#include "run.h"

/* Waits for the threads until the grace time is over; returns how many still hang. */
static int join_threads(struct process *p)
{
	struct timespec until;
	int hanging = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += workload->grace_ns / 1000000000ull + 1;
	for (int i = 0; i < p->n_threads; i++)
		if (pthread_timedjoin_np(p->handles[i], NULL, &until))
			hanging++;
	return hanging;
}

/* Adds the samples that `t` has under `actor`; returns its failed operations. */
static long collect(struct thread *t, const char *actor, struct samples *all)
{
	long failures = 0;

	struct group *g = &workload->groups[t->group_number];

	for (int i = 0; i < n_states(g); i++) {
		struct state *s = &t->states[i];
		int is_round = i == g->n_operations;
		const char *name = is_round ? g->round_actor : g->operations[i].actor;

		if (strcmp(name, actor) || (!is_round && !g->operations[i].timed))
			continue;
		for (size_t k = 0; k < s->samples.n; k++)
			samples_add(all, s->samples.ns[k]);
		failures += s->constants->failures;
	}
	return failures;
}

/* The first use of an actor's name in this process, so that each is printed once. */
static int is_first(struct process *p, int group, int operation, const char *actor)
{
	for (int i = 0; i <= group; i++) {
		struct group *g = &workload->groups[i];
		int end = i == group ? operation : n_states(g);

		for (int k = 0; k < end && g->process == p->number && g->count; k++) {
			int is_round = k == g->n_operations;

			if (!is_round && !g->operations[k].timed)
				continue;
			if (!strcmp(is_round ? g->round_actor : g->operations[k].actor, actor))
				return 0;
		}
	}
	return 1;
}

static void print_actors(struct process *p, double seconds)
{
	const char *separator = "";

	for (int i = 0; i < workload->n_groups; i++) {
		struct group *g = &workload->groups[i];

		for (int k = 0; k < n_states(g) && g->process == p->number && g->count; k++) {
			int is_round = k == g->n_operations;
			const char *actor = is_round ? g->round_actor : g->operations[k].actor;
			struct samples all = { 0 };
			long failures = 0;

			if ((!is_round && !g->operations[k].timed) || !is_first(p, i, k, actor))
				continue;
			for (int n = 0; n < p->n_threads; n++)
				failures += collect(p->threads[n], actor, &all);
			printf("%s", separator);
			samples_print(actor, &all, seconds);
			if (failures)
				printf(",\"%s!failed\":%ld", actor, failures);
			free(all.ns);
			separator = ",";
		}
	}
}

static void print_result(struct process *p, double seconds, const long *before, const long *after, int hanging)
{
	const char *separator = "";

	printf("\nRESULT {\"process\":\"%s\",\"seconds\":%.6f,\"hanging_threads\":%d,\"actors\":{",
	       workload->process_names[p->number], seconds, hanging);
	print_actors(p, seconds);
	printf("},\"vmstat\":{");
	for (int i = 0; vmstat_names[i]; i++) {
		if (before[i] < 0)
			continue;
		printf("%s\"%s\":%ld", separator, vmstat_names[i], after[i] - before[i]);
		separator = ",";
	}
	printf("}}\n");
	fflush(stdout);
}

#endif
