/* Chats as people read and make them (contract 3.1). What changes one is in chats_change.c, invites
 * are in invites.c.
 *
 * To add an endpoint: its row in api/routes.c, its name in api/handlers.h, its steps here. */
#include "api/chat_look.h"
#include "api/handlers.h"
#include "api/writers.h"
#include "base/config.h"
#include "rules/chat.h"
#include "store/chat_change.h"

/* ---- lists ---- */

static void write_chats(const struct task *t, struct json_out *j, const struct chat_list *list)
{
	struct person actor = {.id = chat_viewer(t), .level = list->viewer_level};

	json_arr(j);
	for (size_t i = 0; i < list->count; i++) {
		const struct chat *c = &list->rows[i];

		write_chat(j, c, can_manage_chat(actor, c->visibility, chat_owner(c)));
	}
	json_end(j);
}

static void write_page(const struct task *t, struct json_out *j, int64_t total)
{
	json_ki64(j, "total", total);
	json_ki64(j, "offset", in_i64(t, "offset"));
	json_ki64(j, "limit", in_i64(t, "limit"));
}

/* GET /v1/portal/directory: begin -> directory_read. Private chats are not in it. `config` is for
 * managers, so the viewer is looked up all the same. */
static void directory_read(struct task *t)
{
	const struct chat_list *list = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "chats");
	write_chats(t, j, list);
	write_page(t, j, list->total);
	json_end(j);
	reply_send(t);
}

void chats_directory(struct task *t)
{
	struct chat_list *list = task_frame_make(t, sizeof(*list));
	struct chat_filter filter = {
		.viewer = chat_viewer(t),
		.open_only = true,
		.q = in_str(t, "q"),
		.offset = in_i64(t, "offset"),
		.limit = in_i64(t, "limit"),
	};

	chats_browse(t, &filter, list, directory_read);
}

/* GET /v1/portal/chats: begin -> list_read */
static void list_read(struct task *t)
{
	write_chats(t, reply_json(t), task_frame(t));
	reply_send(t);
}

void chats_list(struct task *t)
{
	struct chat_list *list = task_frame_make(t, sizeof(*list));
	struct chat_filter filter = {
		.viewer = chat_viewer(t),
		.offset = in_i64(t, "offset"),
		.limit = in_i64(t, "limit"),
	};

	chats_browse(t, &filter, list, list_read);
}

/* ---- one chat ---- */

/* GET /v1/portal/chats/{id}: begin -> chat_read */
static void chat_read(struct task *t)
{
	const struct chat_view *v = task_frame(t);

	if (chat_hidden(t, v))
		return;
	write_chat(reply_json(t), &v->chat,
		can_manage_chat(chat_actor(t, v), v->chat.visibility, chat_owner(&v->chat)));
	reply_send(t);
}

void chats_get(struct task *t)
{
	struct chat_view *v = task_frame_make(t, sizeof(*v));

	chat_view(t, in_i64(t, "id"), chat_viewer(t), v, chat_read);
}

/* POST /v1/portal/chats: begin -> maker_read -> chat_made -> made_read */
struct making {
	struct chat_maker maker;
	struct chat_new chat;
	int64_t id;
	struct chat_view made;
};

static void made_read(struct task *t)
{
	const struct making *f = task_frame(t);

	write_chat(reply_json(t), &f->made.chat, true);
	reply_send(t);
}

static void chat_made(struct task *t)
{
	struct making *f = task_frame(t);

	chat_view(t, f->id, caller(t)->user_id, &f->made, made_read);
}

static void maker_read(struct task *t)
{
	struct making *f = task_frame(t);
	struct slot_limits limits = {
		.premium = config.slots_premium,
		.lifetime = config.slots_lifetime,
		.admin = config.slots_admin,
		.owner = config.slots_owner,
	};

	f->chat.slots = chat_slots(f->maker.permission_level, f->maker.subscription_level, &limits);
	if (f->chat.slots == 0)
		task_fail(t, ERR_PREMIUM_REQUIRED);
	else if (slug_reserved(f->chat.slug))
		task_fail(t, ERR_SLUG_TAKEN);
	else
		chat_create(t, &f->chat, &f->id, chat_made);
}

