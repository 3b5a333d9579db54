/* Inside the core of api/: the request itself, and what passes it on.
 *
 *   request.c: on_request (admission: route, method, origin, probes) -> task
 *   gate.c:    gate_begin: limit, credential, body and fields, level -> route->begin
 *   reply.c:   reply_* or a failure -> headers, body, log line, figures -> http_reply
 *
 * A struct request comes from a pool. It ends with its task, or, when it was answered without
 * one, with the answer. */
#ifndef API_SERVE_H
#define API_SERVE_H

#include "api/fields.h"
#include "api/request.h"
#include "api/router.h"
#include "hub/http.h"
#include "store/bot.h"
#include "store/session.h"

struct request {
	struct request *next_free;
	struct exchange *x;        /* NULL once answered, or when the client has left */
	struct task *task;         /* NULL: answered without one */
	const struct route *route; /* NULL: none matched */
	enum http_method method;
	int64_t started_ns;
	char correlation[37];
	bool told;                /* in the log and the figures */
	bool api;                 /* under /v1: not to be stored */
	const struct str *origin; /* of ALLOWED_ORIGINS, when the request names one of them */
	struct caller caller;
	struct rate rate; /* what the limit said; max 0: not counted */

	/* Credentials as sent, hashed. */
	bool has_cookie, has_token; /* a cookie psession; one of the right form */
	bool has_key, key_is_bot;   /* an X-API-Key; one of a bot key's form */
	uint8_t key_hash[HASH_LEN];
	bool form; /* a POST from a browser whose body is no JSON */

	/* What the handler may ask for; in the arena. */
	struct str body, query, user_agent;
	struct str params[ROUTE_PARAMS];
	struct value *values; /* as many as the route has fields */
	struct gate *gate;

	struct buf head; /* header lines that the handler adds */
	struct buf out;  /* the body */
	struct json_out json;
};

/* request.c */
struct request *request_of(const struct task *t);
void request_free(struct request *q);
void correlation_make(char out[37]); /* a fresh id */

/* gate.c: the first step of every request. */
void gate_begin(struct task *t);

/* reply.c */
extern const struct task_ops request_ops;
/* Answers a request that has no task. */
void reply_now(struct request *q, const struct fault *f);
void reply_empty_now(struct request *q, int status);
void reply_broken(enum err e, const struct addr *peer, struct buf *head, struct buf *body);

#endif
