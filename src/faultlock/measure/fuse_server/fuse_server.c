// SPDX-License-Identifier: GPL-2.0-only
/*
 * A FUSE file system of slow, empty files: fuse_server MOUNTPOINT CONFIGURATION
 *
 * CONFIGURATION holds words: queue depth, number of files, and for each its name, pages and the
 * distribution of read latencies (as in driver/workload.h). Reads give zeros after the latency; at
 * most `queue depth` are in service, the others wait in order. Writes are accepted and forgotten.
 * Prints READY when mounted. Unmounts on SIGTERM, SIGINT and when the parent process dies.
 * Speaks the protocol of include/uapi/linux/fuse.h, 7.31, directly; no library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "../driver/record.h"

#define PAGE 4096ull
#define MAX_IO (128 * 1024u)
#define FIRST_FILE 2	/* inode 1 is the folder */

struct slow_file {
	char name[256];
	uint64_t size;
	struct distribution latency;
};

struct reply {
	uint64_t unique, due_ns;
	uint32_t size;
	struct reply *next;
};

static struct slow_file *files;
static uint64_t *slot_free_ns;	/* when each of the queue_depth places is free again */
static int n_files, queue_depth, device;
static const char *mount_point;
static struct reply *pending;
static pthread_mutex_t pending_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pending_changed;
static char zeros[MAX_IO];

static void send_reply(uint64_t unique, int error, const void *data, size_t size)
{
	struct fuse_out_header header = { sizeof(header) + size, -error, unique };
	struct iovec parts[2] = { { &header, sizeof(header) }, { (void *)data, size } };

	/* ENOENT: the request was given up (its thread was killed). */
	if (writev(device, parts, size ? 2 : 1) < 0 && errno != ENOENT && errno != ENODEV)
		perror("reply");
}

static void *replier(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&pending_lock);
	for (;;) {
		struct reply *first = pending;
		struct timespec due;

		if (!first) {
			pthread_cond_wait(&pending_changed, &pending_lock);
		} else if (first->due_ns > now_ns()) {
			due.tv_sec = first->due_ns / 1000000000ull;
			due.tv_nsec = first->due_ns % 1000000000ull;
			pthread_cond_timedwait(&pending_changed, &pending_lock, &due);
		} else {
			pending = first->next;
			pthread_mutex_unlock(&pending_lock);
			send_reply(first->unique, 0, zeros, first->size);
			free(first);
			pthread_mutex_lock(&pending_lock);
		}
	}
	return NULL;
}

static void delay_read(uint64_t unique, struct slow_file *f, const struct fuse_read_in *in)
{
	static uint64_t seed = 88172645463325252ull;
	struct reply *r = malloc(sizeof(*r)), **place = &pending;
	uint64_t start_ns = now_ns(), left = in->offset < f->size ? f->size - in->offset : 0;
	int slot = 0;

	if (!r)
		die("out of memory", "requests");
	for (int i = 1; i < queue_depth; i++)
		if (slot_free_ns[i] < slot_free_ns[slot])
			slot = i;
	if (slot_free_ns[slot] > start_ns)
		start_ns = slot_free_ns[slot];
	r->unique = unique;
	r->size = in->size < left ? in->size : left;
	if (r->size > MAX_IO)
		r->size = MAX_IO;
	r->due_ns = slot_free_ns[slot] = start_ns + draw_ns(&f->latency, &seed);
	pthread_mutex_lock(&pending_lock);
	while (*place && (*place)->due_ns <= r->due_ns)
		place = &(*place)->next;
	r->next = *place;
	*place = r;
	pthread_cond_signal(&pending_changed);
	pthread_mutex_unlock(&pending_lock);
}

static struct fuse_attr attributes(uint64_t inode)
{
	struct fuse_attr a = { .ino = inode, .nlink = 1, .uid = getuid(), .gid = getgid(),
			       .blksize = PAGE, .mode = S_IFREG | 0600 };

	if (inode == FUSE_ROOT_ID)
		a.mode = S_IFDIR | 0700;
	else
		a.size = files[inode - FIRST_FILE].size;
	a.blocks = a.size / 512;
	return a;
}

static void do_init(uint64_t unique, const struct fuse_init_in *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = in->max_readahead,
		.flags = in->flags & (FUSE_ASYNC_READ | FUSE_MAX_PAGES | FUSE_PARALLEL_DIROPS),
		.max_background = queue_depth, .congestion_threshold = queue_depth,
		.max_write = MAX_IO, .time_gran = 1, .max_pages = MAX_IO / PAGE,
	};

	send_reply(unique, 0, &out, sizeof(out));
}

static void do_lookup(uint64_t unique, const char *name)
{
	for (int i = 0; i < n_files; i++) {
		struct fuse_entry_out out = { .nodeid = i + FIRST_FILE, .entry_valid = 3600, .attr_valid = 3600 };

		if (strcmp(files[i].name, name))
			continue;
		out.attr = attributes(out.nodeid);
		send_reply(unique, 0, &out, sizeof(out));
		return;
	}
	send_reply(unique, ENOENT, NULL, 0);
}

static void do_attributes(const struct fuse_in_header *h, const void *body)
{
	struct fuse_attr_out out = { .attr_valid = 3600 };
	const struct fuse_setattr_in *in = body;

	if (h->opcode == FUSE_SETATTR && in->valid & FATTR_SIZE && h->nodeid >= FIRST_FILE)
		files[h->nodeid - FIRST_FILE].size = in->size;
	out.attr = attributes(h->nodeid);
	send_reply(h->unique, 0, &out, sizeof(out));
}

