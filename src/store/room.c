/* Presence: rooms, connections and the leases of processes, each change one script
 * (schema/redis/room_*.lua, socket_count.lua, process_*.lua).
 *
 * Owns nothing. What a count should be is known to the caller (api/presence.c), who tells again
 * what was not heard. To add something that a join answers: room_join.lua, joined_decode, struct
 * room_joined. */
#include "store/room.h"

#include "base/buf.h"
#include "base/config.h"
#include "gen/schema.h"
#include "io/pg.h"
#include "io/redis.h"
#include "store/match.h"

/* ---- joining ---- */

static enum err gate_decode(struct task *t, const struct redis_value *v, void *out)
{
	*(struct str *)out = redis_is_nil(v) ? STR("") : arena_str(task_arena(t), redis_str(v));
	return OK;
}

void room_gate(struct task *t, int64_t chat_id, struct str *out, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("GET"));
	redis_arg(&a, arena_printf(task_arena(t), "portal:chat:%lld:gate", (long long)chat_id));
	redis_call(t, OP_READ, &a, gate_decode, out, next);
}

static struct str copy(struct task *t, const struct redis_value *v)
{
	return redis_is_nil(v) ? STR_NULL : arena_str(task_arena(t), redis_str(v));
}

static enum err joined_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct room_joined *j = out;
	int64_t outcome = redis_i64(redis_at(v, 0));
	struct str key;

	*j = (struct room_joined){.outcome = outcome == 1   ? ROOM_JOINED
					     : outcome == 0 ? ROOM_AGAIN
							    : ROOM_NO_EPOCH};
	if (j->outcome != ROOM_JOINED)
		return OK;
	j->epoch = redis_i64(redis_at(v, 1));
	j->sessions = redis_i64(redis_at(v, 2));
	j->status_due = redis_i64(redis_at(v, 3)) == 1;
	if (redis_len(v) == 4)
		return OK;
	j->online = redis_i64(redis_at(v, 4));
	j->keyed = redis_i64(redis_at(v, 5)) == 1;
	key = copy(t, redis_at(v, 6));
	if (key.p) {
		j->blob = str_cut(&key, ' ');
		j->from_public_key = key;
	}
	j->members = copy(t, redis_at(v, 7));
	return OK;
}

static void room_key(struct task *t, struct redis_args *a, int64_t chat_id, const char *what)
{
	redis_key(t, a, "portal:room:%lld:%s", (long long)chat_id, what);
}

static void process_key(struct task *t, struct redis_args *a, struct str process, const char *what)
{
	redis_key(t, a, "portal:process:" STR_FMT ":%s", STR_ARG(process), what);
}

void room_enter(struct task *t, const struct room_ask *ask, struct room_joined *out, task_fn *next)
{
	const struct room_seat *s = &ask->seat;
	struct redis_args a = {0};

	redis_key(t, &a, "portal:chat:%lld:gate", (long long)s->chat_id);
	room_key(t, &a, s->chat_id, "present");
	room_key(t, &a, s->chat_id, "joined");
	room_key(t, &a, s->chat_id, "people");
	room_key(t, &a, s->chat_id, "persons");
	room_key(t, &a, s->chat_id, "seq");
	redis_key(t, &a, "portal:chat:%lld:epoch", (long long)s->chat_id);
	room_key(t, &a, s->chat_id, "status");
	process_key(t, &a, s->process, "rooms");
	redis_key(
		t, &a, "portal:chat:%lld:since:%lld", (long long)s->chat_id, (long long)s->user_id);
	redis_arg_i64(t, &a, s->chat_id);
	redis_arg_i64(t, &a, s->user_id);
	redis_arg(&a, s->session);
	redis_arg(&a, s->process);
	redis_arg_i64(t, &a, s->sockets);
	redis_arg(&a, ask->gate);
	redis_arg(&a, ask->person);
	redis_arg_i64(t, &a, config.roster_max);
	redis_arg(&a, ask->tells ? STR("1") : STR("0"));
	redis_arg_i64(t, &a, ask->rank);
	redis_eval(t, &redis_scripts[SCRIPT_ROOM_JOIN], &a, joined_decode, out, next);
}

