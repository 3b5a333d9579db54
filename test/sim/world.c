/* The world of one seed: people, processes and time, each a choice of chance (sim.h). What a person
 * or a process does is a sequence of steps, as src/store/match*.c and src/api/presence.c take them;
 * sequences interleave at steps, and a process that dies takes its own with it.
 *
 * Owns the sequences under way and what processes know of their sockets. To add an actor: enum
 * kind, a function, its rows in `advance` and `begin`. */
#include "model.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis.h"

enum kind {
	ENQUEUE,
	DEQUEUE,
	LEAVE,
	CLOSE,
	CONNECT,
	DISCONNECT,
	JOIN,
	PART,
	BLOCK,
	SAY,
	TICK,
	SWEEP,
	START
};
struct due {
	char kind; /* over, grace, chat, again: o g c a */
	int p;
	int64_t chat;
};
struct act {
	enum kind kind;
	int at, process, p, s, other, swept;
	int64_t chat, since;
	uint32_t known, tags;
	bool on, told, told_on, leave_first;
	char gate[24];
	struct due due[64];
	int due_n;
};

#define ACTS   24
#define STEPS  48 /* remembered */
#define WHY_AT 8192

static struct act acts[ACTS];
static struct act advancing; /* a copy of it */
static int act_n, chats_seen, said;
static bool alive[PROCESSES], forgotten[PROCESSES];
static struct {
	int sockets, in_room;
	int64_t chat;
} here[PROCESSES][PEOPLE + 1][SESSIONS];

static char steps[STEPS][96];
static int step_n;
char world_why[WHY_AT];
static jmp_buf found;
static bool armed;
static uint64_t seed_now;

void die(const char *fmt, ...)
{
	int at;
	va_list ap;

	at = snprintf(world_why, WHY_AT, "seed %" PRIu64 ": ", seed_now);
	va_start(ap, fmt);
	at += vsnprintf(world_why + at, (size_t)(WHY_AT - at), fmt, ap);
	va_end(ap);
	for (int i = step_n > STEPS ? step_n - STEPS : 0; i < step_n && at < WHY_AT; i++)
		at += snprintf(world_why + at, (size_t)(WHY_AT - at), "\n  %s", steps[i % STEPS]);
	if (armed)
		longjmp(found, 1);
	fprintf(stderr, "%s\n", world_why);
	exit(2);
}

static void __attribute__((format(printf, 2, 3))) step(const struct act *a, const char *fmt, ...)
{
	char *line = steps[step_n++ % STEPS];
	int at = snprintf(line, sizeof(steps[0]),
		"%+.3f s, process %d: ", (double)(redis_ms - 1700000000000) / 1000, a->process);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + at, sizeof(steps[0]) - (size_t)at, fmt, ap);
	va_end(ap);
}

static bool between(const struct act *a, int p, int other)
{
	return a->kind == BLOCK &&
	       ((a->p == p && a->other == other) || (a->p == other && a->other == p));
}

bool blocks_under_way(int p, int other)
{
	for (int i = 0; i < act_n; i++)
		if (between(&acts[i], p, other))
			return true;
	return between(&advancing, p, other);
}

/* ---- people ---- */

static uint32_t avoided(int p)
{
	uint32_t known = m.p[p].blocks;

	for (int i = 1; i <= m.people; i++)
		if (m.p[i].blocks & 1U << p)
			known |= 1U << i;
	return known;
}

static bool enqueue(struct act *a)
{
	if (a->at == 0) {
		step(a, "%d enqueues (tags %x)", a->p, a->tags);
		return step_try(a->p, true, a->tags, false, 0);
	}
	if (a->at == 1) {
		a->known = avoided(a->p);
		a->since = redis_ms;
		return !m.p[a->p].closed;
	}
	if (redis_ms - a->since > UNDER_WAY)
		return false;
	step(a, "%d enqueues (tags %x), avoids %x", a->p, a->tags, a->known);
	step_try(a->p, true, a->tags, true, a->known);
	return false;
}

static bool leave(struct act *a)
{
	if (a->at == 0) {
		step(a, "%d %s", a->p, a->kind == LEAVE ? "leaves" : "dequeues");
		a->chat = step_drop(a->p, "dequeued");
		return a->kind == LEAVE && a->chat;
	}
	step(a, "%d leaves chat %" PRId64, a->p, a->chat);
	step_end(a->chat, "left", a->p, false);
	return false;
}

