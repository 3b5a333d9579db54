/* Redis: one command connection, pipelined; all that a loop turn asks for goes out in one write.
 * The adapter to the loop is ours (readable for good, one flush a turn, writable only after
 * EAGAIN). Subscriptions have a connection of their own: io/redis_sub.h.
 *
 * Away: a command that waits while nothing is answered for STORE_TIMEOUT_MS closes the connection;
 * every slot ends with ERR_UNAVAILABLE, and so does each new command, at once, until the connection
 * is back: tried again after 50 ms, doubling to 500 ms, with jitter. Back means: connected, AUTH
 * and SELECT done, scripts loaded, `on_ready` run.
 *
 * A script is an atomic step under schema/redis/, embedded in the binary, called by SHA; NOSCRIPT
 * is answered by one retry with the source.  */
#ifndef IO_REDIS_H
#define IO_REDIS_H

#include "io/task.h"

struct redis_script {
	const char *name; /* file name without .lua */
	const char *source;
	size_t length;
	enum op_kind kind; /* OP_READ when the first line says "-- read" */
	char sha[41];      /* filled when loaded */
};

struct redis_setup {
	struct str url;
	struct redis_script *scripts;
	size_t script_count;
	int64_t timeout_ms;
	/* After each (re)connect, before commands are let in: starts a task and returns it; its
	 * operations pass early. Its `ended` calls redis_ready_done, once. NULL: nothing to do. */
	struct task *(*on_ready)(void);
};
/* `url`: redis://[[user]:password@]host[:port][/db] or unix://[[user]:password@]/path[?db=0]. A
 * host name is resolved here, once: a changed address needs a restart. ERR_INVALID_REQUEST and a
 * sentence in *why when the URL is bad or the name has no address; a server that is away is no
 * error. */
enum err redis_start(const struct redis_setup *s, struct str *why) MUST_CHECK;
void redis_stop(void);             /* closes; slots end with ERR_UNAVAILABLE */
void redis_ready_done(enum err e); /* an error: the connection is made anew */
bool redis_is_up(void);

/* A reply, valid only inside the decoder. */
struct redis_value;
bool redis_is_nil(const struct redis_value *v);
int64_t redis_i64(const struct redis_value *v);    /* integer or decimal text; 0 otherwise */
struct str redis_str(const struct redis_value *v); /* bulk or status; STR_NULL otherwise */
size_t redis_len(const struct redis_value *v);     /* array length; 0 otherwise */
const struct redis_value *redis_at(const struct redis_value *v, size_t i); /* NULL past the end */

/* Translates a reply into *out; copies what it keeps into the task's arena. An error ends the
 * operation with it. May be NULL: the answer does not matter. Replies that are Redis errors never
 * get here: they are logged and become ERR_UNAVAILABLE (LOADING, READONLY, OOM, …) or ERR_INTERNAL.
 */
typedef enum err redis_decode(struct task *t, const struct redis_value *v, void *out);

#define REDIS_ARGS 48
struct redis_args {
	struct str v[REDIS_ARGS];
	int n;
	int keys; /* how many of them are keys (scripts: the first ones) */
};
/* Of %lld, %s and %.*s. */
void redis_key(struct task *t, struct redis_args *a, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void redis_arg(struct redis_args *a, struct str s);
void redis_arg_i64(struct task *t, struct redis_args *a, int64_t v);

/* a->v[0] is the command's name. Arguments are copied before the call returns. */
void redis_call(struct task *t, enum op_kind kind, const struct redis_args *a, redis_decode *decode,
	void *out, task_fn *next);
void redis_eval(struct task *t, struct redis_script *s, const struct redis_args *a,
	redis_decode *decode, void *out, task_fn *next);

struct redis_stats {
	uint64_t commands, errors, reconnects;
	size_t in_flight;
	int64_t latency_us; /* moving average */
	int64_t silent_ms;  /* since anything was answered */
};
struct redis_stats redis_stats(void);

#endif
