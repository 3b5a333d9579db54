/* What committed changes of chats still have to do in Redis: read, done one after the other in
 * their order, forgotten.
 *
 *   settle_read -> settle_next -> (one change) -> settle_done -> settle_next … -> settle_end
 *
 * Who reads a change takes it, so that of several who settle at once one does it; the others wait
 * for it (settle_wait), because they answer that it is done. What fails stays in PostgreSQL and is
 * done later; doing it twice is harmless. To add a reason: the check of room_changes in schema/,
 * and settle_one. */
#include "store/chat_change.h"

#include "gen/schema.h"
#include "io/redis.h"
#include "store/chat_private.h"
#include "store/epoch.h"
#include "store/message.h"

struct due {
	int64_t chat_id, user_id;
	const char *reason;
	struct str name; /* of a chat destroyed */
	/* as the chat is now */
	struct str stay; /* of a private one: "id id …"; NULL p: it is not */
	int64_t rank;    /* directory_rank */
};
struct settle {
	int64_t chat_id; /* 0: all */
	struct due *rows;
	int64_t *ids;
	size_t count, at;
	bool held; /* another settles some of this chat now */
	int waits;
};

#define SETTLE_PAGE 64
#define HELD_MS     10 /* how often it is looked whether the other is done */
#define HELD_WAITS  200

#define TAKE_CHANGES(of_)                                                                          \
	"WITH taken AS (UPDATE room_changes SET taken_at = now() WHERE id = ANY (ARRAY(SELECT"     \
	"   w.id FROM room_changes w WHERE " of_                                                   \
	"    (w.taken_at IS NULL OR w.taken_at < now() - interval '5 s')"                          \
	"   ORDER BY w.id LIMIT $1::bigint FOR UPDATE SKIP LOCKED))"                               \
	"  RETURNING id, chat_id, user_id, reason, name)"                                          \
	" SELECT d.id, d.chat_id, d.user_id, d.reason, d.name,"                                    \
	" CASE WHEN d.reason = 'visibility' AND c.visibility = 'private'"                          \
	"  THEN concat_ws(' ', c.owner_id, (SELECT string_agg(m.user_id::text, ' ')"               \
	"   FROM chat_members m WHERE m.chat_id = c.id)) END, c.visibility, c.last_activity_at"    \
	" FROM taken d LEFT JOIN chats c ON c.id = d.chat_id ORDER BY d.id"

PG_STMT(sql_room_changes, OP_WRITE, TAKE_CHANGES(""));
PG_STMT(sql_room_changes_of, OP_WRITE, TAKE_CHANGES("w.chat_id = $2::bigint AND"));
PG_STMT(sql_room_changes_forget, OP_WRITE,
	"DELETE FROM room_changes WHERE id = ANY ($1::bigint[])");
PG_STMT(sql_room_changes_release, OP_WRITE,
	"UPDATE room_changes SET taken_at = NULL WHERE id = ANY ($1::bigint[])");

PG_STMT(sql_room_changes_held, OP_READ,
	"SELECT EXISTS (SELECT FROM room_changes WHERE chat_id = $1::bigint"
	" AND taken_at > now() - interval '5 s')");

static const char *reason_of(struct str word)
{
	static const char *const reasons[] = {
		"join", "leave", "kick", "ban", "mute", "visibility", "destroyed"};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (str_eq(word, str_of(reasons[i])))
			return reasons[i];
	PANIC("reason " STR_FMT, STR_ARG(word));
}

static enum err decode_due(struct task *t, const struct pg_rows *r, void *out)
{
	struct settle *f = out;

	f->at = 0;
	f->count = (size_t)pg_count(r);
	f->rows = arena_array(task_arena(t), struct due, f->count);
	f->ids = arena_array(task_arena(t), int64_t, f->count);
	for (size_t i = 0; i < f->count; i++) {
		struct due *d = &f->rows[i];
		int row = (int)i;

		f->ids[i] = pg_i64(r, row, 0);
		d->chat_id = pg_i64(r, row, 1);
		d->user_id = pg_i64(r, row, 2);
		d->reason = reason_of(pg_text(r, row, 3));
		d->name = pg_text_copy(t, r, row, 4);
		d->stay = pg_text_copy(t, r, row, 5);
		if (!pg_null(r, row, 6))
			d->rank = directory_rank(
				visibility_of(pg_text(r, row, 6)), pg_time(r, row, 7));
	}
	return OK;
}

