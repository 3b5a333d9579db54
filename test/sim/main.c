/* The simulator of the matcher: real scripts, no network, no clock.
 *
 *   sim [--from S] [--seeds N] [--steps K]   seeds S … S+N-1; ends with the first that fails
 *   sim --faults [--seeds N]                 plants each fault (fault.c) and looks for a seed that
 * finds it sim --fault I [--from S] …               with fault I (0 …) sim --people N [--plot FILE]
 * fairness (fair.c)
 *
 * Same arguments, same steps. Run it from the root of the tree. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "redis.h"
#include "sim.h"

/* ---- chance: splitmix64 ---- */

static uint64_t state;

void chance_seed(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15U;
}

uint64_t chance(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15U;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

uint32_t below(uint32_t n)
{
	return (uint32_t)((chance() >> 32) * n >> 32);
}

void *must(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- seeds ---- */

static uint64_t from = 1, seeds = 10000;
static int steps = 300;

/* The first that finds something, 0: none. */
static uint64_t seed_that_fails(void)
{
	for (uint64_t i = from; i < from + seeds; i++)
		if (!world_run(i, steps))
			return i;
	return 0;
}

static int run_seeds(void)
{
	double begun = seconds();
	uint64_t bad = seed_that_fails();

	if (bad) {
		printf("%s\nsim: seed %" PRIu64 " fails (--from %" PRIu64
		       " --seeds 1 --steps %d)\n",
			world_why, bad, bad, steps);
		return 1;
	}
	printf("%" PRIu64 " seeds, %" PRIu64 " commands, %.1f s of a core\n", seeds, redis_calls,
		seconds() - begun);
	return 0;
}

static int run_faults(void)
{
	int found = 0;

	for (int i = 0; i < planted_n; i++) {
		uint64_t bad;

		script_load(planted[i].script, planted[i].from, planted[i].to);
		bad = seed_that_fails();
		found += bad != 0;
		printf("%2d %-10s seed %-5" PRIu64 " %s: %s", i, bad ? "found" : "NOT FOUND", bad,
			script_names[planted[i].script], planted[i].what);
		printf("%s%.*s\n", bad ? " <- " : "", bad ? (int)strcspn(world_why, "\n") : 0,
			world_why);
	}
	printf("%d of %d faults found\n", found, planted_n);
	return found >= planted_n - 2 ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *plot = NULL;
	int fault = -1, people = 0;
	bool faults = false;

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "0";

		if (strcmp(argv[i], "--faults") == 0) {
			faults = true;
			continue;
		}
		i++;
		if (strcmp(argv[i - 1], "--from") == 0)
			from = strtoull(value, NULL, 10);
		else if (strcmp(argv[i - 1], "--seeds") == 0)
			seeds = strtoull(value, NULL, 10);
		else if (strcmp(argv[i - 1], "--steps") == 0)
			steps = atoi(value);
		else if (strcmp(argv[i - 1], "--fault") == 0)
			fault = atoi(value);
		else if (strcmp(argv[i - 1], "--people") == 0)
			people = atoi(value);
		else if (strcmp(argv[i - 1], "--plot") == 0)
			plot = value;
		else
			return fprintf(stderr, "sim: %s? (see test/sim/main.c)\n", argv[i - 1]), 2;
	}
	if (faults)
		return run_faults();
	if (fault >= 0 && fault < planted_n)
		script_load(planted[fault].script, planted[fault].from, planted[fault].to);
	else
		script_load_plain();
	return people ? fair_run(people, plot) : run_seeds();
}
