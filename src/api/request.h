/* What a handler sees: the fields of its request, who calls, and the reply.
 *
 * A request is a task (io/task.h) whose subject is a struct request; the gate has already checked
 * origin, limits, credential and every field against the route's row when `begin` runs. A handler
 * ends with reply_* (which end the task) or with task_fail. */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "api/route.h"
#include "base/addr.h"
#include "base/json.h"
#include "base/secret.h"
#include "io/task.h"
#include "rules/permission.h"

enum who {
	WHO_NOBODY,
	WHO_PUBLIC, /* no credential, or the public key */
	WHO_SESSION,
	WHO_BOT
};

struct caller {
	enum who who;
	struct addr addr;         /* of the client, proxies seen through */
	char addr_key[ADDR_TEXT]; /* what limits and codes are bound to */
	/* WHO_SESSION */
	int64_t user_id;
	uint8_t token_hash[HASH_LEN];
	int level; /* only when the route asks for a level; else -1 */
	/* WHO_BOT */
	int64_t bot_id;
	struct str bot_platform;
	bool bot_login;
	int64_t bot_hourly; /* rate_limit_per_hour */
};
const struct caller *caller(const struct task *t);
struct person caller_admin(const struct task *t); /* the person, where the route asks for a level */
struct str request_user_agent(const struct task *t); /* at most 255 code points, valid UTF-8 */
/* Of a GET: may the body be compressed, and the tag of what the client has (If-None-Match). */
bool request_takes_gzip(const struct task *t);
struct str request_has_tag(const struct task *t);

/* Fields by name, wherever they stand (body, query, path). Asking for a field that the row does not
 * have is a bug. Strings live in the arena. */
bool in_has(const struct task *t, const char *name);       /* given and not null */
bool in_given(const struct task *t, const char *name);     /* given, null or not */
struct str in_str(const struct task *t, const char *name); /* STR_NULL when absent */
int64_t in_i64(const struct task *t, const char *name);    /* the default, or 0, when absent */
bool in_bool(const struct task *t, const char *name);
int64_t in_time(const struct task *t, const char *name);            /* us; 0 when absent */
const struct json *in_json(const struct task *t, const char *name); /* NULL when absent */

/* What the gate read along for a route with `with`; STR_NULL when Redis has none that is up to
 * date. *generation: under which it is to be kept. */
struct str gate_with(const struct task *t, struct str *generation);

/* The reply. reply_json starts the body; write one value; reply_send ends the task with the row's
 * status. Headers are added before. */
struct json_out *reply_json(struct task *t);
void reply_header(struct task *t, const char *name, struct str value);
/* The session cookie, contract 1.1. max_age: s; 0 clears it, by the same attributes. */
void reply_cookie(struct task *t, struct str token, int64_t max_age);
void reply_send(struct task *t);
void reply_send_status(struct task *t, int status);      /* another status than the row's */
void reply_message(struct task *t, const char *message); /* {"message": …} */
void reply_ok(struct task *t);                           /* {"ok": true} */
/* A ready body of another type (text/html; charset=utf-8, text/plain; version=0.0.4). */
void reply_raw(struct task *t, int status, const char *type, struct str body);
/* The same of a page that sets its own policy; type NULL: there is no body. */
void reply_page(struct task *t, int status, const char *type, struct str body);

/* 400 about one field: `sentence` is a literal or in the arena; starts with the field's name. */
void fail_field(struct task *t, const char *field, struct str sentence);
/* 403 with what is needed: "Admin access required". */
void fail_denied(struct task *t, const char *sentence);

#endif
