/* portalctl chat update, delete, transfer, kick: what operators do to chats that are there.
 *
 *   begin -> chat_look -> act -> acted -> (again while it changes meanwhile) -> done
 *
 * To add an act: a row in commands.c, and an `act` here. */
#include "ctl/chats.h"
#include "ctl/ctl.h"
#include "store/chat_change.h"
#include "store/moderation.h"
#include "store/user_admin.h"

#define LABEL_MAX 32

struct chat_act {
	task_fn *act;  /* makes the change, then acted */
	task_fn *done; /* tells of it */
	struct chat_view seen;
	struct chat_edit edit;
	int64_t user_id; /* the heir */
	bool changed;
};
static const struct chat_by by_operator = {.platform = true};

static void chat_look(struct task *t)
{
	struct chat_act *f = task_frame(t);

	chat_view(t, ctl_int("CHAT", 0), 0, &f->seen, f->act);
}

static void acted(struct task *t)
{
	const struct chat_act *f = task_frame(t);

	if (f->changed)
		f->done(t);
	else
		chat_look(t);
}

static struct chat_act *act_begin(struct task *t, task_fn *act, task_fn *done)
{
	struct chat_act *f = task_frame_make(t, sizeof(*f));

	f->act = act;
	f->done = done;
	return f;
}

static void show_now(struct task *t)
{
	const struct chat_act *f = task_frame(t);

	ctl_chat_write(ctl_json(), &f->seen.chat);
	ctl_done(t);
}

/* ---- update: … -> update_read -> update_told -> show_now ---- */
static void update_told(struct task *t)
{
	struct chat_act *f = task_frame(t);

	chat_tell(t, &f->seen.chat, &f->edit, show_now);
}

static void update_read(struct task *t)
{
	struct chat_act *f = task_frame(t);

	chat_view(t, f->seen.chat.id, 0, &f->seen, update_told);
}

static void update_act(struct task *t)
{
	struct chat_act *f = task_frame(t);

	if (ctl_has("--private") && f->seen.chat.visibility == VISIBILITY_OFFICIAL) {
		ctl_fail(t, "an official chat stays official: not with --private");
		return;
	}
	chat_update(t, by_operator, &f->seen.chat, &f->edit, &f->changed, acted);
}

void ctl_chat_update(struct task *t)
{
	struct chat_act *f = act_begin(t, update_act, update_read);

	f->edit = (struct chat_edit){
		.name = ctl_str("--name"),
		.description = ctl_str("--description"),
		.slug_given = ctl_has("--slug") || ctl_has("--private"),
		.slug = ctl_str("--slug"),
		.label_given = ctl_has("--label"),
		.label = ctl_str("--label").n ? ctl_str("--label") : STR_NULL,
		.wipe_preset = ctl_str("--wipe"),
		.history_visible = (int)ctl_int("--history", -1),
	};
	if (ctl_has("--slug") && ctl_has("--private"))
		ctl_fail(t, "--slug makes it public: not with --private");
	else if (ctl_chat_words_ok(t) && ctl_length_ok(t, "--label", 0, LABEL_MAX))
		chat_look(t);
}

/* ---- delete ---- */
static void deleted(struct task *t)
{
	const struct chat_act *f = task_frame(t);
	struct json_out *j = ctl_json();

	json_obj(j);
	json_ki64(j, "deleted", f->seen.chat.id);
	json_kstr(j, "name", f->seen.chat.name);
	json_end(j);
	ctl_done(t);
}

static void delete_act(struct task *t)
{
	struct chat_act *f = task_frame(t);

	chat_delete(t, by_operator, &f->seen.chat, &f->changed, acted);
}

void ctl_chat_delete(struct task *t)
{
	act_begin(t, delete_act, deleted);
	chat_look(t);
}

/* ---- transfer: the heir is found first ---- */
static void transfer_read(struct task *t)
{
	struct chat_act *f = task_frame(t);

	chat_view(t, f->seen.chat.id, 0, &f->seen, show_now);
}

static void transfer_act(struct task *t)
{
	struct chat_act *f = task_frame(t);

	chat_transfer(t, by_operator, &f->seen.chat, f->user_id, &f->changed, acted);
}

void ctl_chat_transfer(struct task *t)
{
	struct chat_act *f = act_begin(t, transfer_act, transfer_read);

	user_resolve(t, ctl_str("USER"), &f->user_id, chat_look);
}
