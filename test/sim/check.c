/* What holds between any two steps, and behind a whole tick (model.h): the keys are read, never
 * changed. */
#include "model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis.h"

static const char *const queue_names[] = {"any", "art", "music", "games"};

static char *key(const char *fmt, int64_t n)
{
	static char text[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), fmt, (long long)n);
#pragma GCC diagnostic pop
	return text;
}

static void same(const char *what, int64_t of, bool have, bool wanted)
{
	if (have != wanted)
		die("%s of %" PRId64 " is %s", what, of,
			have ? "there and should not be" : "missing");
}

static void same_time(const char *what, int64_t of, double have, int64_t wanted)
{
	if (isnan(have) ? wanted != 0 : have != (double)wanted)
		die("%s of %" PRId64 ": %.0f, not %" PRId64, what, of, have, wanted);
}

static void check_person(int p)
{
	const struct person *me = &m.p[p];
	char ticket[64], id[16];
	const char *chat;

	snprintf(id, sizeof(id), "%d", p);
	snprintf(ticket, sizeof(ticket), "portal:match:person:%d", p);
	same("ticket", p, redis_has(ticket), me->searching);
	same("place in the queue of all", p, redis_member("portal:match:queue", id), me->queued);
	for (int i = 0; i < 4; i++) {
		char queue[64];

		snprintf(queue, sizeof(queue), "portal:match:queue:%s", queue_names[i]);
		same(queue, p, redis_member(queue, id), me->queued && me->tags & 1U << i);
	}
	if (me->searching) {
		const char *had = redis_field(ticket, "h");

		same_time("expiry", p, strtod(redis_field(ticket, "u"), NULL), me->until);
		same_time("since", p, strtod(redis_field(ticket, "s"), NULL), me->since);
		same("had a socket", p, had && *had == '1', me->had);
		if (me->queued)
			same_time("place", p, redis_score("portal:match:queue", id), me->place);
	}
	same_time("expiry due", p, redis_score("portal:match:until", id),
		me->searching ? me->until : 0);
	same_time("away", p, redis_score("portal:match:away", id), me->away);
	chat = redis_get(key("portal:match:chat:%lld", p));
	same("chat", p, chat != NULL, me->chat >= 0);
	if (chat && strtoll(chat, NULL, 10) != m.c[me->chat].id)
		die("%d is in chat %s, not %" PRId64, p, chat, m.c[me->chat].id);
	if (chat && redis_has(ticket))
		die("%d is both paired and searching", p);
	same("socket", p, redis_has(key("portal:sockets:%lld", p)), connected(p));
}

static void check_chat(const struct direct *c)
{
	char name[64], member[48];
	int named = 0;

	snprintf(name, sizeof(name), "portal:direct:%" PRId64, c->id);
	for (int side = 0; side < 2; side++) {
		const char *who = redis_field(name, side ? "y" : "x");
		const char *chat = redis_get(key("portal:match:chat:%lld", c->who[side]));

		if (!who || atoi(who) != c->who[side])
			die("chat %" PRId64 " has %s, not %d", c->id, who ? who : "nobody",
				c->who[side]);
		named += chat && strtoll(chat, NULL, 10) == c->id;
		snprintf(member, sizeof(member), "%" PRId64 ":%d", c->id, c->who[side]);
		same_time(
			"grace", c->id, redis_score("portal:match:graces", member), c->grace[side]);
		snprintf(member, sizeof(member), "l:%d", c->who[side]);
		same("mark of the missed", c->id, redis_field(name, member) != NULL,
			c->missed[side]);
	}
	if (named != 2)
		die("%d of its two people name chat %" PRId64, named, c->id);
	snprintf(member, sizeof(member), "%" PRId64, c->id);
	same_time("end", c->id, redis_score("portal:match:chats", member), c->ends);
}

/* ---- what is left of chats ---- */

/* The number that begins here and is not part of a longer word, 0: none. */
static int64_t number_at(const char *from, const char *p)
{
	const char *end = p;

	if (p > from && (p[-1] == '-' || (p[-1] != ':' && p[-1] != '=')))
		return 0;
	while (*end >= '0' && *end <= '9')
		end++;
	return end > p && strchr(":=\n", *end) ? strtoll(p, NULL, 10) : 0;
}

