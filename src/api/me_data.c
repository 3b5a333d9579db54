/* What is kept about the caller besides the account: punishments, subscription, chats, preferences,
 * and the export of everything (contract section 2).
 *
 * To add an endpoint: its row in api/routes.c, its name in api/handlers.h, its steps here. */
#include "api/handlers.h"
#include "api/request.h"
#include "api/writers.h"
#include "store/user_change.h"
#include "store/user_record.h"

/* GET /v1/users/me/punishments: begin -> punishments_read */
static void punishments_read(struct task *t)
{
	const struct punishment_list *list = task_frame(t);
	struct json_out *j = reply_json(t);

	json_arr(j);
	for (size_t i = 0; i < list->count; i++) {
		const struct punishment *p = &list->rows[i];

		json_obj(j);
		json_ki64(j, "id", p->id);
		json_kstr(j, "action_type", p->action_type);
		json_kstr(j, "reason", p->reason);
		json_kbool(j, "is_lifted", p->lifted_at != 0);
		json_ktime(j, "expires_at", p->expires_at);
		json_ktime(j, "lifted_at", p->lifted_at);
		json_ktime(j, "created_at", p->created_at);
		json_end(j);
	}
	json_end(j);
	reply_send(t);
}

void me_punishments(struct task *t)
{
	struct punishment_list *list = task_frame_make(t, sizeof(*list));

	punishments_of(t, caller(t)->user_id, list, punishments_read);
}

/* GET /v1/users/me/subscription: begin -> subscription_read */
static void write_change(struct json_out *j, const struct subscription_change *c)
{
	json_obj(j);
	json_ki64(j, "id", c->id);
	json_ki64(j, "old_level", c->old_level);
	json_ki64(j, "new_level", c->new_level);
	json_kstr(j, "reason", c->reason);
	json_key(j, "granted_by_id");
	if (c->granted_by == 0)
		json_null(j);
	else
		json_i64(j, c->granted_by);
	json_ktime(j, "created_at", c->created_at);
	json_end(j);
}

static void subscription_read(struct task *t)
{
	const struct subscription *s = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_ki64(j, "subscription_level", s->level);
	json_ktime(j, "expires_at", s->expires_at);
	json_kbool(j, "is_active", s->level > 0);
	json_key(j, "history");
	json_arr(j);
	for (size_t i = 0; i < s->history_count; i++)
		write_change(j, &s->history[i]);
	json_end(j);
	json_ktime(j, "created_at", s->created_at);
	json_ktime(j, "updated_at", s->updated_at);
	json_end(j);
	reply_send(t);
}

void me_subscription(struct task *t)
{
	struct subscription *s = task_frame_make(t, sizeof(*s));

	subscription_of(t, caller(t)->user_id, s, subscription_read);
}

/* GET /v1/users/me/chats: begin -> chats_read */
static void chats_read(struct task *t)
{
	const struct chat_list *list = task_frame(t);
	struct person me = {.id = caller(t)->user_id, .level = LEVEL_USER};
	struct json_out *j = reply_json(t);

	json_arr(j);
	for (size_t i = 0; i < list->count; i++) {
		const struct chat *c = &list->rows[i];
		/* Only private ones of others are here, which no level opens. */
		struct person owner = {.id = c->owner_id, .level = LEVEL_USER};

		write_chat(j, c, can_manage_chat(me, c->visibility, owner));
	}
	json_end(j);
	reply_send(t);
}

void me_chats(struct task *t)
{
	struct chat_list *list = task_frame_make(t, sizeof(*list));

	chats_of(t, caller(t)->user_id, list, chats_read);
}

/* GET /v1/users/me/preferences, POST the same, GET /v1/users/me/export: begin -> document_ready */
struct document {
	struct str text; /* JSON */
};

static void document_ready(struct task *t)
{
	const struct document *f = task_frame(t);

	json_raw(reply_json(t), f->text);
	reply_send(t);
}

void me_preferences_get(struct task *t)
{
	struct document *f = task_frame_make(t, sizeof(*f));

	preferences_get(t, caller(t)->user_id, &f->text, document_ready);
}

#define PREFERENCES_MAX 16384

void me_preferences_set(struct task *t)
{
	struct document *f = task_frame_make(t, sizeof(*f));
	struct buf text = {0};

	json_write(&text, in_json(t, "*"));
	f->text = arena_str(task_arena(t), buf_view(&text));
	buf_free(&text);
	if (f->text.n > PREFERENCES_MAX)
		fail_field(t, "body", STR("body must be at most 16 KiB"));
	else
		preferences_set(t, caller(t)->user_id, f->text, document_ready);
}

void me_export(struct task *t)
{
	struct document *f = task_frame_make(t, sizeof(*f));

	user_export(t, caller(t)->user_id, &f->text, document_ready);
}
