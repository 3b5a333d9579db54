/* The caller and a chat: rules/permission.h asked with what the stores told. Keeps nothing. */
#include "api/chat_look.h"

int64_t chat_viewer(const struct task *t)
{
	return caller(t)->who == WHO_SESSION ? caller(t)->user_id : 0;
}

struct person chat_actor(const struct task *t, const struct chat_view *v)
{
	return (struct person){.id = chat_viewer(t), .level = v->viewer_level};
}

struct person chat_owner(const struct chat *c)
{
	return (struct person){.id = c->owner_id, .level = c->owner_level};
}

struct chat_by chat_changer(const struct task *t, const struct chat_view *v)
{
	return (struct chat_by){.who = chat_actor(t, v)};
}

static bool is_inside(const struct task *t, const struct chat_view *v)
{
	return v->is_member || (v->chat.owner_id && v->chat.owner_id == chat_viewer(t));
}

bool chat_hidden(struct task *t, const struct chat_view *v)
{
	if (chat_shown(v->chat.visibility, is_inside(t, v)))
		return false;
	task_fail(t, ERR_CHAT_NOT_FOUND);
	return true;
}

bool chat_unmanaged(struct task *t, const struct chat_view *v)
{
	if (chat_hidden(t, v))
		return true;
	if (can_manage_chat(chat_actor(t, v), v->chat.visibility, chat_owner(&v->chat)))
		return false;
	task_fail(t, ERR_ACCESS_DENIED);
	return true;
}

void chat_edit_read(const struct task *t, struct chat_edit *e)
{
	e->name = in_str(t, "name");
	e->description = in_str(t, "description");
	e->slug_given = in_given(t, "slug");
	e->slug = in_str(t, "slug");
	e->wipe_preset = in_str(t, "wipe_preset");
	e->history_visible = in_has(t, "history_visible") ? in_bool(t, "history_visible") : -1;
}

const char *chat_destroyed_text(struct task *t, const struct chat *c)
{
	return arena_printf(task_arena(t), "Chat '" STR_FMT "' destroyed", STR_ARG(c->name)).p;
}
