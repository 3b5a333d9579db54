/* See keys_rig.h. */
#include "keys_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "io/redis_sub.h"

static int64_t ids;

int keys_begin(void **state)
{
	stores_begin(state);
	ear_begin();
	return 0;
}

int keys_end(void **state)
{
	ear_end();
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
