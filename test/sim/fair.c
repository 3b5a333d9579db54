/* Fairness of the pairing: many people with interests as unevenly spread as in life (Zipf) arrive
 * over virtual time, are matched, talk for a while and leave for good. Reports how long they waited
 * and how fast the pairing step is in the embedded interpreter, and draws the waiting times.
 *
 * The tick runs each TICK_MS of virtual time, so retries and what is due happen when they would. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "redis.h"
#include "sim.h"

#define TAGS     1000
#define TICK_MS  250
#define EVERY_MS 20 /* somebody arrives, on average: 50 a second */
#define TALK_MS  180000
#define ANY      10 /* one in so many looks for anybody */
#define BINS     60

struct chat {
	int64_t ends;
	int64_t id;
	int who;
};

static double cumulated[TAGS];
static int64_t *arrived, *waited; /* -1: still there */
static struct chat *chats;        /* a heap by their end */
static int chat_n, pairs;
static double script_s;

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- people ---- */

static double uniform(void)
{
	return (double)(chance() >> 11) / 9007199254740992.0;
}

static void zipf_setup(void)
{
	double sum = 0;

	for (int i = 0; i < TAGS; i++)
		cumulated[i] = sum += 1.0 / (i + 1);
}

static int zipf(void)
{
	double at = uniform() * cumulated[TAGS - 1];
	int low = 0, high = TAGS - 1;

	while (low < high) {
		int mid = (low + high) / 2;

		if (cumulated[mid] < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void interests(char out[static 64])
{
	int64_t tag[3];
	int n = 1 + (int)below(3), at = 0;

	if (below(ANY) == 0) {
		strcpy(out, "any");
		return;
	}
	for (int i = 0; i < n; i++)
		tag[i] = zipf();
	qsort(tag, (size_t)n, sizeof(*tag), by_number);
	for (int i = 0; i < n; i++)
		if (i == 0 || tag[i] != tag[i - 1])
			at += sprintf(out + at, "%stag%03d", at ? " " : "", (int)tag[i]);
}

/* ---- chats by their end ---- */

static void chat_add(struct chat c)
{
	int i = chat_n++;

	while (i > 0 && chats[(i - 1) / 2].ends > c.ends) {
		chats[i] = chats[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	chats[i] = c;
}

static struct chat chat_take(void)
{
	struct chat top = chats[0], last = chats[--chat_n];
	int i = 0;

	for (int next = 1; next < chat_n; next = 2 * i + 1) {
		if (next + 1 < chat_n && chats[next + 1].ends < chats[next].ends)
			next++;
		if (last.ends <= chats[next].ends)
			break;
		chats[i] = chats[next];
		i = next;
	}
	chats[i] = last;
	return top;
}

/* ---- steps ---- */

static void try(int person, const char *tags, int64_t id)
{
	char user[16], chat[24], shown[40];
	const char *words[] = {"|", user, chat, *tags ? "1" : "0",
		"60000 60000 600000 86400000 10000 600000", *tags ? tags : NULL, "later", shown,
		" ", NULL};
	double begun = seconds();

	snprintf(user, sizeof(user), "%d", person + 1);
	snprintf(chat, sizeof(chat), "%lld", (long long)id);
	snprintf(shown, sizeof(shown), "{\"id\":%d}", person + 1);
	redis_told_n = 0;
	script_run(MATCH_TRY, words);
	script_s += seconds() - begun;
	if (answer(0) != 2)
		return;
	pairs++;
	for (int i = 0; i < redis_told_n; i++) {
		int who;

		if (strncmp(redis_told[i].text, "c !direct", 9) != 0)
			continue;
		who = atoi(redis_told[i].channel + 12) - 1;
		waited[who] = redis_ms - arrived[who];
	}
	chat_add((struct chat){redis_ms + (int64_t)(-log(1 - uniform()) * TALK_MS), id, person});
}

static void chat_ends(void)
{
	struct chat c = chat_take();
	char chat[24], user[16];
	const char *words[] = {"|", chat, "left", user, "0", "300000", NULL};

	snprintf(chat, sizeof(chat), "%lld", (long long)c.id);
	snprintf(user, sizeof(user), "%d", c.who + 1);
	redis_told_n = 0;
	script_run(MATCH_END, words);
}

static void tick(int64_t *ids)
{
	const char *words[] = {"|", "64", NULL};
	int64_t again[128];
	int n;

	script_run(MATCH_DUE, words);
	n = answer_n(3);
	for (int i = 0; i < n; i++)
		again[i] = atoll(answer_text(3, i));
	for (int i = 0; i < n; i++)
		try((int)again[i] - 1, "", ++*ids);
	redis_fresh();
}

/* A socket each, that the end of the search is not in the way. */
static void arrives(int person, int64_t *ids)
{
	char tags[64];

	interests(tags);
	redis_do("HSET portal:sockets:%d 0a:01 1", person + 1);
	arrived[person] = redis_ms;
	try(person, tags, ++*ids);
}

/* ---- the figure ---- */

#define W     720
#define H     320
#define LEFT  60
#define BELOW 270
#define HIGH  230

/* People by how long they waited, on axes that grow tenfold: 1 ms to the longest. */
static void plot(const char *path, const int64_t *sorted, int n, int64_t median, int64_t p99)
{
	double top = log10((double)(sorted[n - 1] > 10 ? sorted[n - 1] : 10)), most = 1;
	int bins[BINS] = {0};
	FILE *f = fopen(path, "w");

	if (!f)
		die("%s: cannot be written", path);
	for (int i = 0; i < n; i++) {
		double at = log10(sorted[i] < 1 ? 1.0 : (double)sorted[i]) / top * BINS;

		bins[at >= BINS ? BINS - 1 : (int)at]++;
	}
	for (int i = 0; i < BINS; i++)
		most = bins[i] > most ? bins[i] : most;
	fprintf(f,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
		"font-family=\"sans-serif\""
		" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
		"<text x=\"%d\" y=\"20\">How long %d people waited for a partner (each bar: "
		"people, by a"
		" logarithmic scale)</text>\n",
		W, H, LEFT, n);
	for (int i = 0; i < BINS; i++) {
		double height = bins[i] ? log10(1.0 + bins[i]) / log10(1.0 + most) * HIGH : 0;

		fprintf(f,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
			"fill=\"#4878a8\"/>\n",
			LEFT + i * (double)(W - 2 * LEFT) / BINS, BELOW - height,
			(double)(W - 2 * LEFT) / BINS - 1, height);
	}
	for (int64_t ms = 1; log10((double)ms) <= top; ms *= 10) {
		double x = LEFT + log10((double)ms) / top * (W - 2 * LEFT);

		fprintf(f, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s%lld %s</text>\n", x,
			BELOW + 18, ms == 1 ? "≤ " : "", (long long)(ms < 1000 ? ms : ms / 1000),
			ms < 1000 ? "ms" : "s");
	}
	for (int64_t people = 1; (double)people <= most; people *= 10)
		fprintf(f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%lld</text>\n", LEFT - 6,
			BELOW - log10(1.0 + (double)people) / log10(1.0 + most) * HIGH + 4,
			(long long)people);
	fprintf(f,
		"<text x=\"%d\" y=\"%d\">median %.2f s, 99 of 100 within %.1f s, longest %.1f "
		"s</text>\n</svg>\n",
		LEFT, BELOW + 40, (double)median / 1000, (double)p99 / 1000,
		(double)sorted[n - 1] / 1000);
	fclose(f);
}

/* ---- all of it ---- */

static void report(int people, const char *svg, double cpu_s)
{
	int64_t *sorted = must(malloc((size_t)people * sizeof(*sorted)));
	int n = 0;

	for (int i = 0; i < people; i++)
		if (waited[i] >= 0)
			sorted[n++] = waited[i];
	if (n == 0)
		die("nobody met anybody");
	qsort(sorted, (size_t)n, sizeof(*sorted), by_number);
	printf("{\"people\":%d,\"paired\":%d,\"left_over\":%d,\"pairs\":%d,\"median_ms\":%lld,"
	       "\"p99_ms\":%lld,"
	       "\"longest_ms\":%lld,\"pairs_per_s\":%.0f,\"commands_per_pair\":%.1f,\"cpu_s\":%."
	       "1f}\n",
		people, n, people - n, pairs, (long long)sorted[n / 2],
		(long long)sorted[n * 99LL / 100], (long long)sorted[n - 1], pairs / script_s,
		(double)redis_calls / pairs, cpu_s);
	if (svg)
		plot(svg, sorted, n, sorted[n / 2], sorted[n * 99LL / 100]);
	free(sorted);
}

int fair_run(int people, const char *svg)
{
	double begun = seconds();
	int64_t ids = 1000000000, next, ticks;
	int here = 0;

	chance_seed(5);
	zipf_setup();
	redis_reset();
	redis_ms = 1700000000000;
	arrived = must(calloc((size_t)people, sizeof(*arrived)));
	waited = must(malloc((size_t)people * sizeof(*waited)));
	chats = must(malloc(((size_t)people + 1) * sizeof(*chats)));
	memset(waited, -1, (size_t)people * sizeof(*waited));
	next = redis_ms;
	ticks = redis_ms;
	while (here < people) {
		int64_t end = chat_n ? chats[0].ends : INT64_MAX;

		redis_ms = next < ticks ? next : ticks;
		if (end <= redis_ms) {
			redis_ms = end;
			chat_ends();
		} else if (next <= ticks) {
			arrives(here++, &ids);
			next += (int64_t)(-log(1 - uniform()) * 2 * EVERY_MS) / 2;
		} else {
			tick(&ids);
			ticks += TICK_MS;
		}
	}
	report(people, svg, seconds() - begun);
	free(arrived);
	free(waited);
	free(chats);
	return 0;
}
