/* See match_rig.h. Time is moved by moving what Redis keeps. */
#include "match_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/config.h"
#include "base/secret.h"
#include "gen/schema.h"
#include "io/redis_sub.h"
#include "store/account.h"
#include "store/message.h"
#include "store/room.h"
#include "store/user_change.h"

int match_begin(void **state)
{
	stores_begin(state);
	ear_begin();
	/* Numbers that nothing else has: see traces. */
	sql_do("SELECT setval('chats_id_seq', 770000000)");
	return 0;
}

int match_finish(void **state)
{
	ear_end();
	return stores_end(state);
}

void matcher_new(void)
{
	redis_do("FLUSHDB");
	config.match_tick = 10;
	config.match_expiry = 600;
	config.match_away = config.match_grace = 60;
	config.match_grace_least = 0;
	config.match_life = 86400;
	config.match_recent = 300;
	config.match_alone = 10;
	heard();
}

int64_t seeker(void)
{
	static int64_t people = 1000;
	char channel[48];

	people++;
	sql_do("INSERT INTO users (id, username) OVERRIDING SYSTEM VALUE VALUES (%lld, 'p%lld')",
		(long long)people, (long long)people);
	snprintf(channel, sizeof(channel), "portal:user:%lld", (long long)people);
	redis_subscribe(str_of(channel));
	return people;
}

/* ---- moves ---- */

static void copy(char *to, size_t room, struct str s)
{
	ASSERT(s.n < room);
	snprintf(to, room, STR_FMT, STR_ARG(s));
}

static void moved(struct task *t)
{
	struct move *m = task_subject(t);

	if (m->call == DIRECT) {
		copy(m->peer, sizeof(m->peer), m->direct.persons[0]);
		copy(m->other_peer, sizeof(m->other_peer), m->direct.persons[1]);
	} else {
		copy(m->interests, sizeof(m->interests), m->status.interests);
		copy(m->peer, sizeof(m->peer), m->status.peer);
	}
	ASSERT(m->page.count <= 8);
	for (; m->ids_n < m->page.count; m->ids_n++)
		m->ids[m->ids_n] = m->page.rows[m->ids_n].id;
	task_end(t);
}

static void try_again(struct task *t)
{
	struct move *m = task_subject(t);

	m->try = (struct try){.user_id = m->user, .tags = STR("")};
	if (reserve_take(&m->try.chat_id))
		match_try(t, &m->try, moved);
	else
		reserve_fill(t, 1, try_again);
}

static enum err sweep_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct move *m = out;

	(void)t;
	ASSERT(redis_len(v) <= 8);
	for (; m->ids_n < redis_len(v); m->ids_n++)
		m->ids[m->ids_n] = redis_i64(redis_at(v, m->ids_n));
	return OK;
}

/* Two of them. */
static void sweep(struct task *t)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("5000"));
	redis_arg(&a, STR("2"));
	redis_eval(t, &redis_scripts[SCRIPT_MATCH_SWEEP], &a, sweep_decode, task_subject(t), moved);
}

static void move_begin(struct task *t)
{
	struct move *m = task_subject(t);

	switch (m->call) {
	case ENQUEUE:
		match_enqueue(t, m->user, str_of(m->text), &m->status, moved);
		break;
	case DEQUEUE:
		match_dequeue(t, m->user, moved);
		break;
	case LEAVE:
		match_leave(t, m->user, moved);
		break;
	case CLOSE:
		match_close(t, m->user, moved);
		break;
	case STATUS:
		match_status(t, m->user, &m->status, moved);
		break;
	case DIRECT:
		direct_read(t, m->other, &m->direct, moved);
		break;
	case BLOCK:
		block_set(t, m->user, m->other, m->flag, moved);
		break;
	case BLOCKS:
		blocks_read(t, m->user, &m->page, moved);
		break;
	case TRY:
		reserve_fill(t, 1, try_again);
		break;
	case DROP:
		match_drop(t, m->user, m->text, &m->dropped, moved);
		break;
	case END:
		match_end(t, m->other, m->text, m->user, m->flag, moved);
		break;
	case DELETE_USER:
		user_delete(t, m->user, arena_printf(task_arena(t), "p%lld", (long long)m->user),
			moved);
		break;
	case SWEEP:
		sweep(t);
		break;
	case CHANGED:
		account_changed(t, m->user, moved);
		break;
	}
}

struct move move_of(enum move_call call, int64_t user)
{
	return (struct move){.job.begin = move_begin, .call = call, .user = user};
}

