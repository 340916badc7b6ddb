/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/fuse.h>
#include <sys/uio.h>

/*
 * A FUSE file system with one file, /mnt/file, served by a thread of this very process. before_reply()
 * is called for each read before it is answered.
 */
static int fuse;
static void before_reply(void);

static void answer(struct fuse_in_header *h, int error, void *data, size_t size)
{
	struct fuse_out_header out = { sizeof(out) + size, -error, h->unique };
	struct iovec parts[2] = { { &out, sizeof(out) }, { data, size } };

	if (writev(fuse, parts, size ? 2 : 1) < 0 && errno != ENOENT)
		fail("FUSE reply");
}

static void *serve(void *unused)
{
	static char request[1 << 18], zeros[1 << 17];
	struct fuse_in_header *h = (void *)request;
	void *body = request + sizeof(*h);

	(void)unused;
	while (read(fuse, request, sizeof(request)) > 0) {
		struct fuse_attr attr = { .ino = h->nodeid, .nlink = 1, .mode = S_IFREG | 0600, .size = 1 << 30 };
		struct fuse_init_out init = { .major = 7, .minor = 31, .max_readahead = 1 << 17,
					      .flags = FUSE_ASYNC_READ, .max_write = 1 << 17 };
		struct fuse_entry_out entry = { .nodeid = 2, .entry_valid = 99, .attr_valid = 99 };
		struct fuse_attr_out attributes = { .attr_valid = 99 };
		struct fuse_open_out open_reply = { 0 };

		if (h->nodeid == 1)
			attr.mode = S_IFDIR | 0700;
		attributes.attr = attr;
		entry.attr = attr;
		entry.attr.ino = 2;
		entry.attr.mode = S_IFREG | 0600;
		if (h->opcode == FUSE_INIT)
			answer(h, 0, &init, sizeof(init));
		else if (h->opcode == FUSE_LOOKUP)
			answer(h, 0, &entry, sizeof(entry));
		else if (h->opcode == FUSE_GETATTR)
			answer(h, 0, &attributes, sizeof(attributes));
		else if (h->opcode == FUSE_OPEN)
			answer(h, 0, &open_reply, sizeof(open_reply));
		else if (h->opcode == FUSE_READ) {
			before_reply();
			answer(h, 0, zeros, ((struct fuse_read_in *)body)->size);
		} else if (h->opcode != FUSE_FORGET && h->opcode != FUSE_INTERRUPT)
			answer(h, 0, NULL, 0);
	}
	return NULL;
}

/* Mounts the file system, starts its thread, and maps a cold page of its file. */
static char *page_served_here(void)
{
	char options[64];
	char *page;
	int fd;

	fuse = open("/dev/fuse", O_RDWR);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	if (fuse < 0 || mount("fuse", "/mnt", "fuse", 0, options))
		fail("FUSE (needs CONFIG_FUSE_FS)");
	start(serve, NULL);
	fd = open("/mnt/file", O_RDONLY);
	page = mmap(NULL, 32 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd < 0 || page == MAP_FAILED)
		fail("/mnt/file");
	return page;
}

/* Runs `process` in a child and says whether it finished, and if not, whether SIGKILL ends it. */
static void watch(void (*process)(void), const char *what)
{
	pid_t child = fork();
	double begin = now_ms(), exit_ms;

	if (!child) {
		process();
		shared->done = 1;
		_exit(0);
	}
	while (!shared->done && now_ms() - begin < HANG_MS)
		sleep_ms(1);
	if (shared->done) {
		printf("finished after %.1f ms\n", now_ms() - begin);
		verdict(0, what);
		return;
	}
	kill(child, SIGKILL);
	exit_ms = wait_for(child);
	if (exit_ms < HANG_MS)
		printf("hung for %d ms; SIGKILL ended it after %.1f ms\n", HANG_MS, exit_ms);
	else
		printf("hung for %d ms; SIGKILL does not end it\n", HANG_MS);
	verdict(1, what);
}