static bool close_account(struct act *a)
{
	struct person *me = &m.p[a->p];

	if (a->at == 0) {
		me->closed = true;
		return true;
	}
	if (a->at == 1) {
		step(a, "%d is closed: search", a->p);
		a->chat = step_drop(a->p, "gone");
		me->closed_told = me->closed && !a->chat;
		return a->chat != 0;
	}
	step(a, "%d is closed: chat %" PRId64, a->p, a->chat);
	step_end(a->chat, "gone", a->p, false);
	me->closed_told = me->closed;
	return false;
}

/* A block is told before it is written, so that a process that dies between leaves a search that
 * avoids too many, never too few; what is told behind it is what is written then. */
static bool block(struct act *a)
{
	uint32_t bit = 1U << a->other;

	if (a->at == 0) {
		a->since = redis_ms;
		if (a->on) {
			step(a, "%d will avoid %d", a->p, a->other);
			step_block(a->p, a->other, true);
		}
		return true;
	}
	if (a->at == 1) {
		if (redis_ms - a->since > UNDER_WAY) {
			m.p[a->p].doubt |= bit;
			return false;
		}
		m.p[a->p].blocks = a->on ? m.p[a->p].blocks | bit : m.p[a->p].blocks & ~bit;
		return true;
	}
	if (a->at % 2 == 0) {
		a->on = avoided(a->p) & bit;
		return !a->told || a->told_on != a->on;
	}
	step(a, "%d and %d avoid each other: %d", a->p, a->other, a->on);
	a->told = true;
	a->told_on = a->on;
	step_block(a->p, a->other, a->on);
	return true;
}

/* ---- sockets and rooms ---- */

static bool connect_socket(struct act *a)
{
	int n = ++here[a->process][a->p][a->s].sockets;

	step(a, "%d/%d has %d sockets", a->p, a->s, n);
	step_sockets(a->p, a->s, a->process, n);
	return false;
}

static bool room_empty(int process, int64_t chat)
{
	for (int p = 1; p <= m.people; p++)
		for (int s = 0; s < SESSIONS; s++)
			if (here[process][p][s].in_room && here[process][p][s].chat == chat)
				return false;
	return true;
}

static void tell_room(struct act *a)
{
	int n = here[a->process][a->p][a->s].chat == a->chat ? here[a->process][a->p][a->s].in_room
							     : 0;

	step(a, "%d/%d has %d sockets in chat %" PRId64, a->p, a->s, n, a->chat);
	step_leave(a->chat, a->p, a->s, a->process, n, room_empty(a->process, a->chat));
}

static bool disconnect_socket(struct act *a)
{
	int *sockets = &here[a->process][a->p][a->s].sockets;
	int *in_room = &here[a->process][a->p][a->s].in_room;

	if (a->at == 0) {
		if (*sockets == 0)
			return false;
		a->leave_first = below(2);
		a->chat = *in_room ? here[a->process][a->p][a->s].chat : 0;
		--*sockets;
		if (*in_room > *sockets)
			*in_room = *sockets;
		return true;
	}
	if ((a->at == 1) == a->leave_first && a->chat) {
		tell_room(a);
	} else if ((a->at == 1) != a->leave_first) {
		step(a, "%d/%d has %d sockets", a->p, a->s, *sockets);
		step_sockets(a->p, a->s, a->process, *sockets);
	}
	return a->at == 1;
}

static bool part(struct act *a)
{
	int *in_room = &here[a->process][a->p][a->s].in_room;

	if (a->at == 0) {
		a->chat = here[a->process][a->p][a->s].chat;
		if (!*in_room)
			return false;
		--*in_room;
		return true;
	}
	tell_room(a);
	return false;
}

