/* Changes that people make to their chats: configuration, the end, leaving (contract 3.1). A
 * handler reads the chat, asks rules/permission.h, and makes its change, which holds only if what
 * was decided upon is still so; else it begins again.
 *
 * To add a change: its row in api/routes.c, its name in api/handlers.h, its steps here. */
#include "api/chat_look.h"
#include "api/handlers.h"
#include "rules/chat.h"
#include "store/chat_change.h"
#include "store/match.h"

/* POST /v1/portal/chats/{id}/config/update
 *   begin -> config_look -> config_seen -> config_changed -> config_read -> config_told, or look
 *   again */
struct config_change {
	struct chat_view seen;
	struct chat_edit edit;
	bool done;
};

static void config_look(struct task *t);

static void config_told(struct task *t)
{
	reply_message(t, "Chat updated");
}

static void config_read(struct task *t)
{
	const struct config_change *f = task_frame(t);

	chat_tell(t, &f->seen.chat, &f->edit, config_told);
}

static void config_changed(struct task *t)
{
	struct config_change *f = task_frame(t);

	if (f->done)
		chat_view(t, f->seen.chat.id, caller(t)->user_id, &f->seen, config_read);
	else
		config_look(t);
}

static void config_seen(struct task *t)
{
	struct config_change *f = task_frame(t);

	if (chat_unmanaged(t, &f->seen))
		return;
	if (slug_reserved(f->edit.slug))
		task_fail(t, ERR_SLUG_TAKEN);
	else
		chat_update(t, chat_changer(t, &f->seen), &f->seen.chat, &f->edit, &f->done,
			config_changed);
}

static void config_look(struct task *t)
{
	struct config_change *f = task_frame(t);

	chat_view(t, in_i64(t, "id"), caller(t)->user_id, &f->seen, config_seen);
}

void chats_config(struct task *t)
{
	struct config_change *f = task_frame_make(t, sizeof(*f));

	chat_edit_read(t, &f->edit);
	config_look(t);
}

/* POST /v1/portal/chats/{id}/delete: begin -> end_look -> end_seen -> ended, or look again */
struct ending {
	struct chat_view seen;
	bool done;
};

static void end_look(struct task *t);

static void ended(struct task *t)
{
	const struct ending *f = task_frame(t);

	if (f->done)
		reply_message(t, chat_destroyed_text(t, &f->seen.chat));
	else
		end_look(t);
}

static void end_seen(struct task *t)
{
	struct ending *f = task_frame(t);
	const struct chat *c = &f->seen.chat;

	if (can_delete_chat(chat_actor(t, &f->seen), c->visibility, chat_owner(c)))
		chat_delete(t, chat_changer(t, &f->seen), c, &f->done, ended);
	else if (!chat_hidden(t, &f->seen))
		task_fail(t, ERR_ACCESS_DENIED);
}

static void end_look(struct task *t)
{
	struct ending *f = task_frame(t);

	chat_view(t, in_i64(t, "id"), caller(t)->user_id, &f->seen, end_seen);
}

void chats_delete(struct task *t)
{
	task_frame_make(t, sizeof(struct ending));
	end_look(t);
}

/* POST /v1/portal/chats/{id}/leave: begin -> chat_left (-> is it a direct one? -> direct_seen) */
static void direct_seen(struct task *t)
{
	if (direct_which(task_frame(t), caller(t)->user_id) < 0)
		task_fail(t, ERR_CHAT_NOT_FOUND);
	else
		fail_denied(t, "A direct chat ends by match/leave");
}

static void chat_left(struct task *t)
{
	if (task_err(t) == ERR_CONFLICT)
		task_fail_with(t, (struct fault){.err = ERR_CONFLICT,
					  .sentence = STR("The owner cannot leave the chat")});
	else if (task_err(t) == ERR_CHAT_NOT_FOUND)
		direct_read(t, in_i64(t, "id"), task_frame(t), direct_seen);
	else if (task_err(t) != OK)
		task_fail_with(t, *task_fault(t));
	else
		reply_message(t, "You left the chat");
}

void chats_leave(struct task *t)
{
	task_frame_make(t, sizeof(struct direct));
	task_catch(t);
	chat_leave(t, in_i64(t, "id"), caller(t)->user_id, chat_left);
}
