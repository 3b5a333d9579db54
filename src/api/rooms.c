/* Rooms: coming, going, typing, reading (contract 4.1).
 *
 *   room_join: gate -> standing, chat (PostgreSQL) -> live_join (events are kept from here on) ->
 *     room_enter (presence; begins again when somebody was taken out meanwhile) -> message_read ->
 *     the ack and live_joined in one step
 *   A change of visibility that the room has not heard of is settled first, then it begins again.
 *
 * Lifetime: a join that fails or whose socket goes behind room_enter leaves it to presence_owe,
 * when its arena ends. To add a member to the join's ack: write_joined and the row in api/events.c.
 */
#include "api/event.h"
#include "api/handlers.h"
#include "api/request.h"
#include "api/socket.h"
#include "api/writers.h"
#include "store/chat_change.h"
#include "store/epoch.h"
#include "store/event.h"
#include "store/key.h"
#include "store/message.h"
#include "store/room.h"

#define JOINS_MAX 5 /* beyond that the chat is too restless */

/* ---- room:join ---- */

struct entry { /* undone unless the ack was sent */
	int64_t chat_id, user_id;
	char session[SESSION_ID_LEN];
	bool done;
};

struct room_joining {
	struct entry entry;
	struct room_ask ask;
	struct standing standing;
	struct chat_view view;
	struct room_joined joined;
	struct message_list messages;
	struct join *join;
	int tries;
	bool entered, rotated;
};

static void join_look(struct task *t);
static void join_enter(struct task *t);

static void entry_undo(void *arg)
{
	const struct entry *e = arg;

	if (!e->done)
		presence_owe(e->chat_id, e->user_id, e->session);
}

static void write_key(struct json_out *j, const struct room_joined *r)
{
	json_key(j, "key");
	if (!r->blob.p) {
		json_null(j);
		return;
	}
	json_obj(j);
	json_kstr(j, "blob", r->blob);
	json_kstr(j, "from_public_key", r->from_public_key);
	json_end(j);
}

static void write_muted(struct json_out *j, const struct standing *s)
{
	json_key(j, "muted");
	if (!s->muted) {
		json_null(j);
		return;
	}
	json_obj(j);
	json_ktime(j, "until", s->muted_until);
	json_end(j);
}

static void write_joined(struct json_out *j, struct room_joining *f)
{
	const struct room_joined *r = &f->joined;

	f->view.chat.online = r->online;
	json_obj(j);
	json_key(j, "chat");
	write_chat(j, &f->view.chat, standing_manages(&f->standing));
	json_ki64(j, "epoch", r->epoch);
	json_kstr(j, "session_id", str_make(f->entry.session, SESSION_ID_LEN));
	json_key(j, "members");
	if (r->members.p)
		json_raw(j, r->members);
	else
		json_null(j);
	write_key(j, r);
	write_muted(j, &f->standing);
	json_key(j, "messages");
	message_list_write(j, &f->messages, f->entry.chat_id, f->view.chat.name);
	json_kbool(j, "more", f->messages.more);
	json_kbool(j, "gap", f->messages.gap);
	json_end(j);
}

static void join_read(struct task *t)
{
	struct room_joining *f = task_frame(t);
	struct stream_id cursor = {0, 0};
	enum err e = join_check(f->join);
	int64_t gate;

	if (e != OK) { /* the socket has gone, was put out, or has missed something */
		task_fail(t, e == ERR_CONFLICT ? ERR_NOT_JOINED : e);
		return;
	}
	if (!stream_id_parse(f->messages.cursor, &cursor))
		PANIC("a stream id that is none");
	f->entry.done = true;
	write_joined(reply_json(t), f);
	reply_send(t);
	if (str_to_i64(f->ask.gate, &gate))
		live_entered(f->join, gate);
	live_joined(f->join, cursor);
	room_set_present(f->entry.chat_id, f->joined.sessions);
	key_room_look(f->entry.chat_id);
}

