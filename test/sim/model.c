/* The naive model (model.h). Owns `m`. Each step: run the script, change `m` as the rules of
 * contract 5 say, compare answer and messages. To add a step: its script in sim.h, a function here,
 * an actor in world.c. */
#include "model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis.h"

struct model m;

static const char *const tag_names[] = {"any", "art", "music", "games"};
#define TAGS 4

/* ---- names ---- */

#define WORDS_N 16
static char word_room[WORDS_N][160];
static const char *word_list[WORDS_N + 8];
static int word_n;

static void words_begin(void)
{
	word_n = 0;
}

static void __attribute__((format(printf, 1, 2))) word(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(word_room[word_n], sizeof(word_room[0]), fmt, ap);
	va_end(ap);
	word_list[word_n] = word_room[word_n];
	word_list[++word_n] = NULL;
}

const char *process_name(int process)
{
	static char name[PROCESSES][9];

	snprintf(name[process], sizeof(name[0]), "%08x", (unsigned)process + 0xa0);
	return name[process];
}

const char *session_name(int p, int s)
{
	static char name[PEOPLE + 1][SESSIONS][9];

	snprintf(name[p][s], sizeof(name[0][0]), "%04x", (unsigned)(p * 16 + s));
	return name[p][s];
}

struct direct *direct_of(int64_t id)
{
	for (int i = 0; i < m.chats; i++)
		if (m.c[i].id == id)
			return &m.c[i];
	return NULL;
}

bool connected(int p)
{
	for (int i = 0; i < m.processes; i++)
		for (int s = 0; s < SESSIONS; s++)
			if (m.sockets[i][p][s])
				return true;
	return false;
}

/* ---- what is to be told ---- */

static struct told expected[32];
static int expected_n;

static void __attribute__((format(printf, 2, 3))) expect(int to, const char *fmt, ...)
{
	struct told *e = &expected[expected_n++];
	va_list ap;

	snprintf(e->channel, sizeof(e->channel), "portal:user:%d", to);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
}

static void expect_left(struct direct *c, int side, int64_t until)
{
	expect(c->who[!side],
		"r room:peer_left - -\n{\"chat_id\":%" PRId64
		",\"user_id\":%d,\"grace_until_ms\":%" PRId64 "}",
		c->id, c->who[side], until);
	c->announced[side] = true;
}

/* Messages to rooms are not compared, but for those that put people out. */
static bool compared(const struct told *t)
{
	return strncmp(t->channel, "portal:user:", 12) == 0 || t->text[0] == 'x';
}

static void told_compare(void)
{
	for (int i = 0; i < redis_told_n; i++) {
		int j = 0;

		if (!compared(&redis_told[i]))
			continue;
		while (j < expected_n && (strcmp(expected[j].channel, redis_told[i].channel) != 0 ||
						 strcmp(expected[j].text, redis_told[i].text) != 0))
			j++;
		if (j == expected_n)
			die("told %s, which is not due: %s", redis_told[i].channel,
				redis_told[i].text);
		expected[j] = expected[--expected_n];
	}
	if (expected_n > 0)
		die("not told %s: %s", expected[0].channel, expected[0].text);
}

static void run(enum script script)
{
	redis_told_n = 0;
	expected_n = 0;
	script_run(script, word_list);
}

static void want(const char *what, int64_t have, int64_t wanted)
{
	if (have != wanted)
		die("%s: %" PRId64 ", not %" PRId64, what, have, wanted);
}

/* ---- the search ---- */

static void tags_text(uint32_t tags, const char *between, char out[static 64])
{
	*out = '\0';
	for (int i = 0; i < TAGS; i++)
		if (tags & 1U << i) {
			strcat(out, *out ? between : "");
			strcat(out, tag_names[i]);
		}
}

static uint32_t common(uint32_t a, uint32_t b)
{
	return (a | b) & 1 ? 1 : a & b;
}

static void go_away(struct person *p)
{
	p->queued = false;
	p->away = redis_ms + AWAY_MS;
}