struct move enqueuing(int64_t user, const char *tags)
{
	struct move m = move_of(ENQUEUE, user);

	m.text = tags;
	return m;
}

struct move blocking(int64_t user, int64_t other, bool on)
{
	struct move m = move_of(BLOCK, user);

	m.other = other;
	m.flag = on;
	return m;
}

enum err move_run(struct move *m)
{
	return job_run(&m->job);
}

struct match_status enqueue(int64_t user, const char *tags)
{
	struct move m = enqueuing(user, tags);

	assert_int_equal(move_run(&m), OK);
	return m.status;
}

struct match_status status_of(int64_t user)
{
	struct move m = move_of(STATUS, user);

	assert_int_equal(move_run(&m), OK);
	return m.status;
}

int64_t chat_of(int64_t a, int64_t b)
{
	struct match_status x = status_of(a), y = status_of(b);

	assert_int_equal(x.state, MATCH_MATCHED);
	assert_int_equal(y.state, MATCH_MATCHED);
	assert_int_equal(x.chat_id, y.chat_id);
	return x.chat_id;
}

void leave(int64_t user)
{
	struct move m = move_of(LEAVE, user);

	assert_int_equal(move_run(&m), OK);
}

void block(int64_t user, int64_t other, bool on)
{
	struct move m = blocking(user, other, on);

	assert_int_equal(move_run(&m), OK);
}

bool searching(int64_t user)
{
	return status_of(user).state == MATCH_SEARCHING;
}

bool idle(int64_t user)
{
	return status_of(user).state == MATCH_IDLE;
}

/* ---- the tick ---- */

struct ticking {
	struct job job;
	uint64_t before;
};

static void tick_wait(struct task *t)
{
	const struct ticking *j = task_subject(t);
	struct task_stats s = task_stats();

	if (s.started > j->before)
		match_stop(); /* one has begun */
	if (s.started > j->before && s.alive == 1)
		task_end(t);
	else
		task_sleep(t, 1, tick_wait);
}

static void tick_begin(struct task *t)
{
	struct ticking *j = task_subject(t);

	j->before = task_stats().started;
	match_start();
	tick_wait(t);
}

void tick(void)
{
	struct ticking j = {.job.begin = tick_begin};

	assert_int_equal(job_run(&j.job), OK);
}

/* ---- sockets ---- */

static char session[SESSION_ID_LEN + 1];

#define PROCESS STR("00c0ffee")

struct socketing {
	struct job job;
	struct socket_seat seat;
	struct room_ask ask;
	struct room_joined joined;
	struct room_left left;
	struct seat_taken taken;
};

static void session_of(int64_t user)
{
	snprintf(session, sizeof(session), "%016llx", (unsigned long long)user);
}

static void count_begin(struct task *t)
{
	struct socketing *j = task_subject(t);

	sockets_count(t, PROCESS, &j->seat, 1, &j->taken, job_done);
}

static void count(int64_t user, int64_t sockets)
{
	static const uint8_t hash[HASH_LEN] = {7};
	char hex[2 * HASH_LEN + 1] = "";
	struct socketing j = {.job.begin = count_begin,
		.seat = {.user_id = user,
			.session = str_make(session, SESSION_ID_LEN),
			.sockets = sockets,
			.token_hash = sockets ? hash : NULL}};

	hex_encode(hash, HASH_LEN, hex);
	redis_do("HSET portal:session:%s e 99999999999999", hex);
	session_of(user);
	assert_int_equal(job_run(&j.job), OK);
	assert_int_equal(j.taken.outcome, sockets ? SEAT_OK : SEAT_ENDED);
}

void socket_comes(int64_t user)
{
	count(user, 1);
}

void socket_goes(int64_t user)
{
	count(user, 0);
}

static void enter_begin(struct task *t)
{
	struct socketing *j = task_subject(t);

	room_enter(t, &j->ask, &j->joined, job_done);
}

static void exit_begin(struct task *t)
{
	struct socketing *j = task_subject(t);

	room_exit(t, &j->ask.seat, false, false, &j->left, job_done);
}

static struct socketing seat_in(int64_t chat, int64_t user, int64_t sockets)
{
	session_of(user);
	return (struct socketing){.ask = {.seat = {.chat_id = chat,
						  .user_id = user,
						  .session = str_make(session, SESSION_ID_LEN),
						  .process = PROCESS,
						  .sockets = sockets},
					  .gate = STR(""),
					  .person = STR("{}")}};
}

