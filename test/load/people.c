/* People, and how they sign in as a front end and the platform's bot do: request -> the bot fetches
 * the code -> verify -> the session's cookie.
 *
 *   login_begin -> step_begin -> answered -> the next step … -> done
 *   people_sign_in: --sign-ins of them at once -> signed_in -> the next person
 *
 * Each person says that they come from an address of their own, which a server believes when this
 * machine is among its TRUSTED_PROXIES. Others see one address, so by default no more codes are
 * pending at once than one address may have (MAX_PENDING_CODES is 5).
 *
 * Lifetime: people as long as the run; the logins of people_sign_in until all are in. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "run.h"

#define TRIES 5

const char *const login_paths[LOGIN_STEPS] = {"/v1/authentication/request",
	"/v1/authentication/bot/login-code", "/v1/authentication/verify"};

/* ---- one sign-in ---- */

static void answered(void *arg, const struct web_answer *a);

void person_headers(const struct person *p, struct buf *b)
{
	buf_printf(b, "X-Forwarded-For: %s\r\n", p->from);
	if (p->token[0])
		buf_printf(b, "Cookie: psession=%s\r\n", p->token);
}

static void step_begin(struct login *l, struct str body)
{
	struct buf headers = {0};

	buf_printf(&headers, "X-Forwarded-For: %s\r\n", l->person->from);
	if (l->step == LOGIN_FETCH)
		buf_printf(&headers, "X-API-Key: %s\r\n", run.o.bot_key);
	web_ask(l->web, "POST", str_of(login_paths[l->step]), buf_view(&headers), body, answered,
		l);
	buf_free(&headers);
}

void login_begin(struct login *l)
{
	struct buf body = {0};

	l->step = LOGIN_REQUEST;
	buf_printf(&body, "{\"platform\":\"%s\",\"platform_user_id\":\"%s\"}", run.o.platform,
		l->person->platform_user_id);
	step_begin(l, buf_view(&body));
	buf_free(&body);
}

static void fetch_begin(struct login *l)
{
	struct buf body = {0};

	l->step = LOGIN_FETCH;
	buf_printf(&body,
		"{\"platform\":\"%s\",\"platform_user_id\":\"%s\",\"platform_username\":\"load\","
		"\"platform_avatar_url\":\"\"}",
		run.o.platform, l->person->platform_user_id);
	step_begin(l, buf_view(&body));
	buf_free(&body);
}

/* False: the bot was given no code. */
static bool verify_begin(struct login *l, struct str fetched)
{
	struct str code = slice_text(slice_get(fetched, "code"));
	struct buf body = {0};

	if (!code.p)
		return false;
	l->step = LOGIN_VERIFY;
	buf_printf(&body, "{\"code\":\"" STR_FMT "\"}", STR_ARG(code));
	step_begin(l, buf_view(&body));
	buf_free(&body);
	return true;
}

static bool session_take(struct person *p, const struct web_answer *a)
{
	struct str cookie = web_cookie(a, "psession"); /* proxies set some of their own */

	if (cookie.n != sizeof(p->token) - 1)
		return false;
	memcpy(p->token, cookie.p, cookie.n);
	return true;
}

static void answered(void *arg, const struct web_answer *a)
{
	struct login *l = arg;
	bool good = a->status == 200;

	l->took_us[l->step] = (clock_ns() - a->asked_ns) / 1000;
	if (good && l->step == LOGIN_REQUEST) {
		fetch_begin(l);
		return;
	}
	if (good && l->step == LOGIN_FETCH) {
		if (verify_begin(l, a->body))
			return;
		good = false;
	} else if (good) {
		good = session_take(l->person, a);
	}
	l->done(l, good ? NULL : a); /* last: it may begin anew */
}

/* ---- everybody's ---- */

struct entry {
	struct login login;
	unsigned tries;
};

static struct entry *entries;
static size_t next, left; /* the next person to look at; people who are not in */
static void (*done)(void);

static bool stays_out(size_t person)
{
	for (size_t i = 0; i < run.part_count; i++) {
		const struct share *s = &run.parts[i].share;

		if (s->people && &run.people[person] >= s->people &&
			&run.people[person] < s->people + s->clients)
			return run.parts[i].scenario->strangers;
	}
	return false; /* the host */
}

static size_t people_all(void)
{
	return run.people_count + (run.o.host ? 1 : 0);
}

static void entry_next(struct entry *e)
{
	while (next < people_all() && stays_out(next))
		next++;
	if (next == people_all())
		return;
	e->tries = 0;
	e->login.person = &run.people[next];
	e->login.web = run.webs[next % run.o.url_count];
	next++;
	login_begin(&e->login);
}

static void signed_in(struct login *l, const struct web_answer *failed)
{
	struct entry *e = LIST_ITEM(l, struct entry, login);

	if (failed && ++e->tries == TRIES)
		run_fail("%s: %d " STR_FMT, login_paths[l->step], failed->status,
			STR_ARG(failed->body));
	if (failed) {
		login_begin(l);
		return;
	}
	run.signed_in++;
	if (--left == 0) {
		free(entries);
		done();
	} else {
		entry_next(e);
	}
}

static void person_make(struct person *p, size_t i)
{
	snprintf(p->platform_user_id, sizeof(p->platform_user_id), "9%010u%07u", run.id,
		(unsigned)(i % 10000000));
	snprintf(p->from, sizeof(p->from), "10.%u.%u.%u", (unsigned)(i >> 16 & 255),
		(unsigned)(i >> 8 & 255), (unsigned)(i & 255));
}

struct person *run_host(void)
{
	return &run.people[run.people_count];
}

void people_make(void)
{
	struct person *p = calloc(run.people_count + 1, sizeof(*run.people));

	if (!p)
		PANIC("no memory");
	run.people = p;
	for (size_t i = 0; i < people_all(); i++)
		person_make(&run.people[i], i);
	if (run.o.host)
		snprintf(run_host()->platform_user_id, sizeof(run_host()->platform_user_id), "%s",
			run.o.host);
	for (size_t i = 0; i < run.part_count; p += run.parts[i++].share.clients)
		run.parts[i].share.people = p;
}

void people_sign_in(void (*fn)(void))
{
	done = fn;
	entries = calloc((size_t)run.o.sign_ins, sizeof(*entries));
	if (!entries)
		PANIC("no memory");
	for (size_t i = 0; i < people_all(); i++)
		left += !stays_out(i);
	if (left == 0) {
		free(entries);
		done();
		return;
	}
	for (size_t i = 0; i < (size_t)run.o.sign_ins; i++) {
		entries[i].login.done = signed_in;
		entry_next(&entries[i]);
	}
}
