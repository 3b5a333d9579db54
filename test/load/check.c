/* portal-check: proves the history of a load run (history.h, check.h), prints its verdict and the
 * first offending lines; exit code 1 when something does not hold, 2 when there is nothing to read.
 *
 * To add a rule: check.h says which, check_prove.c proves them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "check.h"

static const char usage[] = "portal-check [--gaps] FILE\n\n"
			    "Proves a history that portal-load --history wrote: whoever is in a "
			    "room has every acknowledged\n"
			    "message, each once, in order.\n\n"
			    "  --gaps   the stores may have lost messages: a gap that a client was "
			    "told of excuses what it covers\n";

static struct str file_read(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0) {
		fprintf(stderr, "portal-check: %s: %s\n", path, fd < 0 ? strerror(errno) : "empty");
		_exit(2);
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED) {
		fprintf(stderr, "portal-check: %s: %s\n", path, strerror(errno));
		_exit(2);
	}
	return str_make(p, (size_t)st.st_size);
}

static void verdict_print(const struct verdict *v)
{
	printf("%llu lines: %llu clients in %llu seats, %llu reconnects, %llu gaps\n",
		(unsigned long long)v->lines, (unsigned long long)v->clients,
		(unsigned long long)v->seats, (unsigned long long)v->reconnects,
		(unsigned long long)v->gaps);
	printf("%llu messages sent (%llu times again), %llu acknowledged, %llu refused, %llu seen "
	       "without "
	       "an acknowledgement, %llu deliveries\n",
		(unsigned long long)v->sent, (unsigned long long)v->resent,
		(unsigned long long)v->acked, (unsigned long long)v->refused,
		(unsigned long long)v->stored, (unsigned long long)v->deliveries);
	if (v->chats > 0)
		printf("%llu direct chats, %llu of them talked to their end\n",
			(unsigned long long)v->chats, (unsigned long long)v->left);
	if (v->violations == 0) {
		printf("holds: nothing acknowledged is lost, doubled or out of order\n");
		return;
	}
	fwrite(v->offences.p, 1, v->offences.n, stdout);
	printf("VIOLATED:");
	for (int i = 0; i < FAULTS; i++)
		if (v->faults[i] > 0)
			printf(" %s %llu", fault_name((enum fault)i),
				(unsigned long long)v->faults[i]);
	printf("\n");
}

int main(int argc, char **argv)
{
	bool gaps = argc > 2 && strcmp(argv[1], "--gaps") == 0;
	struct verdict v;
	bool holds;

	if (argc != (gaps ? 3 : 2) || argv[argc - 1][0] == '-') {
		fputs(usage, argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
		return 2;
	}
	if (secret_setup(STR("")) != OK) /* the tables are keyed */
		return 2;
	history_prove(file_read(argv[argc - 1]), gaps, &v);
	verdict_print(&v);
	holds = v.violations == 0;
	verdict_free(&v);
	return holds ? 0 : 1;
}