static void ended_not_named(const char *line)
{
	const char *end = strchr(line, '\n');

	for (const char *p = line; *p && p != end; p++) {
		int64_t id = *p >= '1' && *p <= '9' ? number_at(line, p) : 0;
		const struct direct *c = id > 1000 ? direct_of(id) : NULL;

		if (c && !c->alive && !strstr(line, ":gate=") && !strstr(line, ":ended="))
			die("chat %" PRId64 " has ended, but there is %.*s", id, (int)(end - line),
				line);
	}
}

struct gone {
	int64_t id;
	const char *text;
};

static void gone_look(void *arg, const char *name, const char *member, bool expires)
{
	char line[256];
	const struct gone *g = arg;

	snprintf(line, sizeof(line), "%s=%s\n", name, member ? member : "");
	if (strstr(line, g->text)) {
		const char *last = strrchr(name, ':');

		if (last && (strcmp(last, ":gate") == 0 || strcmp(last, ":ended") == 0)) {
			if (!expires)
				die("%s stays for ever", name);
			return;
		}
		ended_not_named(line);
	}
}

void check_chat_gone(int64_t id)
{
	char text[24];
	struct gone g = {id, text};

	snprintf(text, sizeof(text), "%" PRId64, id);
	redis_each(gone_look, &g);
}

void check_step(void)
{
	for (const char *line = redis_fresh(); *line; line = strchr(line, '\n') + 1)
		ended_not_named(line);
	for (int p = 1; p <= m.people; p++)
		check_person(p);
	for (int i = 0; i < m.chats; i++)
		if (m.c[i].alive)
			check_chat(&m.c[i]);
}

/* ---- behind a whole tick ---- */

static bool there(int p)
{
	return m.p[p].searching && (connected(p) || !m.p[p].had);
}

static bool avoid(int a, int b)
{
	return m.p[a].blocks & 1U << b || m.p[b].blocks & 1U << a;
}

static bool shares(int a, int b)
{
	return (m.p[a].tags | m.p[b].tags) & 1 || m.p[a].tags & m.p[b].tags;
}

void check_pair(int p, int q)
{
	if (p == q || !shares(p, q))
		die("%d and %d have nothing in common", p, q);
	if (avoid(p, q) && !blocks_under_way(p, q))
		die("%d and %d avoid each other", p, q);
	if (m.p[p].chat >= 0 || m.p[q].chat >= 0)
		die("%d or %d is in a chat", p, q);
}

static void check_waiting(int a, int b)
{
	int64_t since = m.p[a].since > m.p[b].since ? m.p[a].since : m.p[b].since;

	if (!there(a) || !there(b) || !shares(a, b) || avoid(a, b))
		return;
	if (blocks_under_way(a, b) || m.p[a].doubt & 1U << b || m.p[b].doubt & 1U << a)
		return;
	if (m.p[a].recent[b] <= redis_ms || since + ALONE_MS <= redis_ms)
		die("%d and %d both wait, and may meet", a, b);
}

void check_settled(void)
{
	for (int p = 1; p <= m.people; p++) {
		const struct person *me = &m.p[p];

		if (me->searching && !connected(p) &&
			(me->until <= redis_ms || (me->away && me->away <= redis_ms)))
			die("the search of %d is over and goes on", p);
		if (me->searching && me->had && !connected(p) && !me->away)
			die("%d has no socket and is not away", p);
		for (int q = p + 1; q <= m.people; q++)
			check_waiting(p, q);
	}
	for (int i = 0; i < m.chats; i++) {
		const struct direct *c = &m.c[i];

		if (!c->alive && redis_ms - c->ended >= 60000 &&
			redis_has(key("portal:chat:%lld:gate", c->id)))
			die("the gate of chat %" PRId64 " is still there", c->id);
		for (int side = 0; c->alive && side < 2; side++)
			if (c->grace[side] && c->grace[side] <= redis_ms)
				die("the grace of %d in chat %" PRId64 " is over", c->who[side],
					c->id);
		if (c->alive && c->ends <= redis_ms)
			die("chat %" PRId64 " has lasted too long", c->id);
	}
}
