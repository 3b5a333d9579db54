/* CPU time of other processes: owns who is watched, and what they have used so far.
 *
 * The scheduler's own count (/proc/PID/task/TID/schedstat, nanoseconds) is read: the one in `stat`
 * counts ticks, which are longer than most of what is measured here. */
#include "cpu.h"

#include <dirent.h>
#include <stdio.h>

#include "run.h"

#define PIDS_MAX 128

static struct watched {
	char name[16];
	int64_t pids[PIDS_MAX], begun_ns[PIDS_MAX];
	size_t count;
	int64_t used_ns;
} watched[CPU_WATCHED_MAX];
static size_t watched_count;

static int64_t thread_ns(int64_t pid, const char *tid)
{
	char path[64], text[64] = "";
	struct str rest;
	int64_t ns;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%lld/task/%.16s/schedstat", (long long)pid, tid);
	f = fopen(path, "r");
	if (!f)
		return 0; /* gone meanwhile */
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	rest = str_of(text);
	return str_to_i64(str_cut(&rest, ' '), &ns) ? ns : 0;
}

static int64_t process_ns(int64_t pid)
{
	char path[32];
	int64_t sum = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%lld/task", (long long)pid);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			sum += thread_ns(pid, e->d_name);
	if (d)
		closedir(d);
	return sum;
}

void cpu_of(const char *text)
{
	struct str rest = text ? str_of(text) : STR_NULL;

	while (rest.p) {
		struct watched *w = &watched[watched_count++];
		struct str pids = str_cut(&rest, ','), name = str_cut(&pids, '=');

		if (watched_count > CPU_WATCHED_MAX || name.n == 0 || name.n >= sizeof(w->name) ||
			!pids.p)
			run_fail("--cpu-of: NAME=PID[+PID…] with commas between them");
		snprintf(w->name, sizeof(w->name), STR_FMT, STR_ARG(name));
		while (pids.p)
			if (w->count == PIDS_MAX ||
				!str_to_i64(str_cut(&pids, '+'), &w->pids[w->count++]))
				run_fail("--cpu-of: at most %d numbers of processes", PIDS_MAX);
	}
}

void cpu_begin(void)
{
	for (struct watched *w = watched; w < watched + watched_count; w++)
		for (size_t i = 0; i < w->count; i++)
			w->begun_ns[i] = process_ns(w->pids[i]);
}

void cpu_end(void)
{
	for (struct watched *w = watched; w < watched + watched_count; w++)
		for (size_t i = 0; i < w->count; i++) {
			int64_t used = process_ns(w->pids[i]) - w->begun_ns[i];

			w->used_ns += used > 0 ? used : 0; /* it may have ended */
		}
}

void cpu_write(uint64_t count, struct json_out *j)
{
	for (size_t i = 0; i < watched_count; i++) {
		json_key(j, watched[i].name);
		if (count > 0)
			json_i64(j, watched[i].used_ns / 1000 / (int64_t)count);
		else
			json_null(j);
	}
}
