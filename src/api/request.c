/* Requests: from the exchange to a task, and what a handler asks of its own.
 *
 *   on_request -> client, credentials -> route (404, 405), preflight, origin -> task: gate_begin
 *   on_gone    -> the task becomes an orphan
 * Owns: the pool of requests.
 * Lifetime: slices of the http_request end with on_request; what must stay is copied to the task's
 * arena. A request is freed with its task, or when it was answered without one.
 * To let handlers see more of a request: edit struct request (api/serve.h) and request_keep. */
#include "api/cors.h"
#include "api/serve.h"
#include "api/server.h"
#include "api/socket.h"
#include "base/clock.h"
#include "base/config.h"
#include "wire/forwarded.h"

#include <stdlib.h>

#define POOL_MAX     256  /* idle requests that are kept */
#define POOL_BODY    2048 /* a larger buffer is not kept */
#define AGENT_POINTS 255

/* ---- the pool ---- */

static struct {
	struct request *idle;
	size_t count;
} pool;

#if defined(__SANITIZE_ADDRESS__) || defined(PORTAL_FAULTS)
#define POOLED false /* so that a use after the end is seen */
#else
#define POOLED true
#endif

struct request *request_new(void)
{
	struct request *q = pool.idle;
	struct buf head, out;

	if (!q) {
		q = calloc(1, sizeof(*q));
		if (!q)
			PANIC("out of memory");
		return q;
	}
	pool.idle = q->next_free;
	pool.count--;
	head = q->head;
	out = q->out;
	memset(q, 0, sizeof(*q));
	q->head = head;
	q->out = out;
	q->head.n = q->out.n = 0;
	return q;
}

static void request_delete(struct request *q)
{
	buf_free(&q->head);
	buf_free(&q->out);
	free(q);
}

void request_free(struct request *q)
{
	if (!POOLED || pool.count >= POOL_MAX || q->out.cap > POOL_BODY) {
		request_delete(q);
		return;
	}
	q->next_free = pool.idle;
	pool.idle = q;
	pool.count++;
}

void request_pool_drain(void)
{
	while (pool.idle) {
		struct request *q = pool.idle;

		pool.idle = q->next_free;
		request_delete(q);
	}
	pool.count = 0;
}

/* ---- correlation ---- */

void correlation_make(char out[37])
{
	secret_uuid(out);
	out[36] = '\0';
}

