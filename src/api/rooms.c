/* Rooms: going, typing, reading (contract 4.1). Coming: room_join.c.
 *
 * To add an event: its row in api/events.c, its name in api/handlers.h, its steps here. */
#include "api/event.h"
#include "api/handlers.h"
#include "api/request.h"
#include "api/socket.h"
#include "store/event.h"
#include "store/key.h"
#include "store/message.h"
#include "store/room.h"

/* ---- room:leave ---- */

struct room_leaving {
	struct room_seat seat;
	struct room_left left;
	char session[SESSION_ID_LEN];
};

static void left(struct task *t)
{
	const struct room_leaving *f = task_frame(t);

	if (task_err(t) != OK)
		presence_owe(f->seat.chat_id, f->seat.user_id, f->session);
	if (f->left.status_due)
		presence_status_due(f->seat.chat_id);
	if (f->left.sessions > 0)
		key_room_look(f->seat.chat_id);
	reply_ok(t);
}

void room_leave(struct task *t)
{
	struct room_leaving *f = task_frame_make(t, sizeof(*f));
	struct live *l = caller_live(t);
	int64_t chat_id = in_i64(t, "chat_id");

	if (!l || !live_in_room(l, chat_id)) {
		reply_ok(t);
		return;
	}
	live_leave(l, chat_id);
	caller_session(t, f->session);
	f->seat = (struct room_seat){.chat_id = chat_id,
		.user_id = caller(t)->user_id,
		.session = str_make(f->session, SESSION_ID_LEN),
		.process = presence_process(),
		.sockets = presence_in_room(caller(t)->user_id, f->session, chat_id)};
	task_catch(t);
	room_exit(t, &f->seat, !room_here(chat_id), true, &f->left, left);
}

/* ---- room:typing, room:read ---- */

struct room_telling {
	struct limit limit;
	struct rate rate;
	const char *name;
	char session[SESSION_ID_LEN];
};

static void told(struct task *t)
{
	reply_ok(t);
}

static void write_told(struct task *t, struct json_out *j, const char *name)
{
	json_obj(j);
	json_ki64(j, "chat_id", in_i64(t, "chat_id"));
	json_ki64(j, "user_id", caller(t)->user_id);
	if (strcmp(name, "room:typing") == 0)
		json_kbool(j, "typing", in_bool(t, "typing"));
	else
		json_kstr(j, "id", in_str(t, "id"));
	json_end(j);
}

static void tell(struct task *t)
{
	struct room_telling *f = task_frame(t);
	struct event *e;

	if (f->rate.over) {
		reply_ok(t);
		return;
	}
	e = event_to_room(t, in_i64(t, "chat_id"), TO_FEW, f->name);
	caller_session(t, f->session);
	e->who = str_make(f->session, SESSION_ID_LEN);
	write_told(t, &e->json, f->name);
	event_send(t, e, told);
}

/* To the others in the room, `most` times a second; what is more is not passed on. */
static void tell_room(struct task *t, const char *name, int64_t most)
{
	struct room_telling *f = task_frame_make(t, sizeof(*f));
	const struct live *l = caller_live(t);
	int64_t chat_id = in_i64(t, "chat_id");

	if (!l || !live_in_room(l, chat_id)) {
		task_fail(t, ERR_NOT_JOINED);
		return;
	}
	f->name = name;
	f->limit = (struct limit){arena_printf(task_arena(t), "%lld:%lld", (long long)chat_id,
					  (long long)caller(t)->user_id),
		name + sizeof("room:") - 1, most};
	rate_hit(t, &f->limit, 1, &f->rate, tell);
}

void room_typing(struct task *t)
{
	tell_room(t, "room:typing", 1);
}

void room_read(struct task *t)
{
	if (!message_id_ok(in_str(t, "id")))
		fail_field(t, "id", STR("id must be the id of a message"));
	else
		tell_room(t, "room:read", 10);
}