static bool join(struct act *a)
{
	struct direct *c;
	int *in_room = &here[a->process][a->p][a->s].in_room;

	if (here[a->process][a->p][a->s].sockets == 0)
		return false;
	if (a->at == 0) {
		char gate[64];
		const char *text;

		if (m.p[a->p].chat < 0)
			return false;
		a->chat = m.c[m.p[a->p].chat].id;
		snprintf(gate, sizeof(gate), "portal:chat:%" PRId64 ":gate", a->chat);
		text = redis_get(gate);
		snprintf(a->gate, sizeof(a->gate), "%s", text ? text : "");
		return true;
	}
	c = direct_of(a->chat);
	if (a->at == 1)
		return c->alive;
	if (*in_room && here[a->process][a->p][a->s].chat == a->chat)
		return false;
	here[a->process][a->p][a->s].chat = a->chat;
	*in_room = here[a->process][a->p][a->s].sockets;
	step(a, "%d/%d joins chat %" PRId64, a->p, a->s, a->chat);
	step_join(a->chat, a->p, a->s, a->process, *in_room, a->gate);
	if (answer(0) != 1)
		*in_room = 0;
	return false;
}

/* A message and a key, as message_send.lua and key_share.lua leave them. */
static bool say(struct act *a)
{
	const struct direct *c = m.p[a->p].chat >= 0 ? &m.c[m.p[a->p].chat] : NULL;
	char keys[40];

	snprintf(keys, sizeof(keys), "portal:e2ee:keys:%d", a->p);
	if (!c || !c->joined[c->who[1] == a->p][a->s] ||
		!redis_member(keys, session_name(a->p, a->s)))
		return false;
	said++;
	redis_do("XADD portal:chat:%" PRId64 ":stream * s %d j {} c hello e 1 k k%d", c->id, a->p,
		said);
	redis_do("SET portal:chat:%" PRId64 ":sent:%d:k%d 1-1 PX 600000", c->id, a->p, said);
	redis_do("HSET portal:e2ee:chatkey:%" PRId64 ":1 %d:%s blob~key", c->id, a->p,
		session_name(a->p, a->s));
	redis_do("SADD portal:e2ee:blobs:%s %" PRId64 ":1", session_name(a->p, a->s), c->id);
	return false;
}

/* ---- processes ---- */

static void due_add(struct act *a, char kind, const char *text)
{
	struct due *d = &a->due[a->due_n++];
	const char *colon = strchr(text, ':');

	*d = (struct due){.kind = kind};
	if (kind == 'g') {
		d->chat = strtoll(text, NULL, 10);
		d->p = atoi(colon + 1);
	} else if (kind == 'c') {
		d->chat = strtoll(text, NULL, 10);
	} else {
		d->p = atoi(text);
	}
}

static bool tick(struct act *a)
{
	static const char kinds[] = "ogca";
	const struct due *d;

	if (a->at == 0) {
		const char *words[] = {"|", "12", NULL};

		redis_told_n = 0;
		step(a, "looks at what is due");
		script_run(MATCH_DUE, words);
		for (int i = 0; i < 4; i++)
			for (int j = 0; j < answer_n(i); j++)
				due_add(a, kinds[i], answer_text(i, j));
		for (int p = 1; p <= m.people; p++) /* match_sweep.lua, then PostgreSQL */
			if (m.p[p].closed && m.p[p].queued)
				a->due[a->due_n++] = (struct due){.kind = 'x', .p = p};
		return a->due_n > 0;
	}
	d = &a->due[a->at - 1];
	step(a, "due: %c %d %" PRId64, d->kind, d->p, d->chat);
	if (d->kind == 'o')
		step_drop(d->p, "expired");
	else if (d->kind == 'x' && m.p[d->p].closed)
		step_drop(d->p, "gone");
	else if (d->kind == 'g')
		step_end(d->chat, "grace", d->p, true);
	else if (d->kind == 'c')
		step_end(d->chat, "expired", 0, true);
	else if (d->kind == 'a')
		step_try(d->p, false, 0, false, 0);
	return a->at < a->due_n;
}

static bool sweep(struct act *a)
{
	const char *name = process_name(a->swept);

	if (forgotten[a->swept])
		return false;
	if (a->at == 0) {
		step(a, "finds %d dead", a->swept);
		redis_do("ZREM portal:processes %s", name);
		redis_do("ZADD portal:processes:dead %" PRId64 " %s", redis_ms, name);
		m.listed[a->swept] = false;
		return true;
	}
	if (a->at == 1) {
		step(a, "sweeps %d", a->swept);
		step_sweep(a->swept);
		for (int i = 0; i < answer_n(-1) && a->due_n < 64; i++)
			due_add(a, 'c', answer_text(-1, i));
		return true;
	}
	if (a->at - 2 < a->due_n) {
		int64_t chat = a->due[a->at - 2].chat;

		step(a, "sweeps %d out of chat %" PRId64, a->swept, chat);
		step_leave(chat, 0, 0, a->swept, 0, true);
		return true;
	}
	step_swept(a->swept);
	forgotten[a->swept] = true;
	for (int i = 0; i < m.chats; i++)
		for (int side = 0; m.c[i].alive && side < 2; side++)
			for (int s = 0; s < SESSIONS; s++)
				if (m.c[i].present[a->swept][side][s])
					die("%d is present in chat %" PRId64
					    " through a process that was swept",
						m.c[i].who[side], m.c[i].id);
	return false;
}

