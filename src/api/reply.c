/* Answers: bodies, headers, and what is told about each request (log line, figures).
 *
 *   handler -> reply_json … reply_send ┐
 *   failure -> request_ops.failed ─────┼-> answer: headers -> http_reply -> log, figures
 *   no task -> reply_now ──────────────┘
 * Lifetime: after http_reply the exchange is gone; the request stays until its task ends.
 * To add a header to all answers, edit head_write. */
#include "api/cors.h"
#include "api/metrics.h"
#include "api/serve.h"
#include "api/shape.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"

#define TYPE_JSON "application/json; charset=utf-8"

/* ---- headers ---- */

static void head_i64(struct buf *b, const char *name, size_t n, int64_t v)
{
	buf_put(b, name, n);
	buf_i64(b, v);
	buf_lit(b, "\r\n");
}
#define HEAD_I64(b, name, v) head_i64((b), name ": ", sizeof(name ": ") - 1, (v))

static void head_write(struct request *q, struct buf *b, const char *type)
{
	if (type) {
		buf_lit(b, "Content-Type: ");
		buf_str(b, str_of(type));
		buf_lit(b, "\r\n");
	}
	buf_lit(b, "X-Correlation-ID: ");
	buf_put(b, q->correlation, 36);
	buf_lit(b, "\r\nX-Content-Type-Options: nosniff\r\n");
	if (q->api)
		buf_lit(b, "Cache-Control: no-store\r\n");
	if (q->rate.max > 0) {
		HEAD_I64(b, "RateLimit-Limit", q->rate.max);
		HEAD_I64(b, "RateLimit-Remaining", q->rate.left);
		HEAD_I64(b, "RateLimit-Reset", q->rate.reset);
	}
	cors_headers(b, q->origin);
#ifdef PORTAL_FAULTS
	if (q->task)
		HEAD_I64(b, "X-Portal-Steps", (int64_t)task_op_count(q->task));
#endif
	buf_str(b, buf_view(&q->head));
}

/* ---- what is told ---- */

static const char *method_name(enum http_method m)
{
	static const char *const names[] = {[HTTP_GET] = "GET",
		[HTTP_HEAD] = "HEAD",
		[HTTP_POST] = "POST",
		[HTTP_OPTIONS] = "OPTIONS",
		[HTTP_OTHER] = "OTHER"};

	return names[m];
}

/* The row's path, never the raw one. Probes come every second and are told at debug. */
static void request_log(const struct request *q, int status, int64_t us)
{
	enum tier tier = q->route ? q->route->tier : TIER_NONE;
	bool probe = tier == TIER_PROBE || tier == TIER_HEALTH || q->event;
	enum log_level level = probe ? LOG_DEBUG : LOG_INFO;
	char client[ADDR_TEXT];
	struct log_field f[9];
	size_t n = 0;

	if (!log_wants(level))
		return;
	f[n++] = LOG_Z("method", q->event ? "EVENT" : method_name(q->method));
	f[n++] = LOG_Z("route", q->route ? q->route->path : "none");
	f[n++] = LOG_I("status", status);
	f[n++] = LOG_I("duration_us", us);
	f[n++] = LOG_S("correlation_id", str_make(q->correlation, 36));
	if (!probe)
		f[n++] = LOG_S("client", str_make(client, addr_format(&q->caller.addr, client)));
	if (q->caller.user_id)
		f[n++] = LOG_I("user_id", q->caller.user_id);
	if (q->caller.bot_id)
		f[n++] = LOG_I("bot_id", q->caller.bot_id);
	f[n].kind = LOG_F_END;
	log_write(level, "request", f);
}

/* status 0: the client left first. */
static void request_tell(struct request *q, int status)
{
	int64_t us = (clock_ns() - q->started_ns) / 1000;

	q->told = true;
	metrics_request(q->route, status, us);
	request_log(q, status, us);
}

static void answer(struct request *q, int status, const char *type, struct str body)
{
	static struct buf lines;
	struct exchange *x = q->x;

	if (q->event) {
		event_answer(q, body);
		request_tell(q, status);
		return;
	}
	if (!x) {
		request_tell(q, 0);
		return;
	}
	q->x = NULL;
	lines.n = 0;
	head_write(q, &lines, type);
	http_reply(x, status, buf_view(&lines), body, false);
	request_tell(q, status);
}

/* ---- errors ---- */

void error_body(struct buf *b, const struct fault *f, const char *correlation)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_kstr(&j, "error", f->sentence.p ? f->sentence : str_of(err_sentence(f->err)));
	json_kstr(&j, "code", str_of(err_code(f->err)));
	json_kstr(&j, "correlation_id", str_make(correlation, 36));
	if (f->field)
		json_kstr(&j, "field", str_of(f->field));
	if (f->retry_after > 0)
		json_ki64(&j, "retry_after", f->retry_after);
	if (f->has_ban) {
		json_kstr(&j, "reason", f->reason);
		json_ktime(&j, "expires_at", f->expires_at);
	}
	if (f->has_ttl)
		json_ki64(&j, "ttl", f->ttl);
	if (f->epoch)
		json_ki64(&j, "epoch", f->epoch);
	json_end(&j);
}

static void answer_fault(struct request *q, const struct fault *f)
{
	if (f->retry_after > 0)
		HEAD_I64(&q->head, "Retry-After", f->retry_after);
	else if (f->err == ERR_UNAVAILABLE)
		buf_lit(&q->head, "Retry-After: 1\r\n");
	q->out.n = 0;
	error_body(&q->out, f, q->correlation);
	answer(q, err_status(f->err), TYPE_JSON, buf_view(&q->out));
}

