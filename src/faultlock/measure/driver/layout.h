/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the variables of the C library lie: on the same pages as in the program of the shipped
 * measurements. fork() and its child write to some of them, and each page that is written is copied
 * again after each fork: one page more or less per fork is 1 % of its rate, and under `hold` such a small
 * fault waits for the fork that waits for a read. The sizes fit glibc 2.36; with another C library both
 * programs have other pages.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdatomic.h>

/* In .data, before the C library's. */
static char data_padding[328] __attribute__((used)) = { 1 };

/* In .bss, before the C library's: the buffer through which the compiled workload is read. */
static char read_buffer[352];

/* Written at each access of a herd: on the page of the other counters, not on one of the heap. */
#define N_HERDS 8
static atomic_ulong herds[N_HERDS];

#endif
