/* SPDX-License-Identifier: GPL-2.0-only */
/* As /init of a guest: mounts, null_blk devices, the memory limit, power off. */
#ifndef GUEST_H
#define GUEST_H

#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include "workload.h"

#define NULLB "/sys/kernel/config/nullb"

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), done;

	if (fd < 0)
		return -1;
	done = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	close(fd);
	return done;
}

static void mount_all(void)
{
	static const struct { const char *type, *place; } mounts[] = {
		{ "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" },
		{ "configfs", "/sys/kernel/config" }, { "tmpfs", "/tmp" },
	};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		mkdir(mounts[i].place, 0755);
		mount(mounts[i].type, mounts[i].place, mounts[i].type, 0, NULL);
	}
	write_text("/proc/sys/vm/max_map_count", "1000000\n");
}

static int set_device(int number, const char *key, long value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), NULLB "/f%d/%s", number, key);
	snprintf(text, sizeof(text), "%ld", value);
	return write_text(path, text);
}

static void remove_device(int number)
{
	char path[128];

	set_device(number, "power", 0);
	snprintf(path, sizeof(path), NULLB "/f%d", number);
	rmdir(path);
}

/*
 * Makes null_blk device `number`; its name in /dev goes to d->name. One that an earlier workload had
 * (kept) is used again where it is equal: a new one in its place behaves a little differently, for
 * reasons we do not know, and that decides which of two rhythms fork_1f1v has under `hold`.
 */
static void make_device(int number, struct device *d, struct device *kept)
{
	char path[128], numbered[32], text[32] = "";
	int fd;

	if (kept->size_mib) {
		strcpy(d->name, kept->name);
		if (!memcmp(d, kept, sizeof(*d)))
			return;
		remove_device(number);
	}
	snprintf(path, sizeof(path), NULLB "/f%d", number);
	if (mkdir(path, 0755))
		die("this kernel has no null_blk with configfs (CONFIG_BLK_DEV_NULL_BLK, CONFIG_CONFIGFS_FS)",
		    strerror(errno));
	set_device(number, "memory_backed", 0);
	if (set_device(number, "size", d->size_mib) || set_device(number, "irqmode", 2) ||
	    set_device(number, "completion_nsec", d->latency_ns))
		die("null_blk does not take its settings", strerror(errno));
	set_device(number, "blocksize", 512);
	set_device(number, "queue_mode", 2);
	set_device(number, "submit_queues", d->submit_queues);
	set_device(number, "hw_queue_depth", d->queue_depth);
	set_device(number, "mbps", d->megabytes_per_s);
	if (set_device(number, "power", 1))
		die("null_blk does not start", strerror(errno));
	/* Newer kernels name the disk after its directory, older ones nullbN. */
	snprintf(path, sizeof(path), NULLB "/f%d/index", number);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		snprintf(text, sizeof(text), "%d", number);
	close(fd);
	snprintf(numbered, sizeof(numbered), "/dev/nullb%d", atoi(text));
	snprintf(d->name, sizeof(d->name), "/dev/f%d", number);
	for (int tries = 0; access(d->name, R_OK); tries++) {
		if (!access(numbered, R_OK)) {
			snprintf(d->name, sizeof(d->name), "%s", numbered);
			break;
		}
		if (tries == 100)
			die("null_blk made no device", d->name);
		usleep(10000);
	}
	*kept = *d;
}

/* Files name their device by number (@0 ...): put its path there. */
static void name_devices(struct workload *w)
{
	for (int i = 0; i < w->n_files; i++)
		if (w->files[i].path[0] == '@')
			snprintf(w->files[i].path, sizeof(w->files[i].path), "%s",
				 w->devices[atoi(w->files[i].path + 1)].name);
}

static void limit_memory(struct workload *w)
{
	char text[32];

	if (!w->memcg_limit && !w->memcg_high)
		return;
	mkdir("/cgroup", 0755);
	if (mount("cgroup2", "/cgroup", "cgroup2", 0, NULL) ||
	    write_text("/cgroup/cgroup.subtree_control", "+memory") || mkdir("/cgroup/workload", 0755))
		die("this kernel cannot limit the page cache (CONFIG_MEMCG)", strerror(errno));
	snprintf(text, sizeof(text), "%ld", w->memcg_limit);
	if (w->memcg_limit && write_text("/cgroup/workload/memory.max", text))
		die("memory.max", strerror(errno));
	snprintf(text, sizeof(text), "%ld", w->memcg_high);
	if (w->memcg_high && write_text("/cgroup/workload/memory.high", text))
		die("memory.high", strerror(errno));
}

/* A process of the workload goes under the limit; init does not: it cannot be killed. */
static void join_limit(struct workload *w)
{
	if ((w->memcg_limit || w->memcg_high) && write_text("/cgroup/workload/cgroup.procs", "0"))
		die("cgroup.procs", strerror(errno));
}

static void remove_limit(struct workload *w)
{
	if (w->memcg_limit || w->memcg_high) {
		rmdir("/cgroup/workload");
		umount("/cgroup");
	}
}

#endif