static void room_destroy(struct task *t, const struct due *d, task_fn *next)
{
	struct redis_args a = {0};
	long long id = (long long)d->chat_id;

	redis_key(t, &a, "portal:chat:%lld:gate", id);
	redis_key(t, &a, "portal:chat:%lld:epoch", id);
	redis_key(t, &a, "portal:room:%lld:people", id);
	redis_key(t, &a, "portal:wipes");
	redis_key(t, &a, "portal:chat:%lld:ceiling", id);
	redis_key(t, &a, "portal:chat:%lld:stream", id);
	redis_key(t, &a, "portal:room:%lld:joined", id);
	redis_key(t, &a, "portal:room:%lld:present", id);
	redis_key(t, &a, "portal:room:%lld:persons", id);
	redis_key(t, &a, "portal:room:%lld:seq", id);
	redis_key(t, &a, "portal:room:%lld:status", id);
	redis_key(t, &a, "portal:e2ee:asks:%lld", id);
	redis_key(t, &a, "portal:e2ee:circle:%lld", id);
	redis_arg_i64(t, &a, d->chat_id);
	redis_arg(&a, d->name);
	redis_eval(t, &redis_scripts[SCRIPT_ROOM_DESTROY], &a, NULL, NULL, next);
}

static void settle_one(struct task *t, const struct due *d, task_fn *next)
{
	if (d->name.p)
		room_destroy(t, d, next);
	else if (str_eq(str_of(d->reason), STR("mute")))
		message_person_changed(t, d->user_id, next);
	else if (str_eq(str_of(d->reason), STR("visibility")))
		epoch_rotate_visibility(t, d->chat_id, d->stay, d->rank, next);
	else
		epoch_rotate(t, d->chat_id, d->reason, d->user_id, next);
}

static void settle_look(struct task *t);

static enum err decode_held(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	*(bool *)out = pg_bool(r, 0, 0);
	return OK;
}

static void settle_waited(struct task *t)
{
	struct settle *f = task_frame(t);

	if (task_err(t) == OK && f->held && f->waits++ < HELD_WAITS)
		task_sleep(t, HELD_MS, settle_look);
	else
		task_return(t);
}

/* Whoever asked answers behind this: what another took of their chat must be done by then. */
static void settle_wait(struct task *t)
{
	struct settle *f = task_frame(t);
	struct pg_args a = {0};

	if (f->chat_id == 0) {
		task_return(t);
		return;
	}
	pg_arg_i64(t, &a, f->chat_id);
	task_catch(t);
	pg_query(t, &sql_room_changes_held, &a, decode_held, &f->held, settle_waited);
}

static void settle_forgot(struct task *t)
{
	const struct settle *f = task_frame(t);

	if (task_err(t) == OK && f->at == f->count && f->count == SETTLE_PAGE)
		settle_look(t);
	else
		settle_wait(t);
}

/* Those done go, those not done may be taken again. */
static void settle_end(struct task *t)
{
	const struct settle *f = task_frame(t);
	struct pg_args done = {0}, left = {0};

	if (f->count == 0) {
		settle_wait(t);
		return;
	}
	task_catch(t);
	if (f->at > 0) {
		pg_arg_i64s(t, &done, f->ids, f->at);
		pg_query(t, &sql_room_changes_forget, &done, NULL, NULL, settle_forgot);
	}
	if (f->at < f->count) {
		pg_arg_i64s(t, &left, f->ids + f->at, f->count - f->at);
		pg_query(t, &sql_room_changes_release, &left, NULL, NULL, settle_forgot);
	}
}

static void settle_next(struct task *t);

/* A chat that is gone has a room to destroy, which comes after. */
static void settle_done(struct task *t)
{
	struct settle *f = task_frame(t);

	if (task_err(t) == OK || task_err(t) == ERR_CHAT_NOT_FOUND) {
		f->at++;
		settle_next(t);
	} else {
		settle_end(t);
	}
}

static void settle_next(struct task *t)
{
	struct settle *f = task_frame(t);

	if (f->at == f->count) {
		settle_end(t);
		return;
	}
	task_catch(t);
	settle_one(t, &f->rows[f->at], settle_done);
}

static void settle_read(struct task *t)
{
	if (task_err(t) == OK)
		settle_next(t);
	else
		task_return(t);
}

static void settle_look(struct task *t)
{
	struct settle *f = task_frame(t);
	struct pg_args a = {0};

	pg_arg_i64(t, &a, SETTLE_PAGE);
	if (f->chat_id)
		pg_arg_i64(t, &a, f->chat_id);
	task_catch(t);
	pg_query(t, f->chat_id ? &sql_room_changes_of : &sql_room_changes, &a, decode_due, f,
		settle_read);
}

void chat_settle(struct task *t, int64_t chat_id, task_fn *next)
{
	struct settle *f = task_call(t, sizeof(*f), next);

	f->chat_id = chat_id;
	settle_look(t);
}