static void search_end(struct person *p)
{
	p->searching = p->queued = false;
	p->away = 0;
}

/* Whom the person is to be paired with now: the longest waiting that may be had, 0: nobody. Who is
 * passed over and turns out to have no socket is away. */
static int partner_of(int user)
{
	struct person *me = &m.p[user];
	int64_t last = 0;
	int late = 0;

	for (;;) {
		struct person *o;
		int next = 0;

		for (int i = 1; i <= m.people; i++)
			if (i != user && m.p[i].queued && m.p[i].place > last &&
				common(me->tags, m.p[i].tags) &&
				(!next || m.p[i].place < m.p[next].place))
				next = i;
		if (!next)
			return late;
		o = &m.p[next];
		last = o->place;
		if (o->had && !connected(next))
			go_away(o);
		else if (me->known & 1U << next || o->known & 1U << user)
			continue;
		else if (me->recent[next] <= redis_ms)
			return next;
		else if (!late && me->since + ALONE_MS <= redis_ms &&
			 o->since + ALONE_MS <= redis_ms)
			late = next;
	}
}

static void pair(int user, int partner, int64_t id)
{
	struct direct *c = &m.c[m.chats];
	uint32_t tags = common(m.p[user].tags, m.p[partner].tags);
	char text[64];

	if (m.chats == CHATS)
		die("too many chats for the model");
	check_pair(user, partner);
	*c = (struct direct){.id = id,
		.ends = redis_ms + LASTING_MS,
		.who = {user, partner},
		.alive = true,
		.grace = {redis_ms + GRACE_MS, redis_ms + GRACE_MS}};
	m.p[user].chat = m.p[partner].chat = m.chats++;
	tags_text(tags, " ", text);
	for (int side = 0; side < 2; side++) {
		search_end(&m.p[c->who[side]]);
		if (connected(c->who[side]))
			expect(c->who[side],
				"c !direct %" PRId64 " %" PRId64 "\n{\"id\":%d}\n%s\n{\"id\":%d}",
				redis_ms, id, c->who[!side], text, c->who[side]);
		else
			c->missed[side] = c->announced[side] = true;
		if (c->missed[side] && connected(c->who[!side]))
			expect_left(c, side, c->grace[side]);
	}
}

static void search_begin(int p, uint32_t tags, uint32_t known)
{
	struct person *me = &m.p[p];

	me->searching = true;
	me->tags = tags;
	me->known = known;
	me->since = me->enqueued = redis_ms;
	me->until = redis_ms + EXPIRY_MS;
	me->had = false;
	me->away = 0;
}

/* What a search begins with; false: nobody has read it, or not lately enough. */
static bool try_knows(struct person *me, bool read, uint32_t *known)
{
	if (!read) {
		*known = me->kept;
		return me->kept_until > redis_ms;
	}
	if (me->beside_until > redis_ms)
		*known = (*known | me->beside) & ~me->beside_off;
	if (me->not_kept_until <= redis_ms) {
		me->kept = *known;
		me->kept_until = redis_ms + KEPT_MS;
	}
	return true;
}

static void not_kept(struct person *me)
{
	me->kept_until = 0;
	me->not_kept_until = redis_ms + BESIDE_MS;
}