static void join_messages(struct task *t)
{
	struct room_joining *f = task_frame(t);
	const struct message_ask ask = {.chat_id = f->entry.chat_id,
		.user_id = f->entry.user_id,
		.since = standing_reads_since(&f->standing),
		.after = in_str(t, "after"),
		.limit = in_has(t, "after") ? WINDOW_AFTER : WINDOW_NEWEST};

	message_read(t, &ask, &f->messages, join_read);
}

static void join_epoch(struct task *t)
{
	struct room_joining *f = task_frame(t);

	epoch_current(t, f->entry.chat_id, &f->joined.epoch, join_enter);
}

static void join_entered(struct task *t)
{
	struct room_joining *f = task_frame(t);

	if (f->joined.status_due)
		presence_status_due(f->entry.chat_id);
	if (f->joined.outcome == ROOM_AGAIN) {
		task_next(t, join_look);
	} else if (f->joined.outcome == ROOM_NO_EPOCH) {
		task_next(t, join_epoch);
	} else if (!f->standing.history_visible && !f->joined.keyed && !f->rotated) {
		/* What was said before is not for them: the key they get is a new one. */
		f->rotated = true;
		epoch_rotate(t, f->entry.chat_id, "join", 0, join_enter);
	} else {
		join_messages(t);
	}
}

static void join_enter(struct task *t)
{
	struct room_joining *f = task_frame(t);

	if (!caller_live(t)) {
		task_fail(t, ERR_NOT_JOINED);
		return;
	}
	if (!f->entered)
		arena_defer(task_arena(t), entry_undo, &f->entry);
	f->entered = true;
	live_entering(f->join);
	f->ask.seat.sockets =
		presence_in_room(f->entry.user_id, f->entry.session, f->entry.chat_id);
	room_enter(t, &f->ask, &f->joined, join_entered);
}

static struct str person_json(struct task *t, const struct standing *s)
{
	struct buf b = {0};
	struct json_out j;
	struct str text;

	json_out_init(&j, &b);
	write_chat_person(&j, s->user_id, s->username, s->avatar_url, s->level);
	text = arena_str(task_arena(t), buf_view(&b));
	buf_free(&b);
	return text;
}

static void join_viewed(struct task *t)
{
	struct room_joining *f = task_frame(t);
	struct live *l = caller_live(t);

	if (!standing_sees(&f->standing)) {
		task_fail(t, ERR_CHAT_NOT_FOUND);
		return;
	}
	if (f->standing.banned) {
		task_fail(t, ERR_BANNED);
		return;
	}
	if (!l) {
		task_fail(t, ERR_NOT_JOINED);
		return;
	}
	if (f->standing.turning) { /* nobody comes into the epoch before */
		chat_settle(t, f->entry.chat_id, join_look);
		return;
	}
	f->ask.person = person_json(t, &f->standing);
	if (f->join)
		join_enter(t);
	else
		f->join = live_join(t, l, f->entry.chat_id, join_enter);
}

static void join_standing(struct task *t)
{
	struct room_joining *f = task_frame(t);

	chat_view(t, f->entry.chat_id, f->entry.user_id, &f->view, join_viewed);
}

static void join_gate(struct task *t)
{
	struct room_joining *f = task_frame(t);

	standing_read(t, f->entry.chat_id, f->entry.user_id, &f->standing, join_standing);
}

static void join_look(struct task *t)
{
	struct room_joining *f = task_frame(t);

	if (f->tries++ == JOINS_MAX)
		task_fail(t, ERR_UNAVAILABLE);
	else
		room_gate(t, f->entry.chat_id, &f->ask.gate, join_gate);
}

void room_join(struct task *t)
{
	struct room_joining *f = task_frame_make(t, sizeof(*f));

	f->entry.chat_id = in_i64(t, "chat_id");
	f->entry.user_id = caller(t)->user_id;
	caller_session(t, f->entry.session);
	f->ask.seat = (struct room_seat){.chat_id = f->entry.chat_id,
		.user_id = f->entry.user_id,
		.session = str_make(f->entry.session, SESSION_ID_LEN),
		.process = presence_process()};
	if (in_has(t, "after") && !message_id_ok(in_str(t, "after")))
		fail_field(t, "after", STR("after must be the id of a message"));
	else
		join_look(t);
}

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