/* ---- leaving ---- */

static enum err left_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct room_left *l = out;

	(void)t;
	l->sessions = redis_i64(redis_at(v, 0));
	l->status_due = redis_i64(redis_at(v, 1)) == 1;
	return OK;
}

void room_exit(struct task *t, const struct room_seat *s, bool emptied, bool on_purpose,
	struct room_left *out, task_fn *next)
{
	struct redis_args a = {0};

	room_key(t, &a, s->chat_id, "present");
	room_key(t, &a, s->chat_id, "joined");
	room_key(t, &a, s->chat_id, "people");
	room_key(t, &a, s->chat_id, "persons");
	room_key(t, &a, s->chat_id, "status");
	process_key(t, &a, s->process, "rooms");
	redis_arg_i64(t, &a, s->chat_id);
	redis_arg_i64(t, &a, s->user_id);
	redis_arg(&a, s->session.p ? s->session : STR(""));
	redis_arg(&a, s->process);
	redis_arg_i64(t, &a, s->sockets);
	redis_arg(&a, emptied ? STR("1") : STR("0"));
	redis_arg(&a, on_purpose ? STR("1") : STR("0"));
	redis_arg_i64(t, &a, config.roster_max);
	redis_eval(t, &redis_scripts[SCRIPT_ROOM_LEAVE], &a, left_decode, out, next);
}

void room_status(struct task *t, int64_t chat_id, task_fn *next)
{
	struct redis_args a = {0};

	room_key(t, &a, chat_id, "status");
	room_key(t, &a, chat_id, "people");
	redis_arg_i64(t, &a, chat_id);
	redis_eval(t, &redis_scripts[SCRIPT_ROOM_STATUS], &a, NULL, NULL, next);
}

/* room_misfits -> misfits_read -> (done, or direct_read -> misfits_direct) */
struct misfits {
	int64_t chat_id;
	struct room_ids *out;
	bool unknown; /* to PostgreSQL */
	struct direct direct;
};

PG_STMT(room_rows_misfits, OP_READ,
	"SELECT p.id, c.id IS NULL FROM unnest($2::bigint[]) p(id) LEFT JOIN chats c ON c.id = $1"
	" WHERE c.id IS NULL OR chat_banned(c.id, p.id)"
	"  OR (c.visibility = 'private' AND c.owner_id IS DISTINCT FROM p.id AND NOT EXISTS ("
	"   SELECT FROM chat_members m WHERE m.chat_id = c.id AND m.user_id = p.id))");

static enum err misfits_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct misfits *f = out;

	f->out->count = (size_t)pg_count(r);
	f->out->v = arena_array(task_arena(t), int64_t, f->out->count + 1);
	for (int i = 0; i < pg_count(r); i++)
		f->out->v[i] = pg_i64(r, i, 0);
	f->unknown = pg_count(r) > 0 && pg_bool(r, 0, 1);
	return OK;
}

static void misfits_direct(struct task *t)
{
	const struct misfits *f = task_frame(t);
	struct room_ids *ids = f->out;
	size_t n = 0;

	if (task_err(t) != OK && task_err(t) != ERR_CHAT_NOT_FOUND) {
		task_fail(t, task_err(t));
		return;
	}
	for (size_t i = 0; i < ids->count; i++)
		if (task_err(t) != OK || direct_which(&f->direct, ids->v[i]) < 0)
			ids->v[n++] = ids->v[i];
	ids->count = n;
	task_return(t);
}

static void misfits_read(struct task *t)
{
	struct misfits *f = task_frame(t);

	if (!f->unknown) {
		task_return(t);
		return;
	}
	task_catch(t);
	direct_read(t, f->chat_id, &f->direct, misfits_direct);
}

void room_misfits(struct task *t, int64_t chat_id, const struct room_ids *people,
	struct room_ids *out, task_fn *next)
{
	struct misfits *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	f->chat_id = chat_id;
	f->out = out;
	pg_arg_i64(t, &a, chat_id);
	pg_arg_i64s(t, &a, people->v, people->count);
	pg_query(t, &room_rows_misfits, &a, misfits_decode, f, misfits_read);
}

