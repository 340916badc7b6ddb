// SPDX-License-Identifier: GPL-2.0-only
/* One thread on each CPU counts for 100 ms; prints what each has counted. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>

static volatile long counts[8][8];
static volatile int begun, ended;

static void *count(void *argument)
{
	long cpu = (long)argument;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	while (!begun)
		usleep(1000);
	while (!ended)
		counts[cpu][0]++;
	return NULL;
}

int main(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;

	for (long cpu = 0; cpu < cpus; cpu++)
		pthread_create(&thread, NULL, count, (void *)cpu);
	usleep(50000);
	begun = 1;
	usleep(100000);
	ended = 1;
	printf("\ncounts");
	for (long cpu = 0; cpu < cpus; cpu++)
		printf(" %ld", counts[cpu][0]);
	printf("\n");
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 0;
}
