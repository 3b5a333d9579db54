/* portalctl chat …: chats of every kind, from outside. No message is read. Direct chats live in
 * Redis only and are not shown. */
#include "ctl/chats.h"
#include "ctl/ctl.h"
#include "rules/chat.h"
#include "store/chat_change.h"
#include "store/user.h"
#include "store/user_admin.h"

void ctl_chat_write(struct json_out *j, const struct chat *c)
{
	json_obj(j);
	json_ki64(j, "id", c->id);
	json_kstr(j, "name", c->name);
	json_key(j, "visibility");
	json_z(j, visibility_name(c->visibility));
	json_kstr(j, "slug", c->slug);
	json_kstr(j, "owner", c->owner_username);
	json_ki64(j, "members", c->member_count);
	json_ki64(j, "online", c->online);
	json_ktime(j, "created_at", c->created_at);
	json_ktime(j, "last_activity_at", c->last_activity_at);
	json_end(j);
}

/* ---- chat list ---- */
static void listed(struct task *t)
{
	const struct chat_list *f = task_frame(t);

	json_arr(ctl_json());
	for (size_t i = 0; i < f->count; i++)
		ctl_chat_write(ctl_json(), &f->rows[i]);
	json_end(ctl_json());
	if (f->total > (int64_t)f->count)
		ctl_say("%lld of %lld; --limit shows more", (long long)f->count,
			(long long)f->total);
	ctl_done(t);
}

void ctl_chat_list(struct task *t)
{
	struct chat_list *f = task_frame_make(t, sizeof(*f));
	struct chat_filter filter = {.q = ctl_str("--search"), .limit = ctl_int("--limit", 100)};

	chats_administered(t, 0, LEVEL_OWNER, &filter, f, listed);
}

/* ---- chat show ---- */
struct show {
	struct chat_view seen;
	struct chat_people people;
};

static void show_read(struct task *t)
{
	const struct show *f = task_frame(t);
	const struct chat *c = &f->seen.chat;
	struct json_out *j = ctl_json();

	json_obj(j);
	json_ki64(j, "id", c->id);
	json_kstr(j, "name", c->name);
	json_kstr(j, "description", c->description);
	json_key(j, "visibility");
	json_z(j, visibility_name(c->visibility));
	json_kstr(j, "slug", c->slug);
	json_kstr(j, "label", c->label);
	json_kstr(j, "owner", c->owner_username);
	json_kstr(j, "wipe_preset", c->wipe_preset);
	json_kbool(j, "history_visible", c->history_visible);
	json_ki64(j, "online", c->online);
	json_ktime(j, "created_at", c->created_at);
	json_ktime(j, "last_activity_at", c->last_activity_at);
	json_ki64(j, "members_total", f->people.total);
	json_key(j, "members");
	json_arr(j);
	for (size_t i = 0; i < f->people.count; i++) {
		const struct chat_person *p = &f->people.rows[i];

		json_obj(j);
		json_ki64(j, "id", p->id);
		json_kstr(j, "username", p->username);
		json_key(j, "level");
		json_z(j, ctl_level_name(p->permission_level));
		json_kbool(j, "owner", p->is_owner);
		json_kbool(j, "online", p->is_online);
		json_ktime(j, "joined_at", p->joined_at);
		json_end(j);
	}
	json_end(j);
	json_end(j);
	ctl_done(t);
}

static void show_seen(struct task *t)
{
	struct show *f = task_frame(t);

	chat_members(t, &f->seen.chat, 0, ctl_int("--limit", 100), &f->people, show_read);
}

void ctl_chat_show(struct task *t)
{
	struct show *f = task_frame_make(t, sizeof(*f));

	chat_view(t, ctl_int("CHAT", 0), 0, &f->seen, show_seen);
}

/* ---- chat create: owner_known -> level_known -> created -> created_read ---- */
struct creation {
	struct chat_new chat;
	int64_t id;
	struct chat_view made;
};

static void created_read(struct task *t)
{
	const struct creation *f = task_frame(t);

	ctl_chat_write(ctl_json(), &f->made.chat);
	ctl_done(t);
}

static void created(struct task *t)
{
	struct creation *f = task_frame(t);

	chat_view(t, f->id, 0, &f->made, created_read);
}

static void level_known(struct task *t)
{
	struct creation *f = task_frame(t);

	f->chat.slots = INT64_MAX; /* the operator decides */
	chat_create(t, &f->chat, &f->id, created);
}

static void owner_known(struct task *t)
{
	struct creation *f = task_frame(t);

	user_level(t, f->chat.owner_id, &f->chat.owner_level, level_known);
}

static bool slug_ok(struct str s)
{
	if (s.n < SLUG_MIN || s.n > SLUG_MAX || slug_reserved(s))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!memchr("abcdefghijklmnopqrstuvwxyz0123456789-", s.p[i], 37))
			return false;
	return true;
}

bool ctl_chat_words_ok(struct task *t)
{
	if (!ctl_length_ok(t, "--name", 2, 64) || !ctl_length_ok(t, "--description", 0, 500))
		return false;
	if (!ctl_has("--slug") || slug_ok(ctl_str("--slug")))
		return true;
	ctl_fail(t, "--slug must be 2 to 32 of a-z0-9- and no path of the site");
	return false;
}

void ctl_chat_create(struct task *t)
{
	struct creation *f = task_frame_make(t, sizeof(*f));

	f->chat = (struct chat_new){
		.name = ctl_str("--name"),
		.slug = ctl_str("--slug"),
		.description = ctl_has("--description") ? ctl_str("--description") : STR(""),
		.official = ctl_has("--official"),
	};
	if (ctl_chat_words_ok(t))
		user_resolve(t, ctl_str("--owner"), &f->chat.owner_id, owner_known);
}