static void request_failed(struct task *t, const struct fault *f)
{
	struct request *q = request_of(t);

	if (f->err == ERR_INTERNAL)
		log_line(LOG_ERROR, "request failed", LOG_Z("route", q->route->path),
			LOG_S("correlation_id", str_make(q->correlation, 36)));
	q->head.n = 0; /* what the handler had begun */
	answer_fault(q, f);
	task_end(t);
}

static void request_ended(struct task *t)
{
	struct request *q = request_of(t);

	if (!q->told)
		request_tell(q, 0);
	if (q->event)
		event_ended(q);
	request_free(q);
}

const struct task_ops request_ops = {.failed = request_failed, .ended = request_ended};

void reply_now(struct request *q, const struct fault *f)
{
	answer_fault(q, f);
	request_free(q);
}

void reply_empty_now(struct request *q, int status)
{
	answer(q, status, NULL, STR(""));
	request_free(q);
}

void reply_broken(enum err e, const struct addr *peer, struct buf *head, struct buf *body)
{
	struct request q = {
		.method = HTTP_OTHER, .started_ns = clock_turn_ns(), .caller.addr = *peer};
	struct fault f = {.err = e};

	correlation_make(q.correlation);
	head_write(&q, head, TYPE_JSON);
	error_body(body, &f, q.correlation);
	request_tell(&q, err_status(e));
}

void fail_field(struct task *t, const char *field, struct str sentence)
{
	task_fail_with(t,
		(struct fault){.err = ERR_INVALID_REQUEST, .sentence = sentence, .field = field});
}

void fail_denied(struct task *t, const char *sentence)
{
	task_fail_with(t, (struct fault){.err = ERR_ACCESS_DENIED, .sentence = str_of(sentence)});
}

/* ---- success ---- */

struct json_out *reply_json(struct task *t)
{
	struct request *q = request_of(t);

	q->out.n = 0;
	json_out_init(&q->json, &q->out);
	return &q->json;
}

void reply_header(struct task *t, const char *name, struct str value)
{
	http_put_header(&request_of(t)->head, name, value);
}

void reply_cookie(struct task *t, struct str token, int64_t max_age)
{
	struct str domain = config.cookie_domain;

	reply_header(t, "Set-Cookie",
		arena_printf(task_arena(t),
			"psession=" STR_FMT "; Path=/; HttpOnly; %s%s" STR_FMT "; Max-Age=%lld",
			STR_ARG(token),
			config.secure_cookie ? "Secure; SameSite=None" : "SameSite=Lax",
			domain.n ? "; Domain=" : "", STR_ARG(domain), (long long)max_age));
}

#ifdef PORTAL_FAULTS
/* The body against its row; a difference must not go unseen in a test. */
static bool reply_fits(struct task *t)
{
	struct request *q = request_of(t);
	struct arena *a = task_arena(t);
	const struct json *v = json_parse(a, buf_view(&q->out));
	struct str why = STR("no JSON");

	if (!q->route->reply || (v && shape_check(a, shape_parse(a, q->route->reply), v, &why)))
		return true;
	log_line(LOG_ERROR, "the answer does not fit its row", LOG_Z("route", q->route->path),
		LOG_S("why", why));
	return false;
}
#endif

/* What stands in an answer by HTTP stands in an ack behind "ok". */
static void reply_put_ok(struct buf *out)
{
	static const char ok[] = "{\"ok\":true";
	bool empty = out->n == 2;

	if (str_starts(buf_view(out), str_of(ok)))
		return;
	ASSERT(out->n >= 2 && out->p[0] == '{');
	buf_reserve(out, sizeof(ok) - 1);
	memmove(out->p + sizeof(ok) - (empty ? 1 : 0), out->p + 1, out->n - 1);
	memcpy(out->p, ok, sizeof(ok) - 1);
	if (!empty)
		out->p[sizeof(ok) - 1] = ',';
	out->n += sizeof(ok) - (empty ? 2 : 1);
}

static void reply_end(struct task *t, int status)
{
	struct request *q = request_of(t);

	if (q->event)
		reply_put_ok(&q->out);
#ifdef PORTAL_FAULTS
	if (!reply_fits(t)) {
		task_fail(t, ERR_INTERNAL);
		return;
	}
#endif
	answer(q, status, TYPE_JSON, buf_view(&q->out));
	task_end(t);
}

void reply_send(struct task *t)
{
	reply_end(t, request_of(t)->route->status);
}

void reply_send_status(struct task *t, int status)
{
	reply_end(t, status);
}

void reply_message(struct task *t, const char *message)
{
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_kstr(j, "message", str_of(message));
	json_end(j);
	reply_send(t);
}

void reply_ok(struct task *t)
{
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_kbool(j, "ok", true);
	json_end(j);
	reply_send(t);
}

void reply_raw(struct task *t, int status, const char *type, struct str body)
{
	if (str_starts(str_of(type), STR("text/html")))
		buf_lit(&request_of(t)->head,
			"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
			"Referrer-Policy: no-referrer\r\n");
	reply_page(t, status, type, body);
}

void reply_page(struct task *t, int status, const char *type, struct str body)
{
	answer(request_of(t), status, type, body);
	task_end(t);
}