static void handle(const struct fuse_in_header *h, const void *body)
{
	struct fuse_open_out opened = { .open_flags = FOPEN_KEEP_CACHE };
	struct fuse_write_out written;

	if (h->nodeid >= (uint64_t)n_files + FIRST_FILE) {
		send_reply(h->unique, ENOENT, NULL, 0);
		return;
	}
	switch (h->opcode) {
	case FUSE_INIT:
		do_init(h->unique, body);
		break;
	case FUSE_LOOKUP:
		do_lookup(h->unique, body);
		break;
	case FUSE_GETATTR: case FUSE_SETATTR:
		do_attributes(h, body);
		break;
	case FUSE_OPEN: case FUSE_OPENDIR:
		send_reply(h->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		if (h->nodeid >= FIRST_FILE)
			delay_read(h->unique, &files[h->nodeid - FIRST_FILE], body);
		else
			send_reply(h->unique, EISDIR, NULL, 0);
		break;
	case FUSE_WRITE:
		written = (struct fuse_write_out){ .size = ((const struct fuse_write_in *)body)->size };
		send_reply(h->unique, 0, &written, sizeof(written));
		break;
	case FUSE_RELEASE: case FUSE_RELEASEDIR: case FUSE_FLUSH: case FUSE_FSYNC: case FUSE_READDIR:
	case FUSE_FALLOCATE: case FUSE_DESTROY:
		send_reply(h->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET: case FUSE_BATCH_FORGET: case FUSE_INTERRUPT:
		break;		/* no reply is expected */
	default:
		send_reply(h->unique, ENOSYS, NULL, 0);
	}
}

/* Without root, fusermount3 opens and mounts /dev/fuse and passes the descriptor over a socket. */
static int mount_with_helper(void)
{
	union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control;
	struct iovec part = { &(char){ 0 }, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };
	int sockets[2], status, fd;
	char number[16];
	pid_t helper;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		die("socketpair", strerror(errno));
	helper = fork();
	if (!helper) {
		snprintf(number, sizeof(number), "%d", sockets[0]);
		setenv("_FUSE_COMMFD", number, 1);
		execlp("fusermount3", "fusermount3", "-o", "fsname=faultlock,nosuid,nodev", "--", mount_point,
		       (char *)NULL);
		_exit(127);
	}
	close(sockets[0]);
	if (recvmsg(sockets[1], &message, 0) <= 0 || !CMSG_FIRSTHDR(&message)) {
		waitpid(helper, &status, 0);
		die("cannot mount", WEXITSTATUS(status) == 127 ?
		    "no root and no fusermount3 (Debian: apt-get install fuse3)" : "fusermount3 refused");
	}
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	waitpid(helper, &status, 0);
	return fd;
}

static int mount_files(void)
{
	char options[128];
	int fd;

	if (geteuid())
		return mount_with_helper();
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("/dev/fuse (kernel without CONFIG_FUSE_FS?)", strerror(errno));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,max_read=%u", fd, MAX_IO);
	if (mount("faultlock", mount_point, "fuse", MS_NOSUID | MS_NODEV, options))
		die("mount", strerror(errno));
	return fd;
}

static void unmount(int signal_number)
{
	(void)signal_number;
	if (!geteuid())
		umount2(mount_point, MNT_DETACH);
	else if (!fork())
		execlp("fusermount3", "fusermount3", "-u", "-z", "--", mount_point, (char *)NULL);
	else
		wait(NULL);
	_exit(0);
}

static void read_configuration(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned long pages, n;

	if (!f || fscanf(f, "%d %d", &queue_depth, &n_files) != 2 || queue_depth < 1 || n_files < 1)
		die("configuration", path);
	files = calloc(n_files, sizeof(*files));
	slot_free_ns = calloc(queue_depth, sizeof(*slot_free_ns));
	for (int i = 0; i < n_files; i++) {
		struct distribution *d = &files[i].latency;

		if (fscanf(f, "%255s %lu %c", files[i].name, &pages, &d->kind) != 3)
			die("configuration", path);
		files[i].size = pages * PAGE;
		if (d->kind != 't') {
			if (fscanf(f, "%lu %lu", &d->low_ns, &d->high_ns) != 2)
				die("configuration", path);
			continue;
		}
		if (fscanf(f, "%lu", &n) != 1 || n < 1 || n > 65536)
			die("configuration", path);
		d->n = n;
		d->table = calloc(n, sizeof(*d->table));
		for (size_t k = 0; k < n; k++)
			if (fscanf(f, "%lu", &d->table[k]) != 1)
				die("configuration", path);
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	static char buffer[MAX_IO + PAGE];
	pthread_condattr_t monotonic;
	pthread_t thread;
	ssize_t n;

	if (argc != 3)
		die("usage", "fuse_server MOUNTPOINT CONFIGURATION");
	mount_point = argv[1];
	read_configuration(argv[2]);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGTERM, unmount);
	signal(SIGINT, unmount);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pending_changed, &monotonic);
	device = mount_files();
	if (pthread_create(&thread, NULL, replier, NULL))
		die("pthread_create", "replies");
	printf("READY\n");
	fflush(stdout);
	for (;;) {
		n = read(device, buffer, sizeof(buffer));
		if (n < 0 && errno == ENODEV)
			return 0;	/* unmounted */
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			continue;
		handle((struct fuse_in_header *)buffer, buffer + sizeof(struct fuse_in_header));
	}
}