/* Answer and state agree: idle 0, searching 1, matched 2, closed 3, unknown 4. */
static void try_foresee(int p, bool is_new, uint32_t tags, bool read, uint32_t known, int64_t id)
{
	struct person *me = &m.p[p];
	int64_t state = answer(0);
	bool fresh = is_new && !me->searching;
	int partner;

	if (me->chat >= 0) {
		want("try: in a chat", state, 2);
		want("try: the chat", strtoll(answer_text(-1, 2), NULL, 10), m.c[me->chat].id);
		return;
	}
	if (fresh && me->closed_until > redis_ms) {
		want("try: closed", state, 3);
		return;
	}
	if (fresh && !try_knows(me, read, &known)) {
		want("try: nothing is kept", state, 4);
		return;
	}
	if (fresh) {
		search_begin(p, tags, known);
	} else if (!me->searching) {
		want("try: idle", state, 0);
		return;
	}
	if (connected(p)) {
		me->had = true;
		if (me->away)
			me->since = redis_ms;
		me->away = 0;
	} else if (me->had) {
		if (!me->away)
			go_away(me);
		want("try: away", state, 1);
		return;
	}
	me->queued = true;
	partner = partner_of(p);
	if (!partner) {
		if (fresh)
			me->place = ++m.places;
		want("try: nobody to meet", state, 1);
		if (fresh && connected(p))
			expect(p, "r match:searching - -\n{\"expires_at\":\"later\"}");
		return;
	}
	want("try: somebody to meet", state, 2);
	want("try: the new chat", strtoll(answer_text(-1, 2), NULL, 10), id);
	pair(p, partner, id);
}

bool step_try(int p, bool is_new, uint32_t tags, bool read, uint32_t known)
{
	char text[64], blocked[64] = " ";
	int64_t id = ++m.ids;

	tags_text(tags, " ", text);
	for (int i = 1; i <= m.people; i++)
		if (known & 1U << i)
			sprintf(blocked + strlen(blocked), "%d ", i);
	words_begin();
	word("|");
	word("%d", p);
	word("%" PRId64, id);
	word("%d", is_new);
	word("%d %d %d %d %d %d ", GRACE_MS, AWAY_MS, EXPIRY_MS, LASTING_MS, ALONE_MS, KEPT_MS);
	if (is_new) {
		word("%s", text);
		word("later");
	}
	if (read) {
		word("{\"id\":%d}", p);
		word("%s", blocked);
	}
	run(MATCH_TRY);
	try_foresee(p, is_new, tags, read, known, id);
	told_compare();
	return answer(0) == 4;
}

int64_t step_drop(int p, const char *reason)
{
	struct person *me = &m.p[p];
	bool gone = strcmp(reason, "gone") == 0;

	words_begin();
	word("|");
	word("%d", p);
	word("%s", reason);
	word("%d", EXPIRY_MS);
	run(MATCH_DROP);
	if (gone) {
		me->closed_until = redis_ms + BESIDE_MS;
		not_kept(me);
	}
	if (!me->searching) {
		want("drop: no search", answer(0), 0);
		told_compare();
		return strtoll(answer_text(-1, 1), NULL, 10);
	}
	if (strcmp(reason, "expired") == 0) {
		bool over = me->until <= redis_ms, lost = me->away && me->away <= redis_ms;

		if (over && (connected(p) || (me->had && !lost))) {
			me->until = redis_ms + EXPIRY_MS;
			over = false;
		}
		if (connected(p) || !(over || lost)) {
			want("drop: not due", answer(0), 0);
			told_compare();
			return 0;
		}
		if (lost && !over && me->lost_at + AWAY_MS > redis_ms)
			die("%d lost their place before the grace of a search was over", p);
		if (over && me->enqueued + EXPIRY_MS > redis_ms)
			die("the search of %d expired early", p);
	}
	want("drop", answer(0), 1);
	search_end(me);
	if (!gone)
		expect(p, "r match:idle - -\n{\"reason\":\"%s\"}", reason);
	told_compare();
	return 0;
}

void step_block(int p, int other, bool on)
{
	words_begin();
	word("|");
	word("%d", p);
	word("%d", other);
	word("%d", on);
	run(MATCH_BLOCK);
	for (int i = 0; i < 2; i++) {
		int a = i ? other : p, b = i ? p : other;
		struct person *me = &m.p[a];

		not_kept(me);
		if (me->beside_until <= redis_ms)
			me->beside = me->beside_off = 0;
		if (on) {
			me->beside |= 1U << b;
			me->beside_off &= ~(1U << b);
			me->beside_until = redis_ms + BESIDE_MS;
			if (me->searching)
				me->known |= 1U << b;
		} else {
			me->beside &= ~(1U << b);
			me->beside_off |= 1U << b;
			me->beside_until = redis_ms + BESIDE_MS;
			if (me->searching)
				me->known &= ~(1U << b);
		}
	}
	told_compare();
}

