/* Changes to chats: a SQL function of schema/0002_chats.sql each, which answers with a word, and
 * what schema/0007_administration.sql writes down of it.
 *
 *   change -> changed (committed) -> chat_settle -> task_return
 *
 * To add a change: a function in schema/ that leaves a row in room_changes when rooms have to hear
 * of it, its statement here, and its words in decode_outcome. */
#include "store/chat_change.h"

#include "store/chat_private.h"
#include "store/event.h"
#include "store/key.h"
#include "store/message.h"
#include "store/wipe.h"

PG_STMT(sql_chat_maker, OP_READ,
	"SELECT permission_level, subscription_now(subscription_level, subscription_expires_at)"
	" FROM users WHERE id = $1::bigint AND deleted_at IS NULL");

static enum err decode_maker(struct task *t, const struct pg_rows *r, void *out)
{
	struct chat_maker *m = out;

	(void)t;
	if (pg_count(r) == 0)
		return ERR_USER_NOT_FOUND;
	m->permission_level = (int)pg_i64(r, 0, 0);
	m->subscription_level = (int)pg_i64(r, 0, 1);
	return OK;
}

void chat_maker(struct task *t, int64_t user_id, struct chat_maker *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	pg_query(t, &sql_chat_maker, &a, decode_maker, out, next);
}

/* The words that the functions of schema/ answer with; *done: the change was made. */
static enum err outcome_of(struct str word, bool *done)
{
	static const struct {
		const char *word;
		enum err err;
		bool done;
	} outcomes[] = {
		{"ok", OK, true},
		{"again", OK, false},
		{"joined", OK, true},
		{"is", OK, false},
		{"slots", ERR_CHAT_SLOTS, false},
		{"slug", ERR_SLUG_TAKEN, false},
		{"banned", ERR_BANNED, false},
		{"denied", ERR_ACCESS_DENIED, false},
	};

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++)
		if (str_eq(word, str_of(outcomes[i].word))) {
			*done = outcomes[i].done;
			return outcomes[i].err;
		}
	PANIC("outcome " STR_FMT, STR_ARG(word));
}

/* ---- creating ---- */

PG_STMT(sql_chat_create, OP_WRITE,
	"SELECT chat_record(c.outcome, 'chat.create', $1::bigint, $1::bigint, c.chat_id,"
	"  jsonb_build_object('name', $4::text, 'slug', $5::text), $3::boolean), c.chat_id"
	" FROM (SELECT WHERE NOT $3::boolean OR acts_as($1::bigint, $7::bigint)) held,"
	" LATERAL chat_create($1::bigint, $2::bigint, $3::boolean, $4::text, $5::text, $6::text) "
	"c");

static enum err decode_created(struct task *t, const struct pg_rows *r, void *out)
{
	struct str word;
	bool done;

	(void)t;
	if (pg_count(r) == 0)
		return ERR_ACCESS_DENIED;
	word = pg_text(r, 0, 0);
	if (str_eq(word, STR("unknown")))
		return ERR_USER_NOT_FOUND;
	*(int64_t *)out = pg_i64(r, 0, 1);
	return outcome_of(word, &done);
}

void chat_create(struct task *t, const struct chat_new *c, int64_t *id, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, c->owner_id);
	pg_arg_i64(t, &a, c->slots);
	pg_arg_bool(&a, c->official);
	pg_arg_str(t, &a, c->name);
	pg_arg_str(t, &a, c->slug);
	pg_arg_str(t, &a, c->description.p ? c->description : STR(""));
	pg_arg_i64(t, &a, c->owner_level);
	pg_query(t, &sql_chat_create, &a, decode_created, id, next);
}

/* ---- changes to a chat that was seen ---- */

struct change {
	int64_t chat_id;
	bool *done;
	const struct pg_stmt *stmt;
	struct pg_args args;
	int64_t cleared; /* messages */
};

static enum err decode_outcome(struct task *t, const struct pg_rows *r, void *out)
{
	const struct change *f = out;
	struct str word = pg_text(r, 0, 0);

	(void)t;
	return str_eq(word, STR("unknown")) ? ERR_USER_NOT_FOUND : outcome_of(word, f->done);
}

/* A change, if what was decided upon still holds, and its entry in the audit log; $1 to $8 are of
 * change_begin. */
