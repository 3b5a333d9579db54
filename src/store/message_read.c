/* Reading a chat's stream, and history items as JSON. One script, whoever asks.
 *
 * To add a member to an item: message_send.lua (field and event), message_decode, message_write,
 * and the shape @message in api/routes.c. */
#include "store/message.h"

#include "base/clock.h"
#include "gen/schema.h"
#include "io/redis.h"

/* ---- ids ---- */

/* Digits of a number below 2^63, cut off the front. */
static bool id_part(struct str *rest, char sep)
{
	struct str part = str_cut(rest, sep);
	int64_t n;

	return part.n > 0 && part.p[0] >= '0' && part.p[0] <= '9' && str_to_i64(part, &n);
}

bool message_id_ok(struct str id)
{
	return id_part(&id, '-') && id.p && id_part(&id, '\0') && !id.p;
}

/* When the id was given out, in us. */
static int64_t id_time(struct str id)
{
	int64_t ms = 0;

	return str_to_i64(str_cut(&id, '-'), &ms) ? ms * 1000 : 0;
}

/* ---- reading ---- */

/* {id, {name, value, …}} */
static struct message message_decode(struct task *t, const struct redis_value *entry)
{
	const struct redis_value *fields = redis_at(entry, 1);
	struct arena *a = task_arena(t);
	struct message m = {.id = arena_str(a, redis_str(redis_at(entry, 0)))};

	for (size_t i = 0; i + 1 < redis_len(fields); i += 2) {
		const struct redis_value *v = redis_at(fields, i + 1);

		switch (redis_str(redis_at(fields, i)).p[0]) {
		case 's':
			m.sender_id = redis_i64(v);
			break;
		case 'j':
			m.face = arena_str(a, redis_str(v));
			break;
		case 'c':
			m.content = arena_str(a, redis_str(v));
			break;
		case 'e':
			m.epoch = redis_i64(v);
			break;
		case 'k':
			m.client_id = redis_str(v).n ? arena_str(a, redis_str(v)) : STR_NULL;
			break;
		default:
			break;
		}
	}
	return m;
}

static enum err list_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct message_list *l = out;
	const struct redis_value *entries = redis_at(v, 0);

	l->count = redis_len(entries);
	l->rows = arena_array(task_arena(t), struct message, l->count);
	for (size_t i = 0; i < l->count; i++)
		l->rows[i] = message_decode(t, redis_at(entries, i));
	l->more = redis_i64(redis_at(v, 1)) == 1;
	l->gap = redis_i64(redis_at(v, 2)) == 1;
	l->cursor = arena_str(task_arena(t), redis_str(redis_at(v, 3)));
	return OK;
}

void message_read(
	struct task *t, const struct message_ask *ask, struct message_list *out, task_fn *next)
{
	struct redis_args a = {0};
	long long chat = (long long)ask->chat_id;

	redis_key(t, &a, "portal:chat:%lld:stream", chat);
	redis_key(t, &a, "portal:chat:%lld:since:%lld", chat, (long long)ask->user_id);
	redis_arg(&a, ask->after.p ? ask->after : STR(""));
	redis_arg(&a, ask->before.p ? ask->before : STR(""));
	redis_arg_i64(t, &a, ask->limit);
	redis_arg_i64(t, &a, ask->since);
	redis_eval(t, &redis_scripts[SCRIPT_MESSAGE_READ], &a, list_decode, out, next);
}

/* ---- writing ---- */

void message_write(
	struct json_out *j, const struct message *m, int64_t chat_id, struct str chat_name)
{
	json_obj(j);
	json_ki64(j, "chat_id", chat_id);
	json_kstr(j, "chat_name", chat_name);
	json_kstr(j, "id", m->id);
	json_key(j, "sender");
	json_raw(j, m->face);
	json_kstr(j, "content", m->content);
	json_key(j, "type");
	json_z(j, m->sender_id ? "user" : "system");
	json_ki64(j, "epoch", m->epoch);
	json_ktime(j, "timestamp", id_time(m->id));
	json_kstr(j, "client_id", m->client_id);
	json_end(j);
}

void message_list_write(
	struct json_out *j, const struct message_list *l, int64_t chat_id, struct str chat_name)
{
	json_arr(j);
	for (size_t i = 0; i < l->count; i++)
		message_write(j, &l->rows[i], chat_id, chat_name);
	json_end(j);
}
