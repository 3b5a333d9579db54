/* Invites and joining by them (contract 3.1).
 *
 * To add an endpoint: its row in api/routes.c, its name in api/handlers.h, its steps here. */
#include "store/invite.h"

#include "api/chat_look.h"
#include "api/handlers.h"
#include "api/writers.h"
#include "base/clock.h"
#include "store/chat_change.h"

static void write_invite(struct json_out *j, const struct invite *i)
{
	json_obj(j);
	json_kstr(j, "code", i->code);
	json_ki64(j, "chat_id", i->chat_id);
	json_ki64(j, "created_by_id", i->created_by);
	json_ktime(j, "created_at", i->created_at);
	json_ktime(j, "expires_at", i->expires_at);
	json_ki64(j, "uses", i->uses);
	json_key(j, "max_uses");
	if (i->max_uses)
		json_i64(j, i->max_uses);
	else
		json_null(j);
	json_end(j);
}

/* POST /v1/portal/chats/{id}/invites
 *   begin -> invite_look -> invite_seen -> invite_made, or look again */
struct invite_making {
	struct chat_view seen;
	struct invite invite;
	bool done;
};

static void invite_look(struct task *t);

static void invite_made(struct task *t)
{
	const struct invite_making *f = task_frame(t);

	if (!f->done) {
		invite_look(t);
		return;
	}
	write_invite(reply_json(t), &f->invite);
	reply_send(t);
}

static void invite_seen(struct task *t)
{
	struct invite_making *f = task_frame(t);

	if (!chat_unmanaged(t, &f->seen))
		invite_create(t, &f->seen.chat, &f->invite, &f->done, invite_made);
}

static void invite_look(struct task *t)
{
	struct invite_making *f = task_frame(t);

	chat_view(t, in_i64(t, "id"), caller(t)->user_id, &f->seen, invite_seen);
}

void invites_create(struct task *t)
{
	struct invite_making *f = task_frame_make(t, sizeof(*f));

	f->invite.created_by = caller(t)->user_id;
	f->invite.expires_at = in_time(t, "expires_at");
	f->invite.max_uses = in_i64(t, "max_uses");
	if (in_has(t, "expires_at") && f->invite.expires_at <= clock_us())
		fail_field(t, "expires_at", STR("expires_at must be in the future"));
	else
		invite_look(t);
}

/* GET /v1/portal/chats/{id}/invites: begin -> list_seen -> list_read */
struct invite_listing {
	struct chat_view seen;
	struct invite_list list;
};

static void list_read(struct task *t)
{
	const struct invite_listing *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "invites");
	json_arr(j);
	for (size_t i = 0; i < f->list.count; i++)
		write_invite(j, &f->list.rows[i]);
	json_end(j);
	json_end(j);
	reply_send(t);
}

static void list_seen(struct task *t)
{
	struct invite_listing *f = task_frame(t);

	if (!chat_unmanaged(t, &f->seen))
		invites_live(t, f->seen.chat.id, &f->list, list_read);
}

void invites_list(struct task *t)
{
	struct invite_listing *f = task_frame_make(t, sizeof(*f));

	chat_view(t, in_i64(t, "id"), caller(t)->user_id, &f->seen, list_seen);
}

/* POST /v1/portal/chats/{id}/invites/{code}/delete: begin -> revoke_seen -> revoked */
static void revoked(struct task *t)
{
	struct str text = arena_printf(
		task_arena(t), "Invite '" STR_FMT "' revoked", STR_ARG(in_str(t, "code")));

	reply_message(t, text.p);
}

static void revoke_seen(struct task *t)
{
	const struct chat_view *v = task_frame(t);

	if (!chat_unmanaged(t, v))
		invite_revoke(t, v->chat.id, in_str(t, "code"), revoked);
}

void invites_delete(struct task *t)
{
	struct chat_view *v = task_frame_make(t, sizeof(*v));

	chat_view(t, in_i64(t, "id"), caller(t)->user_id, v, revoke_seen);
}

/* ---- what a code leads to ---- */

static void write_resolved(
	struct task *t, struct json_out *j, const struct chat_view *v, struct str method)
{
	json_key(j, "chat");
	write_chat(j, &v->chat,
		can_manage_chat(chat_actor(t, v), v->chat.visibility, chat_owner(&v->chat)));
	json_kstr(j, "method", method);
}

/* GET /v1/portal/resolve/{code}: begin -> resolved */
static void resolved(struct task *t)
{
	const struct chat_resolved *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	write_resolved(t, j, &f->view, f->method);
	json_end(j);
	reply_send(t);
}

void resolve_get(struct task *t)
{
	struct chat_resolved *f = task_frame_make(t, sizeof(*f));

	chat_resolve(t, in_str(t, "code"), caller(t)->user_id, f, resolved);
}

/* POST /v1/portal/resolve/{code}: begin -> chat_joined -> joined_read */
struct joining {
	struct chat_join join;
	struct chat_view view;
};

static void joined_read(struct task *t)
{
	const struct joining *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	write_resolved(t, j, &f->view, f->join.method);
	json_kbool(j, "joined", f->join.joined);
	json_end(j);
	reply_send(t);
}

static void chat_joined(struct task *t)
{
	struct joining *f = task_frame(t);

	chat_view(t, f->join.chat_id, caller(t)->user_id, &f->view, joined_read);
}

void resolve_join(struct task *t)
{
	struct joining *f = task_frame_make(t, sizeof(*f));

	chat_join(t, in_str(t, "code"), caller(t)->user_id, &f->join, chat_joined);
}