#define CHANGE(event_, change_, data_)                                                             \
	"SELECT CASE WHEN NOT acts_as($4::bigint, $5::bigint) THEN 'denied'"                       \
	" WHEN ranks_as($2::bigint, $6::bigint) THEN chat_record(" change_ ", 'chat." event_       \
	"', $4::bigint, $2::bigint, $1::bigint,"                                                   \
	" jsonb_build_object('name', $8::text, 'visibility', $3::text)" data_                      \
	", $7::boolean) ELSE 'again' END"

PG_STMT(sql_chat_transfer, OP_WRITE,
	CHANGE("transfer", "chat_transfer($1::bigint, $2::bigint, $3::text, $9::bigint)",
		" || jsonb_build_object('heir_id', $9::bigint)"));

static void change_settle(struct task *t)
{
	const struct change *f = task_frame(t);

	chat_settle(t, f->chat_id, task_return);
}

/* Whose chat it is is on the cards that sends go by. */
static void change_cards(struct task *t)
{
	const struct change *f = task_frame(t);

	task_catch(t);
	message_chat_changed(t, f->chat_id, change_settle);
}

static void changed(struct task *t)
{
	const struct change *f = task_frame(t);

	if (!*f->done)
		task_return(t);
	else if (f->stmt == &sql_chat_transfer)
		key_member_added(t, f->chat_id, change_cards);
	else
		change_settle(t);
}

static void change_make(struct task *t)
{
	struct change *f = task_frame(t);

	pg_query(t, f->stmt, &f->args, decode_outcome, f, changed);
}

static struct change *change_begin(struct task *t, const struct pg_stmt *stmt, struct chat_by by,
	const struct chat *seen, bool *done, task_fn *next)
{
	struct change *f = task_call(t, sizeof(*f), next);

	f->stmt = stmt;
	f->chat_id = seen->id;
	f->done = done;
	pg_arg_i64(t, &f->args, seen->id);
	chat_arg_id(t, &f->args, seen->owner_id);
	pg_arg_str(t, &f->args, str_of(visibility_name(seen->visibility)));
	chat_arg_id(t, &f->args, by.who.id);
	pg_arg_i64(t, &f->args, by.who.level);
	pg_arg_i64(t, &f->args, seen->owner_level);
	pg_arg_bool(&f->args, by.platform);
	pg_arg_str(t, &f->args, seen->name);
	return f;
}

PG_STMT(sql_chat_update, OP_WRITE,
	CHANGE("update",
		"chat_update($1::bigint, $2::bigint, $3::text, $9::text, $10::text, $11::boolean,"
		" $12::text, $13::text, $14::boolean, $15::boolean, $16::text)",
		" || jsonb_build_object('changed', jsonb_strip_nulls(jsonb_build_object("
		"'name', $9::text, 'description', $10::text, 'slug', $12::text,"
		" 'wipe_preset', $13::text, 'history_visible', $14::boolean, 'label', "
		"$16::text)))"));

void chat_update(struct task *t, struct chat_by by, const struct chat *seen,
	const struct chat_edit *e, bool *done, task_fn *next)
{
	struct change *f = change_begin(t, &sql_chat_update, by, seen, done, next);

	pg_arg_str(t, &f->args, e->name);
	pg_arg_str(t, &f->args, e->description);
	pg_arg_bool(&f->args, e->slug_given);
	pg_arg_str(t, &f->args, e->slug);
	pg_arg_str(t, &f->args, e->wipe_preset);
	if (e->history_visible < 0)
		pg_arg_null(&f->args);
	else
		pg_arg_bool(&f->args, e->history_visible);
	pg_arg_bool(&f->args, e->label_given);
	pg_arg_str(t, &f->args, e->label);
	/* What was said in private is gone before strangers can ask for it. What comes in between
	 * this and the commit is sealed with a key that they never get. */
	if (seen->visibility == VISIBILITY_PRIVATE && e->slug.p)
		message_clear(t, seen->id, seen->name, STR_NULL, &f->cleared, change_make);
	else
		change_make(t);
}

PG_STMT(sql_chat_delete, OP_WRITE,
	CHANGE("delete", "chat_delete($1::bigint, $2::bigint, $3::text)", ""));

void chat_delete(
	struct task *t, struct chat_by by, const struct chat *seen, bool *done, task_fn *next)
{
	change_begin(t, &sql_chat_delete, by, seen, done, next);
	change_make(t);
}

void chat_transfer(struct task *t, struct chat_by by, const struct chat *seen, int64_t heir,
	bool *done, task_fn *next)
{
	struct change *f = change_begin(t, &sql_chat_transfer, by, seen, done, next);

	pg_arg_i64(t, &f->args, heir);
	change_make(t);
}

