/* See keys_rig.h. */
#include "keys_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "io/redis_sub.h"

static struct buf log_, given;
static int64_t marks, marks_heard, ids;

/* ---- the bus ---- */

static void on_message(struct str channel, struct str payload)
{
	struct str head = str_cut(&payload, '\n'), event;

	if (str_eq(channel, STR("test:keys"))) {
		marks_heard++;
		return;
	}
	str_cut(&head, ' ');
	event = str_cut(&head, ' ');
	str_cut(&head, ' ');
	buf_printf(&log_, STR_FMT " " STR_FMT " " STR_FMT "\n", STR_ARG(event), STR_ARG(head),
		STR_ARG(payload));
}

static void ignore(void)
{
}

static void bus_wait(struct task *t)
{
	if (redis_sub_is_up() && marks_heard == marks)
		task_end(t);
	else
		task_sleep(t, 1, bus_wait);
}

/* Until what was published is here. */
static void bus_sync(void)
{
	struct job wait = {.begin = bus_wait};

	if (redis_sub_is_up()) {
		marks++;
		redis_do("PUBLISH test:keys x");
	}
	ASSERT(job_run(&wait) == OK);
}

const char *heard(void)
{
	bus_sync();
	given.n = 0;
	buf_str(&given, buf_view(&log_));
	buf_char(&given, '\0');
	log_.n = 0;
	return given.p;
}

int times(const char *text, const char *what)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

int keys_begin(void **state)
{
	const char *url = getenv("REDIS_URL");
	const struct redis_sub_setup s = {.url = str_of(url),
		.timeout_ms = 5000,
		.message = on_message,
		.lost = ignore,
		.back = ignore};
	struct str why;

	stores_begin(state);
	ASSERT(redis_sub_start(&s, &why) == OK);
	redis_subscribe(STR("test:keys"));
	bus_sync();
	return 0;
}

int keys_end(void **state)
{
	redis_sub_stop();
	buf_free(&log_);
	buf_free(&given);
	return stores_end(state);
}

/* ---- people and chats ---- */

struct member member_new(int64_t user)
{
	struct member m = {.user = user ? user : 1000000 + ids};
	uint8_t raw[32];

	snprintf(m.session, sizeof(m.session), "%016llx", (unsigned long long)++ids);
	secret_random(raw, sizeof(raw));
	base64url_encode(raw, sizeof(raw), m.key);
	m.key[43] = '=';
	redis_do("HSET portal:e2ee:keys:%lld %s %s", (long long)m.user, m.session, m.key);
	redis_do("SET portal:e2ee:owner:%s %lld PX 3600000", m.session, (long long)m.user);
	return m;
}

void member_joins(int64_t chat, const struct member *m)
{
	long long id = (long long)chat, user = (long long)m->user;

	redis_do("ZADD portal:room:%lld:joined %lld %lld:%s", id, (long long)++ids, user,
		m->session);
	redis_do("HINCRBY portal:room:%lld:people %lld 1", id, user);
	redis_do("HSET portal:room:%lld:present %s:p1 1", id, m->session);
	redis_do("HSET portal:room:%lld:persons %lld {\"id\":%lld}", id, user, user);
	redis_do("SADD portal:e2ee:rooms:%s %lld", m->session, id);
}

void member_leaves(int64_t chat, const struct member *m)
{
	long long id = (long long)chat, user = (long long)m->user;

	redis_do("ZREM portal:room:%lld:joined %lld:%s", id, user, m->session);
	redis_do("HDEL portal:room:%lld:present %s:p1", id, m->session);
	if (strcmp(redis_do("HINCRBY portal:room:%lld:people %lld -1", id, user), "0") == 0)
		redis_do("HDEL portal:room:%lld:people %lld", id, user);
}

int64_t chat_new(const char *visibility)
{
	static int64_t chat = 500;
	char channel[48];

	chat++;
	sql_do("INSERT INTO chats (id, name, visibility, slug) VALUES (%lld, 'c', '%s',"
	       " CASE '%s' WHEN 'public' THEN 's%lld' END)",
		(long long)chat, visibility, visibility, (long long)chat);
	snprintf(channel, sizeof(channel), "portal:room:%lld", (long long)chat);
	redis_subscribe(str_of(channel));
	redis_do("ZADD portal:processes 99999999999999 p1");
	heard();
	return chat;
}

/* ---- time ---- */

struct age {
	struct job job;
	int64_t chat, ms;
};

static void age_begin(struct task *t)
{
	struct age *j = task_subject(t);
	struct redis_args a = {0};

	redis_arg(&a, STR("EVAL"));
	redis_arg(&a, STR("local h = redis.call('HGETALL', KEYS[1]) "
			  "for i = 1, #h, 2 do "
			  "  local ms, rest = h[i + 1]:match('^(%d%d%d%d%d%d%d%d%d%d+)(.*)$') "
			  "  if ms then redis.call('HSET', KEYS[1], h[i], "
			  "    string.format('%.0f', ms - ARGV[1]) .. rest) end "
			  "end"));
	redis_arg(&a, STR("1"));
	redis_key(t, &a, "portal:e2ee:asks:%lld", (long long)j->chat);
	redis_arg_i64(t, &a, j->ms);
	redis_call(t, OP_WRITE, &a, NULL, NULL, job_done);
}

void asks_age(int64_t chat, int64_t ms)
{
	struct age j = {.job.begin = age_begin, .chat = chat, .ms = ms};

	ASSERT(job_run(&j.job) == OK);
}