/* ---- chats ---- */

void step_end(int64_t id, const char *reason, int who, bool only_due)
{
	struct direct *c = direct_of(id);
	int side;

	words_begin();
	word("|");
	word("%" PRId64, id);
	word("%s", reason);
	if (who)
		word("%d", who);
	else
		word("%s", "");
	word("%d", only_due);
	word("%d", RECENT_MS);
	run(MATCH_END);
	side = c && c->who[1] == who;
	if (!c || !c->alive || (who && c->who[side] != who)) {
		want("end: nothing to end", answer(0), 0);
		told_compare();
		return;
	}
	if (only_due) {
		int64_t due = strcmp(reason, "grace") == 0 ? c->grace[side] : c->ends;

		if (!due || due > redis_ms) {
			want("end: not due", answer(0), 0);
			told_compare();
			return;
		}
	}
	want("end", answer(0), 1);
	c->alive = false;
	c->ended = redis_ms;
	if (who)
		expect_left(c, side, 0);
	for (int i = 0; i < 2; i++) {
		struct person *p = &m.p[c->who[i]];

		p->chat = -1;
		p->recent[c->who[!i]] = redis_ms + RECENT_MS;
		expect(c->who[i], "r match:ended - -\n{\"chat_id\":%" PRId64 ",\"reason\":\"%s\"}",
			id, reason);
		expect(c->who[i], "x - 1 %d\n", c->who[i]);
		snprintf(expected[expected_n - 1].channel, sizeof(expected[0].channel),
			"portal:room:%" PRId64, id);
	}
	told_compare();
	check_chat_gone(id);
}

void step_started(void)
{
	words_begin();
	word("|");
	word("%d", STARTED_MS);
	run(MATCH_STARTED);
	for (int i = 0; i < m.chats; i++)
		for (int side = 0; side < 2; side++) {
			struct direct *c = &m.c[i];

			if (!c->alive || !c->grace[side] || c->grace[side] >= redis_ms + STARTED_MS)
				continue;
			c->grace[side] = redis_ms + STARTED_MS;
			if (c->missed[side])
				expect_left(c, side, c->grace[side]);
		}
	for (int p = 1; p <= m.people; p++)
		if (m.p[p].away && m.p[p].away < redis_ms + STARTED_MS)
			m.p[p].away = redis_ms + STARTED_MS;
	told_compare();
}

static int sessions_joined(const struct direct *c, int side)
{
	int n = 0;

	for (int s = 0; s < SESSIONS; s++)
		n += c->joined[side][s];
	return n;
}

void step_join(int64_t id, int p, int s, int process, int sockets, const char *gate)
{
	struct direct *c = direct_of(id);
	int side = c && c->who[1] == p;

	words_begin();
	word("portal:chat:%" PRId64 ":gate", id);
	word("portal:room:%" PRId64 ":present", id);
	word("portal:room:%" PRId64 ":joined", id);
	word("portal:room:%" PRId64 ":people", id);
	word("portal:room:%" PRId64 ":persons", id);
	word("portal:room:%" PRId64 ":seq", id);
	word("portal:chat:%" PRId64 ":epoch", id);
	word("portal:room:%" PRId64 ":status", id);
	word("portal:process:%s:rooms", process_name(process));
	word("portal:chat:%" PRId64 ":since:%d", id, p);
	word("|");
	word("%" PRId64, id);
	word("%d", p);
	word("%s", session_name(p, s));
	word("%s", process_name(process));
	word("%d", sockets);
	/* word_room has no more room: these are constant or the caller's. */
	word_list[word_n] = gate;
	word_list[word_n + 1] = "{\"id\":0}";
	word_list[word_n + 2] = "500";
	word_list[word_n + 3] = "0"; /* only who comes in is told */
	word_list[word_n + 4] = "0"; /* not in the directory */
	word_list[word_n + 5] = NULL;
	run(ROOM_JOIN);
	if (!c || !c->alive) {
		if (answer(0) == 1)
			die("a join of a chat that has ended");
		told_compare();
		return;
	}
	want("join", answer(0), 1);
	c->present[process][side][s] = true;
	if (!c->joined[side][s]) {
		c->joined[side][s] = true;
		if (c->grace[side] && c->missed[side]) {
			c->missed[side] = false;
			expect(c->who[!side],
				"r room:peer_back - -\n{\"chat_id\":%" PRId64 ",\"user_id\":%d}",
				id, p);
			if (!c->announced[side])
				die("%d is back and never left", p);
			c->announced[side] = false;
		}
		c->grace[side] = 0;
	}
	told_compare();
}