static bool start(struct act *a)
{
	step(a, "starts");
	step_started();
	return false;
}

static void process_new(void)
{
	int i = m.processes++;

	alive[i] = m.listed[i] = true;
	redis_do("ZADD portal:processes 9e15 %s", process_name(i));
}

static void process_dies(int process)
{
	struct act a = {.process = process};

	step(&a, "dies");
	alive[process] = false;
	memset(here[process], 0, sizeof(here[process]));
	for (int i = 0; i < act_n;)
		if (acts[i].process == process) {
			if (acts[i].kind == BLOCK)
				m.p[acts[i].p].doubt |= 1U << acts[i].other;
			acts[i] = acts[--act_n];
		} else {
			i++;
		}
}

/* ---- the scheduler ---- */

static bool advance(struct act *a)
{
	static bool (*const kinds[])(struct act * a) = {[ENQUEUE] = enqueue,
		[DEQUEUE] = leave,
		[LEAVE] = leave,
		[CLOSE] = close_account,
		[CONNECT] = connect_socket,
		[DISCONNECT] = disconnect_socket,
		[JOIN] = join,
		[PART] = part,
		[BLOCK] = block,
		[SAY] = say,
		[TICK] = tick,
		[SWEEP] = sweep,
		[START] = start};
	bool more;

	advancing = *a;
	more = kinds[a->kind](a);

	a->at++;
	check_step();
	return more;
}

static struct act *act_new(enum kind kind, int process)
{
	struct act *a;

	if (act_n == ACTS)
		return NULL;
	a = &acts[act_n++];
	a->kind = kind;
	a->process = process;
	a->at = a->due_n = 0;
	a->chat = 0;
	a->told = false;
	return a;
}

static int some_process(void)
{
	int list[PROCESSES], n = 0;

	for (int i = 0; i < m.processes; i++)
		if (alive[i])
			list[n++] = i;
	return n ? list[below((uint32_t)n)] : -1;
}

/* Those whom "!direct" reaches join, most of the time. */
static void found_join(void)
{
	for (; chats_seen < m.chats; chats_seen++)
		for (int side = 0; side < 2; side++)
			for (int i = 0; i < m.processes; i++)
				for (int s = 0; s < SESSIONS; s++) {
					int p = m.c[chats_seen].who[side];
					struct act *a;

					if (!alive[i] || !here[i][p][s].sockets || below(8) == 0)
						continue;
					a = act_new(JOIN, i);
					if (a) {
						a->p = p;
						a->s = s;
					}
				}
}

static void begin(int process)
{
	static const enum kind often[] = {ENQUEUE, ENQUEUE, ENQUEUE, ENQUEUE, ENQUEUE, ENQUEUE,
		DEQUEUE, LEAVE, LEAVE, CLOSE, CONNECT, CONNECT, CONNECT, CONNECT, CONNECT,
		DISCONNECT, DISCONNECT, DISCONNECT, DISCONNECT, JOIN, JOIN, PART, BLOCK, SAY, TICK,
		TICK, TICK, SWEEP};
	enum kind kind = often[below(sizeof(often) / sizeof(*often))];
	struct act *a = act_new(kind, process);

	if (!a)
		return;
	a->p = 1 + (int)below((uint32_t)m.people);
	a->s = (int)below(SESSIONS);
	a->other = 1 + (a->p + (int)below((uint32_t)m.people - 1)) % m.people;
	a->on = below(2);
	a->tags = below(4) == 0 ? 1 : 2 * (1 + below(7));
	a->swept = (int)below((uint32_t)m.processes);
	if ((kind == SWEEP && alive[a->swept]) ||
		(kind == CONNECT && (m.p[a->p].closed || here[process][a->p][a->s].sockets == 2)) ||
		(kind == CLOSE && below(3) > 0))
		act_n--;
	if (m.p[a->p].closed && below(4) == 0)
		m.p[a->p].closed = m.p[a->p].closed_told = false;
}

