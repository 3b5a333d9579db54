/* Signs people in as a front end and the platform's bot do: request -> the bot fetches the code ->
 * verify -> the session's cookie.
 *
 *   people_sign_in -> login_next (IN_PARALLEL of them) -> requested -> fetched -> verified ->
 * login_next
 *
 * Each person says that they come from an address of their own, which a server believes when this
 * machine is among its TRUSTED_PROXIES. Others see one address, so no more codes are pending at
 * once than one address may have. Lifetime: a login is a slot of `logins` until its person is in.
 */
#include <stdio.h>

#include "base/clock.h"
#include "run.h"

#define IN_PARALLEL 4 /* MAX_PENDING_CODES is 5 */
#define TRIES       5

static struct login {
	struct person *p;
	struct web *web;
	unsigned tries;
} logins[IN_PARALLEL];
static size_t next, all, done_count;
static void (*done)(void);

static void requested(void *arg, const struct web_answer *a);
static void fetched(void *arg, const struct web_answer *a);
static void verified(void *arg, const struct web_answer *a);

void person_headers(const struct person *p, struct buf *b)
{
	buf_printf(b, "X-Forwarded-For: %s\r\n", p->from);
	if (p->token[0])
		buf_printf(b, "Cookie: psession=%s\r\n", p->token);
}

static void post(struct login *l, const char *path, bool bot, struct buf *body, web_fn *fn)
{
	struct buf headers = {0};

	person_headers(l->p, &headers);
	if (bot)
		buf_printf(&headers, "X-API-Key: %s\r\n", run.o.bot_key);
	web_ask(l->web, "POST", str_of(path), buf_view(&headers), buf_view(body), fn, l);
	buf_free(&headers);
	buf_free(body);
}

static void login_begin(struct login *l)
{
	struct buf body = {0};

	buf_printf(&body, "{\"platform\":\"%s\",\"platform_user_id\":\"%s\"}", run.o.platform,
		l->p->platform_user_id);
	post(l, "/v1/authentication/request", false, &body, requested);
}

static void login_next(struct login *l)
{
	size_t i = next++;

	if (i >= all)
		return;
	*l = (struct login){.p = &run.people[i], .web = run.webs[i % run.o.url_count]};
	login_begin(l);
}

/* False: the step failed, and was begun again. */
static bool step_went_well(struct login *l, const char *step, const struct web_answer *a)
{
	if (a->status == 200)
		return true;
	if (++l->tries == TRIES)
		run_fail("%s: %d " STR_FMT, step, a->status, STR_ARG(a->body));
	login_begin(l);
	return false;
}

static void requested(void *arg, const struct web_answer *a)
{
	struct login *l = arg;
	struct buf body = {0};

	if (!step_went_well(l, "authentication/request", a))
		return;
	buf_printf(&body,
		"{\"platform\":\"%s\",\"platform_user_id\":\"%s\",\"platform_username\":\"load\","
		"\"platform_avatar_url\":\"\"}",
		run.o.platform, l->p->platform_user_id);
	post(l, "/v1/authentication/bot/login-code", true, &body, fetched);
}

static void fetched(void *arg, const struct web_answer *a)
{
	struct login *l = arg;
	struct buf body = {0};
	struct str code;

	if (!step_went_well(l, "authentication/bot/login-code", a))
		return;
	code = slice_text(slice_get(a->body, "code"));
	if (!code.p)
		run_fail("the bot was given no code; does it serve \"%s\"?", run.o.platform);
	buf_printf(&body, "{\"code\":\"" STR_FMT "\"}", STR_ARG(code));
	post(l, "/v1/authentication/verify", false, &body, verified);
}

static void verified(void *arg, const struct web_answer *a)
{
	struct login *l = arg;
	struct str cookie;

	if (!step_went_well(l, "authentication/verify", a))
		return;
	cookie = web_header(a, "set-cookie");
	if (!str_starts(cookie, STR("psession=")))
		run_fail("no session was set");
	cookie = str_from(cookie, 9);
	cookie = str_cut(&cookie, ';');
	if (cookie.n != sizeof(l->p->token) - 1)
		run_fail("a session of %zu characters", cookie.n);
	memcpy(l->p->token, cookie.p, cookie.n);
	run.signed_in = ++done_count;
	if (done_count == all)
		done();
	else
		login_next(l);
}

static void person_make(struct person *p, size_t i)
{
	snprintf(p->platform_user_id, sizeof(p->platform_user_id), "9%010u%07u", run.id,
		(unsigned)(i % 10000000));
	snprintf(p->from, sizeof(p->from), "10.%u.%u.%u", (unsigned)(i >> 16 & 255),
		(unsigned)(i >> 8 & 255), (unsigned)(i & 255));
}

void people_sign_in(void (*fn)(void))
{
	done = fn;
	all = (size_t)run.o.clients + (run.o.host ? 1 : 0);
	for (size_t i = 0; i < all; i++)
		person_make(&run.people[i], i);
	if (run.o.host)
		snprintf(run.people[all - 1].platform_user_id,
			sizeof(run.people[all - 1].platform_user_id), "%s", run.o.host);
	for (size_t i = 0; i < IN_PARALLEL; i++)
		login_next(&logins[i]);
}