static void session_leaves(struct direct *c, int side, int s, int process)
{
	c->present[process][side][s] = false;
	for (int i = 0; i < m.processes; i++)
		if (i != process && m.listed[i] && c->present[i][side][s])
			return;
	if (!c->joined[side][s])
		return;
	c->joined[side][s] = false;
	if (sessions_joined(c, side) > 0)
		return;
	c->grace[side] = redis_ms + GRACE_MS;
	c->missed[side] = true;
	expect_left(c, side, c->grace[side]);
}

void step_leave(int64_t id, int p, int s, int process, int sockets, bool emptied)
{
	struct direct *c = direct_of(id);

	words_begin();
	word("portal:room:%" PRId64 ":present", id);
	word("portal:room:%" PRId64 ":joined", id);
	word("portal:room:%" PRId64 ":people", id);
	word("portal:room:%" PRId64 ":persons", id);
	word("portal:room:%" PRId64 ":status", id);
	word("portal:process:%s:rooms", process_name(process));
	word("|");
	word("%" PRId64, id);
	word("%d", p);
	word("%s", p ? session_name(p, s) : "");
	word("%s", process_name(process));
	word("%d", sockets);
	word("%d", emptied);
	word("0");
	word("500");
	run(ROOM_LEAVE);
	if (c && c->alive) {
		if (p && sockets == 0)
			session_leaves(c, c->who[1] == p, s, process);
		for (int side = 0; !p && side < 2; side++)
			for (int i = 0; i < SESSIONS; i++)
				if (c->present[process][side][i])
					session_leaves(c, side, i, process);
	}
	told_compare();
}

/* ---- sockets ---- */

static void sockets_set(int p, int s, int process, int n)
{
	bool before = connected(p);

	m.sockets[process][p][s] = (uint8_t)n;
	if (before && !connected(p))
		m.p[p].lost_at = redis_ms;
	if (!before && connected(p) && m.p[p].searching) {
		struct person *me = &m.p[p];

		me->had = true;
		if (me->away) {
			me->away = 0;
			me->since = redis_ms;
		}
	}
}

void step_sockets(int p, int s, int process, int sockets)
{
	words_begin();
	word("portal:process:%s:people", process_name(process));
	word("portal:online");
	word("portal:online:session");
	word("|");
	word("%s", process_name(process));
	word("10");
	word("%d %s %d - 0", p, session_name(p, s), sockets);
	run(SOCKET_COUNT);
	sockets_set(p, s, process, sockets);
	told_compare();
}

static void sweep(int process, bool done)
{
	words_begin();
	word("portal:process:%s:people", process_name(process));
	word("portal:process:%s:rooms", process_name(process));
	word("portal:processes:dead");
	word("portal:online");
	word("portal:online:session");
	word("|");
	word("%s", process_name(process));
	word("%s", done ? "1" : "");
	run(PROCESS_SWEEP);
}

void step_sweep(int process)
{
	sweep(process, false);
	for (int p = 1; p <= m.people; p++)
		for (int s = 0; s < SESSIONS; s++)
			sockets_set(p, s, process, 0);
	told_compare();
}

void step_swept(int process)
{
	sweep(process, true);
	told_compare();
}
