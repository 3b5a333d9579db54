/* Inside the core of api/: the request itself, and what passes it on.
 *
 *   request.c: on_request (admission: route, method, origin, probes) -> task
 *   gate.c:    gate_begin: limit, credential, body and fields, level -> route->begin
 *   reply.c:   reply_* or a failure -> headers, body, log line, figures -> http_reply
 *   event.c:   a socket's event -> the same task with gate_fields first and sio_ack last
 *
 * A struct request comes from a pool. It ends with its task, or, when it was answered without
 * one, with the answer. */
#ifndef API_SERVE_H
#define API_SERVE_H

#include "api/fields.h"
#include "api/request.h"
#include "api/router.h"
#include "hub/http.h"
#include "hub/sio.h"
#include "store/bot.h"
#include "store/session.h"

struct request {
	struct request *next_free;
	struct exchange *x;        /* NULL once answered, or when the client has left */
	bool event;                /* a socket's event: no exchange */
	struct socket *socket;     /* of an event; NULL when it has gone */
	int64_t ack;               /* of an event */
	struct list turn;          /* among the events of its socket */
	struct op waits;           /* for the events before it */
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
	struct str body, query, user_agent, has_tag;
	bool takes_gzip;
	struct str params[ROUTE_PARAMS];
	struct value *values; /* as many as the route has fields */
	struct gate *gate;

	struct buf head; /* header lines that the handler adds */
	struct buf out;  /* the body */
	struct json_out json;
};

/* request.c */
struct request *request_of(const struct task *t);
struct request *request_new(void);
void request_free(struct request *q);
void client_address(const struct addr *peer, const struct http_request *r, struct addr *out);
/* Does the request name an origin that is neither listed nor the server's own? */
bool origin_foreign(const struct addr *peer, const struct http_request *r);
bool token_formed(struct str s);     /* has the form of a session token */
void correlation_make(char out[37]); /* a fresh id */

#ifdef PORTAL_FAULTS
/* Test builds: `how`, "drop:K", "fail:K", "deadline:K" or "hold:K", is what befalls the K-th
 * operation of a task (io/task.h); drop: how its client leaves. NULL p: nothing. A request says it
 * in a header; an event in the member FAULT_MEMBER of its data; a CONNECT in the header of its
 * handshake. "fail:K NAME" befalls the next task of that name instead. A request whose header says
 * "release" lets the oldest held task go on. */
#define FAULT_HEADER "X-Portal-Fault"
#define FAULT_MEMBER "portal_fault"
void fault_inject(struct task *t, struct str how, void (*drop)(struct task *t));
#endif

/* gate.c: the first step of every request; and of an event, whose socket has passed before. */
void gate_begin(struct task *t);
void gate_fields(struct task *t);

/* reply.c */
extern const struct task_ops request_ops;
/* Answers a request that has no task. */
void reply_now(struct request *q, const struct fault *f);
void reply_empty_now(struct request *q, int status);
void error_body(struct buf *b, const struct fault *f, const char *correlation);
void reply_broken(enum err e, const struct addr *peer, struct buf *head, struct buf *body);

/* event.c */
void event_answer(struct request *q, struct str body);
void event_ended(struct request *q); /* with its task */

#endif