static bool is_uuid(struct str s)
{
	if (s.n != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		char c = s.p[i];
		bool hex =
			(c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

		if (i == 8 || i == 13 || i == 18 || i == 23 ? c != '-' : !hex)
			return false;
	}
	return true;
}

static void request_correlate(struct request *q, const struct http_request *r)
{
	if (!is_uuid(r->correlation_id)) {
		correlation_make(q->correlation);
		return;
	}
	memcpy(q->correlation, r->correlation_id.p, 36);
	q->correlation[36] = '\0';
}

/* ---- who asks ---- */

static bool peer_trusted(const struct addr *peer)
{
	if (peer->unix_peer)
		return true;
	for (size_t i = 0; i < config.proxies.count; i++)
		if (cidr_has(&config.proxies.items[i], peer))
			return true;
	return false;
}

void client_address(const struct addr *peer, const struct http_request *r, struct addr *out)
{
	if (config.proxies.count > 0 || peer->unix_peer)
		(void)forwarded_client(peer, r, config.proxies.items, config.proxies.count, out);
	else
		*out = *peer;
}

#define BOT_KEY_PREFIX "hbot_"
#define BOT_KEY_LEN    (sizeof(BOT_KEY_PREFIX) - 1 + TOKEN_TEXT)

/* What it says is not asked: base64url_decode would take half a microsecond. */
bool token_formed(struct str s)
{
	static const bool letter[256] = {['A' ... 'Z'] = true,
		['a' ... 'z'] = true,
		['0' ... '9'] = true,
		['-'] = true,
		['_'] = true};

	if (s.n != TOKEN_TEXT)
		return false;
	for (size_t i = 0; i < TOKEN_TEXT; i++)
		if (!letter[(uint8_t)s.p[i]])
			return false;
	return memchr("AEIMQUYcgkosw048", s.p[s.n - 1], 16); /* it ends in two bits too many, 0 */
}

static void request_credentials(struct request *q, const struct http_request *r)
{
	unsigned cred = q->route->cred;
	struct str key = r->api_key;

	if (cred & CRED_SESSION) {
		struct str token = http_cookie(r, STR("psession"));

		q->has_cookie = token.n > 0;
		q->has_token = token_formed(token);
		if (q->has_token)
			secret_hash(token, q->caller.token_hash);
	}
	if (cred & (CRED_PUBLIC | CRED_BOT) && key.n > 0) {
		q->has_key = true;
		q->key_is_bot = key.n == BOT_KEY_LEN && str_starts(key, STR(BOT_KEY_PREFIX)) &&
				token_formed(str_from(key, sizeof(BOT_KEY_PREFIX) - 1));
		secret_hash(key, q->key_hash);
	}
}

/* ---- admission ---- */

/* 404, 405. */
static void request_lost(struct request *q, const struct route_match *m)
{
	if (!m->known) {
		reply_now(q, &(struct fault){.err = ERR_NOT_FOUND});
		return;
	}
	buf_printf(&q->head, "Allow: %s%sOPTIONS\r\n", m->get ? "GET, HEAD, " : "",
		m->post ? "POST, " : "");
	reply_now(q, &(struct fault){.err = ERR_METHOD});
}

static void request_preflight(struct request *q, const struct route_match *m)
{
	bool any = !m->known;

	buf_printf(&q->head, "Allow: %s%sOPTIONS\r\n", m->get || any ? "GET, HEAD, " : "",
		m->post || any ? "POST, " : "");
	cors_preflight(&q->head, q->origin);
	reply_empty_now(q, 204);
}

bool origin_foreign(const struct addr *peer, const struct http_request *r)
{
	return r->origin.p && !cors_listed(r) && !cors_own(r, peer_trusted(peer));
}

/* A post with the cookie from a page of somebody else (contract 0.3). */
static bool request_foreign(
	const struct request *q, const struct http_request *r, const struct addr *peer)
{
	return q->method == HTTP_POST && http_cookie(r, STR("psession")).p &&
	       origin_foreign(peer, r);
}

static struct str agent_cut(struct str s)
{
	size_t points = 0, n = 0;

	if (!s.p || !utf8_valid(s))
		return STR("");
	for (; n < s.n; n++) /* at the 256th first byte of a code point */
		if (((uint8_t)s.p[n] & 0xC0) != 0x80 && points++ == AGENT_POINTS)
			break;
	return str_make(s.p, n);
}

/* An element with a weight counts as a no: browsers send none. */
static bool takes_gzip(struct str list)
{
	while (list.p)
		if (str_eq(str_trim(str_cut(&list, ',')), STR("gzip")))
			return true;
	return false;
}

/* Copies what the task needs of the request. */
static void request_keep(
	struct request *q, const struct http_request *r, const struct route_match *m)
{
	struct arena *a = task_arena(q->task);

	if (q->route->fields) {
		for (int i = 0; i < ROUTE_PARAMS && m->params[i].p; i++)
			q->params[i] = arena_str(a, m->params[i]);
		q->query = arena_str(a, r->query);
	}
	if (q->route->tier == TIER_NONE) {
		q->has_tag = arena_str(a, http_header(r, "If-None-Match"));
		q->takes_gzip = takes_gzip(http_header(r, "Accept-Encoding"));
	}
	if (q->method == HTTP_POST) {
		q->body = arena_str(a, r->body);
		q->user_agent = arena_str(a, agent_cut(r->user_agent));
		q->form = r->origin.p && r->body.n > 0 &&
			  !media_type_is(r->content_type, STR("application/json"));
	}
}

#ifdef PORTAL_FAULTS
static void fault_drop(struct task *t)
{
	struct request *q = request_of(t);

	if (q->x)
		conn_close(exchange_conn(q->x), CONN_RESET);
}

void fault_inject(struct task *t, struct str how, void (*drop)(struct task *t))
{
	struct str kind = how.p ? str_cut(&how, ':') : STR_NULL;
	struct str number = how.p ? str_cut(&how, ' ') : STR_NULL;
	enum task_fault_kind fault = TASK_FAULT_NONE;
	int64_t k = 0;

	if (!number.p || !str_to_i64(number, &k) || k < 0)
		return;
	if (str_eq(kind, STR("drop")))
		fault = TASK_FAULT_DROP;
	else if (str_eq(kind, STR("fail")))
		fault = TASK_FAULT_FAIL;
	else if (str_eq(kind, STR("deadline")))
		fault = TASK_FAULT_DEADLINE;
	else if (str_eq(kind, STR("hold")))
		fault = TASK_FAULT_HOLD;
	if (how.p)
		task_fault_next(how, fault, (unsigned)k);
	else
		task_fault_inject(t, fault, (unsigned)k, drop);
}
#endif

static void on_request(struct exchange *x, const struct http_request *r)
{
	const struct addr *peer = conn_peer(exchange_conn(x));
	struct request *q;
	struct route_match m;

	if (r->method != HTTP_OPTIONS && sockets_path(r->path)) {
		sockets_request(x, r);
		return;
	}
	q = request_new();
	q->x = x;
	q->started_ns = clock_turn_ns();
	q->method = r->method;
	q->origin = cors_listed(r);
	request_correlate(q, r);
	q->caller.level = -1;
	client_address(peer, r, &q->caller.addr);
	router_find(r->method, r->path, &m);
	q->route = m.route;
	q->api = str_starts(m.route ? str_of(m.route->path) : r->path, STR("/v1/"));
	if (r->method == HTTP_OPTIONS) {
		request_preflight(q, &m);
		return;
	}
	if (!m.route) {
		request_lost(q, &m);
		return;
	}
	if (request_foreign(q, r, peer)) {
		reply_now(q, &(struct fault){.err = ERR_ORIGIN});
		return;
	}
	request_credentials(q, r);
	q->task = task_new(m.route->path, &request_ops, q, 0, gate_begin);
	exchange_set_data(x, q);
	request_keep(q, r, &m);
#ifdef PORTAL_FAULTS
	if (str_eq(http_header(r, FAULT_HEADER), STR("release")))
		task_release();
	fault_inject(q->task, http_header(r, FAULT_HEADER), fault_drop);
#endif
}

static void on_gone(struct exchange *x)
{
	struct request *q = exchange_data(x);

	q->x = NULL;
	task_orphan(q->task);
}

const struct http_handler request_handler = {on_request, on_gone, reply_broken};

/* ---- what a handler sees ---- */

struct request *request_of(const struct task *t)
{
	return task_subject(t);
}

const struct caller *caller(const struct task *t)
{
	return &request_of(t)->caller;
}

struct person caller_admin(const struct task *t)
{
	return (struct person){.id = caller(t)->user_id, .level = caller(t)->level};
}

struct str request_user_agent(const struct task *t)
{
	return request_of(t)->user_agent;
}

bool request_takes_gzip(const struct task *t)
{
	return request_of(t)->takes_gzip;
}

struct str request_has_tag(const struct task *t)
{
	return request_of(t)->has_tag;
}

/* The value of a field of this type (or any of two); to ask for another is a bug. */
static const struct value *field_value(const struct task *t, const char *name, unsigned types)
{
	const struct request *q = request_of(t);

	for (const struct field *f = q->route->fields; f && f->name; f++)
		if (strcmp(f->name, name) == 0) {
			ASSERT(types & 1u << f->type);
			return &q->values[f - q->route->fields];
		}
	PANIC("%s has no field %s", q->route->path, name);
}

#define ANY_TYPE ~0u
#define TYPE(t)  (1u << (t))

bool in_has(const struct task *t, const char *name)
{
	return field_value(t, name, ANY_TYPE)->has;
}

bool in_given(const struct task *t, const char *name)
{
	return field_value(t, name, ANY_TYPE)->given;
}

struct str in_str(const struct task *t, const char *name)
{
	const struct value *v = field_value(t, name, TYPE(FIELD_STR));

	return v->has ? v->s : STR_NULL;
}

int64_t in_i64(const struct task *t, const char *name)
{
	return field_value(t, name, TYPE(FIELD_INT))->i;
}

bool in_bool(const struct task *t, const char *name)
{
	return field_value(t, name, TYPE(FIELD_BOOL))->i != 0;
}

int64_t in_time(const struct task *t, const char *name)
{
	return field_value(t, name, TYPE(FIELD_TIME))->i;
}

const struct json *in_json(const struct task *t, const char *name)
{
	const struct value *v = field_value(t, name,
		TYPE(FIELD_STRS) | TYPE(FIELD_INTS) | TYPE(FIELD_OBJECTS) | TYPE(FIELD_OBJECT));

	return v->has ? v->json : NULL;
}
