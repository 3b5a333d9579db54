/* A load run: what the operator asked for, what all scenarios count, and the course of it.
 *
 *   people signed in -> scenario.prepare -> run_ready -> scenario.begin -> (seconds) ->
 * scenario.end
 *   -> run_settled -> result -> scenario.release
 *   -> run_released -> the loop runs empty
 *
 * To add a scenario: a file with a struct scenario, and its row in main.c. */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include "client.h"
#include "hist.h"
#include "io/loop.h"

#define RUN_URLS_MAX    16
#define RUN_TALLIES_MAX 24

struct options {
	const char *urls[RUN_URLS_MAX];
	size_t url_count;
	const char *bot_key, *platform, *host, *chats, *history, *json;
	int64_t clients, rooms, rooms_each, rate, bytes, seconds, settle, cuts, connect_rate,
		retry_ms, ack_ms;
};

struct person {
	char token[44]; /* of the session, with a NUL */
	char from[16];  /* the address it says it comes from */
	char platform_user_id[20];
};

struct scenario;

struct counts { /* one second's, or the whole run's */
	uint64_t sent, acked, resent, received;
	struct hist ack, receive;
};

struct tally { /* what went wrong, by its name */
	char name[48];
	uint64_t n;
};

struct run {
	struct options o;
	const struct scenario *scenario;
	uint32_t id; /* in every client_id */
	struct origin *origins[RUN_URLS_MAX];
	struct web *webs[RUN_URLS_MAX]; /* one an origin */
	struct person *people;          /* o.clients of them; then, with o.host, the host */
	size_t signed_in;
	struct counts total, second;
	size_t open; /* sockets */
	uint64_t reconnects, gaps, refused, unsettled;
	int64_t begun_ns, ended_ns; /* when load began, when it was told to end; 0: not yet */
	struct tally tallies[RUN_TALLIES_MAX];
};
extern struct run run;

struct scenario {
	const char *name, *help;
	void (*prepare)(void); /* people are signed in; ends with run_ready */
	void (*begin)(void);   /* load, from run.begun_ns on */
	void (*end)(void);     /* no new load; ends with run_settled */
	void (*explain)(void); /* who is not settled: some lines of run_note */
	void (*release)(void); /* sockets go, what was made is removed; ends with run_released */
};
extern const struct scenario scenario_chat;

void run_ready(void);
void run_settled(void);
void run_released(void);
_Noreturn void run_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void run_tally(struct str name);
void run_note(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* a line of progress */

static inline void run_count_ack(int64_t us)
{
	run.total.acked++;
	run.second.acked++;
	hist_add(&run.total.ack, us);
	hist_add(&run.second.ack, us);
}

/* latency < 0: not measured, for what did not come live */
static inline void run_count_receive(int64_t us)
{
	run.total.received++;
	run.second.received++;
	if (us < 0)
		return;
	hist_add(&run.total.receive, us);
	hist_add(&run.second.receive, us);
}

/* people.c: signs all of run.people in (web codes that the bot fetches), then calls `done`. */
void people_sign_in(void (*done)(void));
/* Header lines that make a request one of this person's. */
void person_headers(const struct person *p, struct buf *b);

#endif
