/* Chats under administration (contract section 8): from outside, by hierarchy against the owner. A
 * private chat of someone one cannot act on looks absent here, too. Changes as in chats_change.c;
 * the kick is in moderation.c.
 *
 * To add an action: its row in api/routes.c, its name in api/handlers.h, and an `act` here. */
#include "api/chat_look.h"
#include "api/handlers.h"
#include "api/writers.h"
#include "rules/chat.h"
#include "store/chat_change.h"

static void write_answer(struct json_out *j, const char *message, const struct chat *c)
{
	json_obj(j);
	json_key(j, "message");
	json_z(j, message);
	json_key(j, "chat");
	write_chat(j, c, true);
	json_end(j);
}

/* GET /v1/admin/chats: begin -> administered_read */
static void administered_read(struct task *t)
{
	const struct chat_list *list = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "chats");
	json_arr(j);
	for (size_t i = 0; i < list->count; i++)
		write_chat(j, &list->rows[i], true);
	json_end(j);
	json_ki64(j, "total", list->total);
	json_ki64(j, "offset", in_i64(t, "offset"));
	json_ki64(j, "limit", in_i64(t, "limit"));
	json_end(j);
	reply_send(t);
}

void admin_chats_list(struct task *t)
{
	struct chat_list *list = task_frame_make(t, sizeof(*list));
	struct chat_filter filter = {
		.q = in_str(t, "q"),
		.offset = in_i64(t, "offset"),
		.limit = in_i64(t, "limit"),
	};

	chats_administered(
		t, caller(t)->user_id, caller(t)->level, &filter, list, administered_read);
}

/* POST /v1/admin/chats: begin -> official_made -> official_read */
struct official {
	int64_t id;
	struct chat_view made;
};

static void official_read(struct task *t)
{
	const struct official *f = task_frame(t);

	write_answer(reply_json(t), "Chat created", &f->made.chat);
	reply_send(t);
}

static void official_made(struct task *t)
{
	struct official *f = task_frame(t);

	chat_view(t, f->id, caller(t)->user_id, &f->made, official_read);
}

void admin_chats_create(struct task *t)
{
	struct official *f = task_frame_make(t, sizeof(*f));
	struct chat_new c = {
		.name = in_str(t, "name"),
		.slug = in_str(t, "slug"),
		.description = in_str(t, "description"),
		.owner_id = caller(t)->user_id,
		.owner_level = caller(t)->level,
		.official = true,
	};

	if (slug_reserved(c.slug))
		task_fail(t, ERR_SLUG_TAKEN);
	else
		chat_create(t, &c, &f->id, official_made);
}

/* The others: begin -> action_look -> action_seen -> act -> action_made -> reply, or look again */
struct chat_action {
	task_fn *act; /* makes the change, then action_made */
	task_fn *reply;
	bool reads; /* does not change anything: hierarchy matters in private chats only */
	struct chat_view seen;
	struct chat_edit edit;
	bool done;
};

static void action_look(struct task *t);

static void action_made(struct task *t)
{
	const struct chat_action *f = task_frame(t);

	if (f->done)
		f->reply(t);
	else
		action_look(t);
}

static struct chat_by by_platform(const struct task *t)
{
	return (struct chat_by){.who = caller_admin(t), .platform = true};
}

static void action_seen(struct task *t)
{
	const struct chat_action *f = task_frame(t);
	const struct chat *c = &f->seen.chat;
	bool above = can_administer_chat(caller_admin(t), c->visibility, chat_owner(c));

	if (above || (f->reads && chat_shown(c->visibility, false)))
		f->act(t);
	else if (!chat_hidden(t, &f->seen))
		task_fail(t, ERR_ACCESS_DENIED);
}

static void action_look(struct task *t)
{
	struct chat_action *f = task_frame(t);

	chat_view(t, in_i64(t, "id"), caller(t)->user_id, &f->seen, action_seen);
}

static struct chat_action *action_begin(struct task *t, task_fn *act, task_fn *reply)
{
	struct chat_action *f = task_frame_make(t, sizeof(*f));

	f->act = act;
	f->reply = reply;
	return f;
}

/* GET /v1/admin/chats/{id} */
static void get_act(struct task *t)
{
	const struct chat_action *f = task_frame(t);

	write_chat(reply_json(t), &f->seen.chat, true);
	reply_send(t);
}

void admin_chats_get(struct task *t)
{
	action_begin(t, get_act, NULL)->reads = true;
	action_look(t);
}

/* update: … -> update_read -> update_told -> update_reply */
static void update_reply(struct task *t)
{
	const struct chat_action *f = task_frame(t);

	write_answer(reply_json(t), "Chat updated", &f->seen.chat);
	reply_send(t);
}

static void update_told(struct task *t)
{
	const struct chat_action *f = task_frame(t);

	chat_tell(t, &f->seen.chat, &f->edit, update_reply);
}

static void update_read(struct task *t)
{
	struct chat_action *f = task_frame(t);

	chat_view(t, f->seen.chat.id, caller(t)->user_id, &f->seen, update_told);
}

static void update_act(struct task *t)
{
	struct chat_action *f = task_frame(t);

	if (slug_reserved(f->edit.slug))
		task_fail(t, ERR_SLUG_TAKEN);
	else
		chat_update(t, by_platform(t), &f->seen.chat, &f->edit, &f->done, action_made);
}

void admin_chats_update(struct task *t)
{
	struct chat_action *f = action_begin(t, update_act, update_read);

	chat_edit_read(t, &f->edit);
	f->edit.label_given = in_given(t, "label");
	f->edit.label = in_str(t, "label");
	action_look(t);
}

static void delete_reply(struct task *t)
{
	const struct chat_action *f = task_frame(t);

	reply_message(t, chat_destroyed_text(t, &f->seen.chat));
}

static void delete_act(struct task *t)
{
	struct chat_action *f = task_frame(t);

	chat_delete(t, by_platform(t), &f->seen.chat, &f->done, action_made);
}

void admin_chats_delete(struct task *t)
{
	action_begin(t, delete_act, delete_reply);
	action_look(t);
}

/* transfer: … -> transfer_read -> transfer_reply */
static void transfer_reply(struct task *t)
{
	const struct chat_action *f = task_frame(t);

	write_answer(reply_json(t), "Chat transferred", &f->seen.chat);
	reply_send(t);
}

static void transfer_read(struct task *t)
{
	struct chat_action *f = task_frame(t);

	chat_view(t, f->seen.chat.id, caller(t)->user_id, &f->seen, transfer_reply);
}

static void transfer_act(struct task *t)
{
	struct chat_action *f = task_frame(t);

	chat_transfer(
		t, by_platform(t), &f->seen.chat, in_i64(t, "user_id"), &f->done, action_made);
}

void admin_chats_transfer(struct task *t)
{
	action_begin(t, transfer_act, transfer_read);
	action_look(t);
}