void chats_create(struct task *t)
{
	struct making *f = task_frame_make(t, sizeof(*f));

	f->chat.owner_id = caller(t)->user_id;
	f->chat.name = in_str(t, "name");
	f->chat.slug = in_str(t, "slug");
	f->chat.description = in_str(t, "description");
	chat_maker(t, caller(t)->user_id, &f->maker, maker_read);
}

/* ---- its people, and what happened ---- */

/* GET /v1/portal/chats/{id}/members: begin -> members_seen -> members_read */
struct members {
	struct chat_view seen;
	struct chat_people people;
};

static void members_read(struct task *t)
{
	const struct members *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "members");
	json_arr(j);
	for (size_t i = 0; i < f->people.count; i++) {
		const struct chat_person *p = &f->people.rows[i];

		json_obj(j);
		json_key(j, "user");
		write_chat_person(j, p->id, p->username, p->avatar_url, p->permission_level);
		json_kbool(j, "is_owner", p->is_owner);
		json_kbool(j, "is_online", p->is_online);
		json_ktime(j, "joined_at", p->joined_at);
		json_end(j);
	}
	json_end(j);
	write_page(t, j, f->people.total);
	json_end(j);
	reply_send(t);
}

static void members_seen(struct task *t)
{
	struct members *f = task_frame(t);

	if (!chat_hidden(t, &f->seen))
		chat_members(t, &f->seen.chat, in_i64(t, "offset"), in_i64(t, "limit"), &f->people,
			members_read);
}

void chats_members(struct task *t)
{
	struct members *f = task_frame_make(t, sizeof(*f));

	chat_view(t, in_i64(t, "id"), caller(t)->user_id, &f->seen, members_seen);
}

/* GET /v1/portal/chats/{id}/activity: begin -> activity_seen -> activity_read */
struct activity {
	struct chat_view seen;
	struct chat_activity list;
};

static void write_event(struct json_out *j, const struct chat_event *e)
{
	json_obj(j);
	json_key(j, "user");
	write_chat_person(j, e->user_id, e->username, e->avatar_url, e->permission_level);
	json_kstr(j, "action", e->action);
	json_kstr(j, "method", e->method);
	json_kstr(j, "invite_code", e->invite_code);
	json_ktime(j, "created_at", e->created_at);
	json_end(j);
}

static void activity_read(struct task *t)
{
	const struct activity *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "events");
	json_arr(j);
	for (size_t i = 0; i < f->list.count; i++)
		write_event(j, &f->list.rows[i]);
	json_end(j);
	write_page(t, j, f->list.total);
	json_end(j);
	reply_send(t);
}

static void activity_seen(struct task *t)
{
	struct activity *f = task_frame(t);

	if (!chat_unmanaged(t, &f->seen))
		chat_activity(t, f->seen.chat.id, in_i64(t, "offset"), in_i64(t, "limit"), &f->list,
			activity_read);
}

void chats_activity(struct task *t)
{
	struct activity *f = task_frame_make(t, sizeof(*f));

	chat_view(t, in_i64(t, "id"), caller(t)->user_id, &f->seen, activity_seen);
}

/* GET /v1/portal/status: begin -> status_read */
static void status_read(struct task *t)
{
	const struct status *s = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_ki64(j, "online", s->online.total);
	json_key(j, "users");
	json_arr(j);
	for (size_t i = 0; i < s->online.count; i++) {
		const struct chat_person *p = &s->online.rows[i];

		json_obj(j);
		json_key(j, "user");
		write_chat_person(j, p->id, p->username, p->avatar_url, p->permission_level);
		json_kstr(j, "session_id", p->session_id);
		json_end(j);
	}
	json_end(j);
	json_key(j, "muted");
	if (s->muted) {
		json_obj(j);
		json_ktime(j, "until", s->muted_until);
		json_end(j);
	} else {
		json_null(j);
	}
	json_end(j);
	reply_send(t);
}

void chats_status(struct task *t)
{
	struct status *s = task_frame_make(t, sizeof(*s));

	people_online(
		t, caller(t)->user_id, in_i64(t, "offset"), in_i64(t, "limit"), s, status_read);
}