/* A moment before, at, or behind something that comes due, or any. */
static void time_passes(void)
{
	static const int64_t jumps[] = {1, 40, 250, 250, 250, 2000, 5000, 9900, 10100, 59900, 60100,
		300000, 600000, 86400000};
	int64_t list[4 * PEOPLE + 3 * CHATS], d;
	int n = 0;

	if (below(2)) {
		redis_ms += jumps[below(below(2) ? 6 : sizeof(jumps) / sizeof(*jumps))];
		return;
	}
	for (int p = 1; p <= m.people; p++) {
		if (m.p[p].searching) {
			list[n++] = m.p[p].until;
			list[n++] = m.p[p].since + ALONE_MS;
			list[n++] = m.p[p].away;
		}
		list[n++] = m.p[p].recent[1 + below((uint32_t)m.people)];
	}
	for (int i = 0; i < m.chats; i++)
		if (m.c[i].alive) {
			list[n++] = m.c[i].grace[0];
			list[n++] = m.c[i].grace[1];
		}
	d = list[below((uint32_t)n)];
	if (d > redis_ms + 1)
		redis_ms = d + (int64_t)below(3) - 1;
}

/* What was said of chats that have ended reaches processes at some time. */
static void ends_heard(void)
{
	for (int i = 0; i < m.processes; i++)
		for (int p = 1; p <= m.people; p++)
			for (int s = 0; s < SESSIONS; s++)
				if (here[i][p][s].in_room && below(4) == 0 &&
					!direct_of(here[i][p][s].chat)->alive)
					here[i][p][s].in_room = 0;
}

static void settle(int process)
{
	for (int round = 0; round < 2; round++) {
		struct act a = {.kind = TICK, .process = process};

		while (advance(&a))
			;
		found_join();
	}
	check_settled();
	for (int p = 1; p <= m.people; p++)
		if (m.p[p].closed_told && (m.p[p].searching || m.p[p].chat >= 0))
			die("%d is closed, and searches or is in a chat", p);
}

static void turn(void)
{
	uint32_t r = below(100);
	int process = some_process();

	ends_heard();
	if (process < 0 || (r < 5 && m.processes < PROCESSES)) {
		struct act *a;

		if (process >= 0 && below(3))
			process_dies(process);
		if (m.processes == PROCESSES)
			return;
		process_new();
		a = act_new(START, m.processes - 1);
		if (a && below(8) == 0)
			advance(a), act_n--;
	} else if (r < 50 && act_n > 0) {
		int i = (int)below((uint32_t)act_n);
		struct act a = acts[i]; /* new ones may take its place */

		acts[i] = acts[--act_n];
		if (advance(&a) && act_n < ACTS)
			acts[act_n++] = a;
		found_join();
	} else if (r < 80) {
		begin(process);
	} else if (r < 95) {
		time_passes();
	} else {
		settle(process);
	}
}

bool world_run(uint64_t seed, int count)
{
	seed_now = seed;
	chance_seed(seed);
	redis_reset();
	redis_ms = 1700000000000;
	m = (struct model){.people = 3 + (int)below(PEOPLE - 2), .ids = 1000};
	memset(here, 0, sizeof(here));
	memset(alive, 0, sizeof(alive));
	memset(forgotten, 0, sizeof(forgotten));
	act_n = chats_seen = step_n = said = 0;
	for (int p = 1; p <= m.people; p++) {
		m.p[p].chat = -1;
		for (int s = 0; s < SESSIONS; s++)
			if (s == 0 || below(4) > 0) /* a session may have no key yet */
				redis_do("HSET portal:e2ee:keys:%d %s key", p, session_name(p, s));
	}
	armed = true;
	if (setjmp(found) != 0) {
		armed = false;
		script_forget();
		return false;
	}
	for (int i = 1 + (int)below(3); i > 0; i--)
		process_new();
	for (volatile int i = 0; i < count && m.chats < CHATS - 4; i++)
		turn();
	armed = false;
	return true;
}
