/* A load run: what the operator asked for, who takes part, and the course of it.
 *
 *   servers reached -> people signed in -> prepare -> run_ready -> begin -> (seconds) -> end ->
 * run_settled -> result
 *   -> release -> run_released -> the loop runs empty
 *
 * A run is one scenario or, with `mix`, several at once: each is prepared, begun and ended like the
 * others, says run_ready, run_settled and run_released once each, and the run goes on when all
 * have.
 *
 * To add a scenario: a file with a struct scenario, its line at the end of this header, and its row
 * in options.c. Progress, result, report and comparison show its meters by their names. */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include "client.h"
#include "io/loop.h"
#include "meter.h"

#define RUN_URLS_MAX    16
#define RUN_PARTS_MAX   8
#define RUN_TALLIES_MAX 24

struct options { /* those of all scenarios */
	const char *urls[RUN_URLS_MAX];
	size_t url_count;
	const char *bot_key, *platform, *host, *weights, *history, *json, *html, *ca;
	int64_t clients, rate; /* < 0: not given */
	int64_t seconds, settle, connect_rate, retry_ms, ack_ms, sign_ins, insecure;
};

/* A row of an option table; a table ends with one without a name. */
struct option {
	const char *name;
	const char **text; /* or */
	int64_t *number;
	int64_t least, most; /* the same: a flag, which sets it and takes no value */
	const char *help;
};

struct person {
	char token[44]; /* of the session, with a NUL; empty: not signed in */
	char from[16];  /* the address it says it comes from */
	char platform_user_id[20];
};

struct share { /* what a scenario has of a run */
	struct person *people;
	size_t clients; /* and people */
	int64_t rate;   /* operations a second; what 0 means the scenario says */
};

struct scenario {
	const char *name, *help;
	int64_t clients, rate;                     /* when the operator does not say */
	bool strangers;                            /* its people do not come signed in */
	const struct option *options;              /* its own; or NULL */
	struct meter *const *meters;               /* ends with NULL */
	void (*prepare)(const struct share *mine); /* ends with run_ready */
	void (*begin)(void);                       /* load, from run.begun_ns on */
	void (*end)(void);                         /* no new load; ends with run_settled */
	void (*result)(struct json_out *j);        /* further members of the result; may be NULL */
	void (*explain)(void); /* who is not settled: some lines of run_note; may be NULL */
	void (*release)(void); /* sockets go, what was made is removed; ends with run_released */
};

struct part {
	const struct scenario *scenario;
	struct share share;
};

struct tally { /* what went wrong, by its name */
	char name[48];
	uint64_t n;
};

struct run {
	struct options o;
	const char *name; /* of the scenario, or mix */
	struct part parts[RUN_PARTS_MAX];
	size_t part_count;
	uint32_t id; /* in every client_id */
	struct origin *origins[RUN_URLS_MAX];
	struct web *webs[RUN_URLS_MAX]; /* one an origin, of WEB_LINKS connections */
	struct person *people;          /* of all parts; then, with o.host, the host */
	size_t people_count, signed_in; /* without the host */
	size_t open;                    /* sockets */
	uint64_t errors, errors_second, unsettled;
	int64_t begun_ns, ended_ns; /* when load began, when it was told to end; 0: not yet */
	struct tally tallies[RUN_TALLIES_MAX];
};
extern struct run run;

void run_ready(void);
void run_settled(void);
void run_released(void);
_Noreturn void run_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void run_tally(struct str name); /* one more error */
/* The same for an answer of HTTP: its code, its status, or that none came. */
void run_tally_answer(const char *what, const struct web_answer *a);
void run_note(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* a line of progress */

/* options.c: reads the command line into run.o, run.parts and the scenarios' own. */
void options_read(int argc, char **argv);
/* Members of the open object: what was asked for. Secrets are left out. */
void options_write(struct json_out *j);

/* reach.c: makes the origins, and asks each whether it is there, which must be so; then `done`. */
void servers_reach(void (*done)(void));
/* A member of the open object: how https servers are known to be who they say; none without any. */
void servers_write(struct json_out *j);

/* people.c: signs in all who take part and do not stay strangers, then calls `done`. */
void people_make(void);
void people_sign_in(void (*done)(void));
/* Header lines that make a request one of this person's. */
void person_headers(const struct person *p, struct buf *b);
/* The person who owns the run's chats; only with --host. */
struct person *run_host(void);

/* One sign-in: request, the bot's fetch, verify. Embedded; zeroed but for the first three. */
enum login_step {
	LOGIN_REQUEST,
	LOGIN_FETCH,
	LOGIN_VERIFY,
	LOGIN_STEPS
};
struct login {
	struct person *person;
	struct web *web;
	/* `failed`: the answer that was no good, at `step`; NULL: the person has a token. */
	void (*done)(struct login *l, const struct web_answer *failed);
	enum login_step step;
	int64_t took_us[LOGIN_STEPS]; /* of each step so far */
};
extern const char *const login_paths[LOGIN_STEPS];
void login_begin(struct login *l);

extern const struct scenario scenario_login, scenario_me, scenario_chat, scenario_match,
	scenario_meet, scenario_idle, scenario_storm;

#endif
