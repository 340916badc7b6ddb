// SPDX-License-Identifier: GPL-2.0-only
/*
 * /init of a guest whose kernel has null_blk, configfs or FUSE as modules: loads /modules/0, 1, 2 ...
 * and becomes /program. Parameters of a module come from the kernel's command line, as modprobe
 * gives them: null_blk.gb=64 becomes gb=64.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char command_line[4096], parameters[4096];

/* The words of the command line that begin with "name." go to `parameters`, without that. */
static void find_parameters(const char *name)
{
	size_t length = strlen(name);
	char words[sizeof(command_line)], *place = parameters, *rest = NULL;

	strcpy(words, command_line);
	*place = 0;
	for (char *word = strtok_r(words, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
		if (!strncmp(word, name, length) && word[length] == '.')
			place += sprintf(place, "%s ", word + length + 1);
}

int main(int argc, char **argv, char **environment)
{
	char path[64], name[64];
	int fd;

	(void)argc;
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	fd = open("/proc/cmdline", O_RDONLY);
	if (fd >= 0 && read(fd, command_line, sizeof(command_line) - 1) > 0)
		close(fd);
	for (int i = 0;; i++) {
		/* modules/N is the module, modules/N.name the name it has. */
		snprintf(path, sizeof(path), "/modules/%d.name", i);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			break;
		memset(name, 0, sizeof(name));
		if (read(fd, name, sizeof(name) - 1) > 0)
			find_parameters(name);
		close(fd);
		snprintf(path, sizeof(path), "/modules/%d", i);
		fd = open(path, O_RDONLY);
		if (syscall(SYS_finit_module, fd, parameters, 0) && errno != EEXIST)
			printf("\nMODULE %s does not load: %s\n", name, strerror(errno));
		close(fd);
	}
	fflush(stdout);
	umount("/proc");
	execve("/program", argv, environment);
	printf("\nERROR /program cannot be started: %s\n", strerror(errno));
	fflush(stdout);
	return 1;
}
