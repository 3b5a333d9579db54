/* See chatter.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/config.h"
#include "chatter.h"
#include "io/pg.h"
#include "store/wipe.h"

/* ---- people, chats, rooms ---- */

static int64_t chats = 100;

int64_t someone(void)
{
	static int64_t people = 1000;

	people++;
	sql_do("INSERT INTO users (id, username) OVERRIDING SYSTEM VALUE VALUES (%lld, 'p%lld')",
		(long long)people, (long long)people);
	return people;
}

int64_t a_chat(const char *visibility)
{
	int64_t id = ++chats;

	sql_do("INSERT INTO chats (id, name, visibility, slug, epoch_ceiling) VALUES (%lld, 'A "
	       "\"chat\"',"
	       " '%s', CASE '%s' WHEN 'public' THEN 's%lld' END, 1000)",
		(long long)id, visibility, visibility, (long long)id);
	redis_do("SET portal:chat:%lld:epoch 1", (long long)id);
	redis_do("SET portal:chat:%lld:ceiling 1000", (long long)id);
	return id;
}

void enter(int64_t chat, int64_t user)
{
	redis_do("ZADD portal:room:%lld:joined 1 %lld:" SESSION, (long long)chat, (long long)user);
}

void give_key(int64_t chat, int64_t user)
{
	redis_do("HSET portal:e2ee:chatkey:%lld:%lld %lld:" SESSION " blob", (long long)chat,
		(long long)epoch_of(chat), (long long)user);
}

long long length(int64_t chat)
{
	return atoll(redis_do("XLEN portal:chat:%lld:stream", (long long)chat));
}

/* ---- what is done ---- */

static void acted(struct task *t)
{
	struct act *a = task_subject(t);

	if (a->call == SEND)
		snprintf(a->id, sizeof(a->id), STR_FMT, STR_ARG(a->taken));
	if (a->call == READ) {
		a->count = a->list.count;
		assert_in_range(a->count, 0, 64);
		snprintf(a->cursor, sizeof(a->cursor), STR_FMT, STR_ARG(a->list.cursor));
		for (size_t i = 0; i < a->count; i++)
			snprintf(
				a->ids[i], sizeof(a->ids[i]), STR_FMT, STR_ARG(a->list.rows[i].id));
		if (a->count) {
			const struct message *m = &a->list.rows[a->count - 1];

			a->n = m->sender_id;
			a->epoch = m->epoch;
			snprintf(a->buffer, sizeof(a->buffer), STR_FMT "|" STR_FMT "|" STR_FMT,
				STR_ARG(m->face), STR_ARG(m->content), STR_ARG(m->client_id));
		}
	}
	task_end(t);
}

PG_STMT(test_mute, OP_WRITE,
	"INSERT INTO chat_mutes (chat_id, user_id) VALUES ($1::bigint, $2::bigint)");

static void mute_committed(struct task *t)
{
	const struct act *a = task_subject(t);

	message_person_changed(t, a->user, acted);
}

static void mute_begin(struct task *t, const struct act *a)
{
	struct pg_args args = {0};

	pg_arg_i64(t, &args, a->chat);
	pg_arg_i64(t, &args, a->user);
	pg_query(t, &test_mute, &args, NULL, NULL, mute_committed);
}

static void act_begin(struct task *t)
{
	struct act *a = task_subject(t);
	struct message_new m = {.chat_id = a->chat,
		.user_id = a->user,
		.session = SESSION,
		.content = a->content,
		.client_id = a->client_id};

	switch (a->call) {
	case SEND:
		message_send(t, &m, &a->taken, acted);
		break;
	case SYSTEM:
		message_system(t, a->chat, STR("A \"chat\""), a->text, acted);
		break;
	case READ:
		message_read(t, &a->ask, &a->list, acted);
		break;
	case DELETE:
		message_delete(t, a->chat, a->user, a->any, a->some, a->some_count, &a->n, acted);
		break;
	case DELETE_OF:
		message_delete_of(t, a->chat, a->user, &a->n, acted);
		break;
	case DELETE_LAST:
		message_delete_last(t, a->chat, a->n, &a->n, acted);
		break;
	case CLEAR:
	case WIPE:
		message_empty(t, a->chat, STR("A \"chat\""), a->call == WIPE ? "wipe" : "clear",
			STR("gone"), &a->n, acted);
		break;
	case RESTART:
		wipe_restart(t, a->chat, a->text, acted);
		break;
	case PERSON:
		message_person_changed(t, a->user, acted);
		break;
	case CHAT:
		message_chat_changed(t, a->chat, acted);
		break;
	case MUTE:
		mute_begin(t, a);
		break;
	}
}

struct act act_of(int call, int64_t chat, int64_t user)
{
	struct act a = {.job.begin = act_begin, .chat = chat, .user = user};

	a.call = (unsigned)call;
	return a;
}

struct act sending(int64_t chat, int64_t user, const char *client_id, int64_t epoch)
{
	static char texts[64][120];
	static int next;
	struct act a = act_of(SEND, chat, user);
	char *text = texts[next++ % 64];

	snprintf(text, sizeof(texts[0]), "{\"v\":2,\"epoch\":%lld,\"ct\":\"" CT "\"}",
		(long long)epoch);
	a.content = str_of(text);
	a.client_id = str_of(client_id);
	return a;
}

struct act send_now(int64_t chat, int64_t user, const char *client_id)
{
	struct act a = sending(chat, user, client_id, epoch_of(chat));

	job_run(&a.job);
	return a;
}

enum err send_err(int64_t chat, int64_t user)
{
	return send_now(chat, user, NULL).job.fault.err;
}

struct act run(struct act a)
{
	assert_int_equal(job_run(&a.job), OK);
	return a;
}

void say(int64_t chat)
{
	struct act a = act_of(SYSTEM, chat, 0);

	a.text = STR("hello \"you\"");
	run(a);
}

struct act reading(int64_t chat, const char *after, const char *before, int64_t limit)
{
	struct act a = act_of(READ, chat, 0);

	a.ask = (struct message_ask){
		.chat_id = chat, .after = str_of(after), .before = str_of(before), .limit = limit};
	return a;
}

struct act read_now(int64_t chat, const char *after, const char *before, int64_t limit)
{
	return run(reading(chat, after, before, limit));
}

void fresh(void)
{
	redis_do("FLUSHDB");
	config.history_max = 1000;
	config.rate_message = config.rate_message_chat = 0;
}

int64_t speaker(int64_t chat)
{
	int64_t user = someone();

	enter(chat, user);
	give_key(chat, user);
	return user;
}