/* ---- what a change is told by ---- */

/* chat_tell (wipe timer) -> tell_system -> tell_cards -> tell_event -> task_return. The change
 * stands: what fails here is not told. */
struct tell {
	const struct chat *chat;
};

static void tell_event(struct task *t)
{
	const struct chat *c = ((const struct tell *)task_frame(t))->chat;
	struct event *e = event_to_room(t, c->id, TO_ROOM, "room:config");
	struct json_out *j = &e->json;

	json_obj(j);
	json_ki64(j, "chat_id", c->id);
	json_kstr(j, "name", c->name);
	json_kstr(j, "description", c->description);
	json_kstr(j, "slug", c->slug);
	json_kstr(j, "visibility", str_of(visibility_name(c->visibility)));
	json_kstr(j, "wipe_preset", c->wipe_preset);
	json_kbool(j, "history_visible", c->history_visible);
	json_end(j);
	event_send(t, e, task_return);
}

static void tell_cards(struct task *t)
{
	const struct tell *f = task_frame(t);

	task_catch(t);
	message_chat_changed(t, f->chat->id, tell_event);
}

static void tell_system(struct task *t)
{
	const struct tell *f = task_frame(t);
	struct str preset = f->chat->wipe_preset, text;

	text = str_eq(preset, STR("off"))
		       ? STR("Messages are no longer wiped")
		       : arena_printf(task_arena(t), "Messages are wiped after " STR_FMT,
				 STR_ARG(preset));
	task_catch(t);
	message_system(t, f->chat->id, f->chat->name, text, tell_cards);
}

void chat_tell(struct task *t, const struct chat *c, const struct chat_edit *e, task_fn *next)
{
	struct tell *f = task_call(t, sizeof(*f), next);

	f->chat = c;
	if (e->wipe_preset.p) {
		task_catch(t);
		wipe_restart(t, c->id, c->wipe_preset, tell_system);
	} else {
		tell_cards(t);
	}
}

/* ---- coming and going ---- */

PG_STMT(sql_chat_leave, OP_WRITE, "SELECT chat_leave($1::bigint, $2::bigint)");

struct leave {
	int64_t chat_id;
};

static enum err decode_leave(struct task *t, const struct pg_rows *r, void *out)
{
	struct str word = pg_text(r, 0, 0);
	bool done;

	(void)t;
	(void)out;
	if (str_eq(word, STR("unknown")))
		return ERR_CHAT_NOT_FOUND;
	return str_eq(word, STR("owner")) ? ERR_CONFLICT : outcome_of(word, &done);
}

static void left(struct task *t)
{
	const struct leave *f = task_frame(t);

	chat_settle(t, f->chat_id, task_return);
}

void chat_leave(struct task *t, int64_t chat_id, int64_t user_id, task_fn *next)
{
	struct leave *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	f->chat_id = chat_id;
	pg_arg_i64(t, &a, chat_id);
	pg_arg_i64(t, &a, user_id);
	pg_query(t, &sql_chat_leave, &a, decode_leave, NULL, left);
}

PG_STMT(sql_chat_join, OP_WRITE,
	"SELECT outcome, chat_id, method FROM chat_join($1::text, $2::bigint)");

struct join {
	struct chat_join *out;
};

static enum err decode_join(struct task *t, const struct pg_rows *r, void *out)
{
	struct chat_join *j = out;
	struct str word = pg_text(r, 0, 0);

	if (str_eq(word, STR("unknown")))
		return ERR_INVITE_NOT_FOUND;
	j->chat_id = pg_i64(r, 0, 1);
	j->method = pg_text_copy(t, r, 0, 2);
	return outcome_of(word, &j->joined);
}

static void joined_keys(struct task *t)
{
	const struct join *f = task_frame(t);

	chat_settle(t, f->out->chat_id, task_return);
}

static void joined(struct task *t)
{
	const struct join *f = task_frame(t);

	if (f->out->joined)
		key_member_added(t, f->out->chat_id, joined_keys);
	else
		task_return(t);
}

void chat_join(
	struct task *t, struct str code, int64_t user_id, struct chat_join *out, task_fn *next)
{
	struct join *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	f->out = out;
	pg_arg_str(t, &a, code);
	pg_arg_i64(t, &a, user_id);
	pg_query(t, &sql_chat_join, &a, decode_join, out, joined);
}