void comes_in(int64_t chat, int64_t user)
{
	struct socketing j = seat_in(chat, user, 1);

	j.job.begin = enter_begin;
	assert_int_equal(job_run(&j.job), OK);
	assert_int_equal(j.joined.outcome, ROOM_JOINED);
}

bool comes_in_late(int64_t chat, int64_t user)
{
	struct socketing j = seat_in(chat, user, 1);

	j.job.begin = enter_begin;
	assert_int_equal(job_run(&j.job), OK);
	return j.joined.outcome == ROOM_JOINED;
}

struct saying {
	struct job job;
	struct message_new message;
	struct str id;
};

static void say_begin(struct task *t)
{
	struct saying *j = task_subject(t);

	message_send(t, &j->message, &j->id, job_done);
}

enum err says_late(int64_t chat, int64_t user)
{
	struct saying j = {.job.begin = say_begin,
		.message = {.chat_id = chat,
			.user_id = user,
			.content = STR(
				"{\"v\":2,\"epoch\":1,\"ct\":"
				"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\"}")}};

	session_of(user);
	memcpy(j.message.session, session, SESSION_ID_LEN);
	return job_run(&j.job);
}

void goes_out(int64_t chat, int64_t user, int64_t sockets)
{
	struct socketing j = seat_in(chat, user, sockets);

	j.job.begin = exit_begin;
	assert_int_equal(job_run(&j.job), OK);
}

/* ---- Lua by hand ---- */

struct script {
	struct job job;
	const char *text;
	int64_t arg;
	char answer[4000];
};

static enum err script_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct script *s = out;

	(void)t;
	copy(s->answer, sizeof(s->answer), redis_str(v));
	return OK;
}

static void script_begin(struct task *t)
{
	struct script *s = task_subject(t);
	struct redis_args a = {0};

	redis_arg(&a, STR("EVAL"));
	redis_arg(&a, str_of(s->text));
	redis_arg(&a, STR("0"));
	redis_arg_i64(t, &a, s->arg);
	redis_call(t, OP_WRITE, &a, script_decode, s, job_done);
}

static const char *script(const char *text, int64_t arg)
{
	static struct script s;

	s = (struct script){.job.begin = script_begin, .text = text, .arg = arg};
	assert_int_equal(job_run(&s.job), OK);
	return s.answer;
}

void age(int64_t ms)
{
	script("local function older(key, ...) "
	       "  for _, field in ipairs({...}) do "
	       "    local at = redis.call('HGET', key, field) "
	       "    if at then "
	       "      redis.call('HSET', key, field, string.format('%.0f', at - ARGV[1])) "
	       "    end "
	       "  end "
	       "end "
	       "local function all(pattern, call) "
	       "  for _, key in ipairs(redis.call('KEYS', pattern)) do call(key) end "
	       "end "
	       "local function set(key) "
	       "  for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do "
	       "    redis.call('ZINCRBY', key, -ARGV[1], member) "
	       "  end "
	       "end "
	       "for _, name in ipairs({'until', 'away', 'retry', 'graces', 'chats'}) do "
	       "  set('portal:match:' .. name) "
	       "end "
	       "all('portal:match:recent:*', set) "
	       "all('portal:match:person:*', function(key) older(key, 's', 'c', 'u', 'a') end) "
	       "all('portal:direct:*', function(key) older(key, 'c', 'u') end) "
	       "return ''",
		ms);
}

const char *traces(int64_t number)
{
	return script("local read = {string = {'GET'}, hash = {'HGETALL'}, set = {'SMEMBERS'}, "
		      "  zset = {'ZRANGE', 0, -1}, list = {'LRANGE', 0, -1}, "
		      "  stream = {'XRANGE', '-', '+'}} "
		      "local function has(value) "
		      "  if type(value) ~= 'table' then "
		      "    return tostring(value):find(ARGV[1], 1, true) "
		      "  end "
		      "  for _, v in ipairs(value) do if has(v) then return true end end "
		      "end "
		      "local found = {} "
		      "for _, key in ipairs(redis.call('KEYS', '*')) do "
		      "  local how = read[redis.call('TYPE', key).ok] "
		      "  if has(key) or has(redis.call(how[1], key, unpack(how, 2))) then "
		      "    found[#found + 1] = key "
		      "  end "
		      "end "
		      "return table.concat(found, ' ')",
		number);
}
