/* Messages of a chat (contract 3.2): sending, over HTTP and by event, history, deleting, clearing.
 *
 * All but sending read first how the caller stands to the chat: the chat looks absent to those who
 * may not see it, and the banned are refused; those who moderate act from outside too.
 *
 * To add an endpoint: its row in api/routes.c, its name in api/handlers.h, its steps here. */
#include "api/event.h"
#include "api/handlers.h"
#include "api/request.h"
#include "store/message.h"

/* ---- sending ---- */

/* POST /v1/portal/chats/{id}/messages, event message:send: begin -> message_sent */
static void message_sent(struct task *t)
{
	const struct str *id = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_kstr(j, "id", *id);
	json_end(j);
	reply_send(t);
}

static void send_begin(struct task *t, int64_t chat_id)
{
	struct str *id = task_frame_make(t, sizeof(*id));
	struct message_new m = {
		.chat_id = chat_id,
		.user_id = caller(t)->user_id,
		.content = in_str(t, "content"),
		.client_id = in_str(t, "client_id"),
	};

	caller_session(t, m.session);
	message_send(t, &m, id, message_sent);
}

void messages_send(struct task *t)
{
	send_begin(t, in_i64(t, "id"));
}

void message_send_event(struct task *t)
{
	send_begin(t, in_i64(t, "chat_id"));
}

/* ---- history ---- */

/* GET /v1/portal/chats/{id}/history: begin -> history_allowed -> history_read */
struct history {
	struct standing standing;
	struct message_list list;
};

static void history_read(struct task *t)
{
	const struct history *f = task_frame(t);

	message_list_write(reply_json(t), &f->list, f->standing.chat_id, f->standing.chat_name);
	reply_send(t);
}

static void history_allowed(struct task *t)
{
	struct history *f = task_frame(t);
	struct message_ask ask = {
		.chat_id = f->standing.chat_id,
		.user_id = f->standing.user_id,
		.since = standing_reads_since(&f->standing),
		.after = in_str(t, "after"),
		.before = in_str(t, "before"),
		.limit = in_i64(t, "limit"),
	};

	if (!standing_sees(&f->standing))
		task_fail(t, ERR_CHAT_NOT_FOUND);
	else if (f->standing.banned)
		task_fail(t, ERR_BANNED);
	else
		message_read(t, &ask, &f->list, history_read);
}

/* False: the task has failed. */
static bool id_field_ok(struct task *t, const char *name)
{
	if (!in_has(t, name) || message_id_ok(in_str(t, name)))
		return true;
	fail_field(t, name, arena_printf(task_arena(t), "%s must be a message id", name));
	return false;
}

void messages_history(struct task *t)
{
	struct history *f = task_frame_make(t, sizeof(*f));

	if (id_field_ok(t, "before") && id_field_ok(t, "after"))
		standing_read(
			t, in_i64(t, "id"), caller(t)->user_id, &f->standing, history_allowed);
}

/* ---- deleting ---- */

struct change {
	struct standing standing;
	int64_t n; /* deleted, cleared */
};

static void change_begin(struct task *t, task_fn *next)
{
	struct change *f = task_frame_make(t, sizeof(*f));

	standing_read(t, in_i64(t, "id"), caller(t)->user_id, &f->standing, next);
}

/* May the caller act from where they stand? `power`: also from outside. False: the task has failed.
 */
static bool change_allowed(struct task *t, const struct standing *s, bool power)
{
	if (power)
		return true;
	if (!standing_sees(s))
		task_fail(t, ERR_CHAT_NOT_FOUND);
	else if (s->banned)
		task_fail(t, ERR_BANNED);
	else
		return true;
	return false;
}

/* The same for what only `power` may do. */
static bool power_needed(struct task *t, const struct standing *s, bool power, const char *sentence)
{
	if (!change_allowed(t, s, power))
		return false;
	if (!power)
		fail_denied(t, sentence);
	return power;
}

static void messages_deleted(struct task *t)
{
	const struct change *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_ki64(j, "deleted", f->n);
	json_end(j);
	reply_send(t);
}

/* POST /v1/portal/chats/{id}/messages/delete: begin -> delete_allowed -> messages_deleted */
static void delete_allowed(struct task *t)
{
	struct change *f = task_frame(t);
	bool moderator = standing_moderates(&f->standing);
	const struct json *list = in_json(t, "ids");
	struct str *ids = arena_array(task_arena(t), struct str, json_len(list));
	size_t n = 0;

	for (struct json_iter it = json_each(list); json_next(&it);)
		ids[n++] = json_to_str(it.value);
	if (change_allowed(t, &f->standing, moderator))
		message_delete(t, f->standing.chat_id, f->standing.user_id, moderator, ids, n,
			&f->n, messages_deleted);
}

void messages_delete(struct task *t)
{
	for (struct json_iter it = json_each(in_json(t, "ids")); json_next(&it);)
		if (!message_id_ok(json_to_str(it.value))) {
			fail_field(t, "ids", STR("ids must be message ids"));
			return;
		}
	change_begin(t, delete_allowed);
}

/* POST /v1/portal/chats/{id}/messages/delete-mine: begin -> delete_mine_allowed -> messages_deleted
 */
static void delete_mine_allowed(struct task *t)
{
	struct change *f = task_frame(t);

	if (change_allowed(t, &f->standing, false))
		message_delete_of(
			t, f->standing.chat_id, f->standing.user_id, &f->n, messages_deleted);
}

void messages_delete_mine(struct task *t)
{
	change_begin(t, delete_mine_allowed);
}

/* POST /v1/portal/chats/{id}/messages/delete-last: begin -> delete_last_allowed -> messages_deleted
 */
static void delete_last_allowed(struct task *t)
{
	struct change *f = task_frame(t);

	if (power_needed(
		    t, &f->standing, standing_moderates(&f->standing), "Moderator access required"))
		message_delete_last(
			t, f->standing.chat_id, in_i64(t, "count"), &f->n, messages_deleted);
}

void messages_delete_last(struct task *t)
{
	change_begin(t, delete_last_allowed);
}

/* ---- clearing ---- */

/* POST /v1/portal/chats/{id}/clear: begin -> clear_allowed -> messages_cleared */
static void messages_cleared(struct task *t)
{
	const struct change *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_kbool(j, "ok", true);
	json_ki64(j, "cleared", f->n);
	json_end(j);
	reply_send(t);
}

static bool may_clear(const struct standing *s)
{
	return s->visibility != VISIBILITY_DIRECT &&
	       (s->user_id == s->owner_id || s->level >= LEVEL_ADMIN);
}

static void clear_allowed(struct task *t)
{
	struct change *f = task_frame(t);

	if (power_needed(
		    t, &f->standing, may_clear(&f->standing), "Owner or Admin access required"))
		message_clear_by(t, &f->standing, &f->n, messages_cleared);
}

void messages_clear(struct task *t)
{
	change_begin(t, clear_allowed);
}