/* ---- connecting ---- */

static enum err seats_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct seat_taken *s = out;

	(void)t;
	for (size_t i = 0; s && i < redis_len(v) / 2; i++) {
		int64_t expires = redis_i64(redis_at(v, 2 * i));

		s[i] = (struct seat_taken){.outcome = expires == 0  ? SEAT_ENDED
						      : expires < 0 ? SEAT_FULL
								    : SEAT_OK,
			.expires_at = expires * 1000,
			.direct_chat = redis_i64(redis_at(v, 2 * i + 1))};
	}
	return OK;
}

static void seat_write(struct buf *b, const struct socket_seat *s)
{
	char hex[2 * HASH_LEN];

	if (s->token_hash)
		hex_encode(s->token_hash, HASH_LEN, hex);
	buf_i64(b, s->user_id);
	buf_char(b, ' ');
	buf_str(b, s->session);
	buf_char(b, ' ');
	buf_i64(b, s->sockets);
	buf_char(b, ' ');
	buf_str(b, s->token_hash ? str_make(hex, sizeof(hex)) : STR("-"));
	buf_char(b, ' ');
	buf_i64(b, (s->checked + 500) / 1000); /* as sessions_live() of schema/ rounds */
	buf_char(b, ' ');
}

void sockets_count(struct task *t, struct str process, const struct socket_seat *seats, size_t n,
	struct seat_taken *out, task_fn *next)
{
	struct redis_args a = {0};
	struct buf entries = {0};

	for (size_t i = 0; i < n; i++)
		seat_write(&entries, &seats[i]);
	process_key(t, &a, process, "people");
	redis_key(t, &a, "portal:online");
	redis_key(t, &a, "portal:online:session");
	redis_arg(&a, process);
	redis_arg_i64(t, &a, config.max_sockets);
	redis_arg(&a, buf_view(&entries));
	redis_eval(t, &redis_scripts[SCRIPT_SOCKET_COUNT], &a, seats_decode, out, next);
	buf_free(&entries);
}

/* ---- processes ---- */

static enum err lease_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct lease *l = out;

	l->lost = redis_i64(redis_at(v, 0)) == 0;
	l->marker = copy(t, redis_at(v, 1));
	l->dead = copy(t, redis_at(v, 2));
	return OK;
}

void process_renew(
	struct task *t, struct str process, bool had, bool look, struct lease *out, task_fn *next)
{
	struct redis_args a = {0};

	redis_key(t, &a, "portal:processes");
	redis_key(t, &a, "portal:processes:dead");
	redis_key(t, &a, "portal:marker");
	redis_arg(&a, process);
	redis_arg_i64(t, &a, LEASE_MS);
	redis_arg(&a, had ? STR("1") : STR("0"));
	redis_arg(&a, look ? STR("1") : STR("0"));
	redis_eval(t, &redis_scripts[SCRIPT_PROCESS_RENEW], &a, lease_decode, out, next);
}

static enum err rooms_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct room_ids *ids = out;

	if (!ids)
		return OK;
	ids->count = redis_len(v);
	ids->v = arena_array(task_arena(t), int64_t, ids->count);
	for (size_t i = 0; i < ids->count; i++)
		ids->v[i] = redis_i64(redis_at(v, i));
	return OK;
}

static void sweep(
	struct task *t, struct str process, bool done, struct room_ids *out, task_fn *next)
{
	struct redis_args a = {0};

	process_key(t, &a, process, "people");
	process_key(t, &a, process, "rooms");
	redis_key(t, &a, "portal:processes:dead");
	redis_key(t, &a, "portal:online");
	redis_key(t, &a, "portal:online:session");
	redis_arg(&a, process);
	redis_arg(&a, done ? STR("1") : STR("0"));
	redis_eval(t, &redis_scripts[SCRIPT_PROCESS_SWEEP], &a, rooms_decode, out, next);
}

void process_sweep(struct task *t, struct str process, struct room_ids *out, task_fn *next)
{
	sweep(t, process, false, out, next);
}

void process_forget(struct task *t, struct str process, task_fn *next)
{
	sweep(t, process, true, NULL, next);
}
