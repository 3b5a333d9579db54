/* Coming into a room: room:join (contract 4.1), and live sockets that are put into a direct chat.
 *
 *   room_join | room_put -> gate -> who they are there: standing, chat (PostgreSQL) | the direct
 *     chat -> live_join (events are kept from here on) -> room_enter (presence; begins again when
 *     somebody was taken out meanwhile) -> message_read, if it was asked for -> the ack, if it was
 *     asked for, and live_joined in one step
 *   Who is put into a chat that was made just now is known: no gate yet, no look-up.
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
#include "store/key.h"
#include "store/match.h"
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
	sio_id sio;
	bool asked; /* room:join: by an event, which gets an ack */
	struct room_ask ask;
	struct room_joined joined;
	struct message_list messages;
	struct join *join;
	int tries;
	bool entered, rotated;
	/* asked */
	struct standing standing;
	struct chat_view view;
	/* not asked */
	struct direct direct;
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
	struct stream_id cursor = {0, 0}; /* not asked: all that comes is new */
	enum err e = join_check(f->join);
	int64_t gate;

	if (e != OK) { /* the socket has gone, was put out, or has missed something */
		task_fail(t, e == ERR_CONFLICT ? ERR_NOT_JOINED : e);
		return;
	}
	if (f->asked && !stream_id_parse(f->messages.cursor, &cursor))
		PANIC("a stream id that is none");
	f->entry.done = true;
	if (f->asked) {
		write_joined(reply_json(t), f);
		reply_send(t);
	} else {
		task_end(t);
	}
	if (str_to_i64(f->ask.gate, &gate))
		live_entered(f->join, gate);
	live_joined(f->join, cursor);
	room_set_present(f->entry.chat_id, f->joined.sessions);
	key_room_look(f->entry.chat_id);
}

static void join_messages(struct task *t)
{
	struct room_joining *f = task_frame(t);
	struct message_ask ask = {.chat_id = f->entry.chat_id,
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
	} else if (f->asked && !f->standing.history_visible && !f->joined.keyed && !f->rotated) {
		/* What was said before is not for them: the key they get is a new one. */
		f->rotated = true;
		epoch_rotate(t, f->entry.chat_id, "join", 0, join_enter);
	} else if (!f->asked) {
		task_next(t, join_read);
	} else {
		join_messages(t);
	}
}

static void join_enter(struct task *t)
{
	struct room_joining *f = task_frame(t);

	if (!live_by_sio(f->sio)) {
		task_fail(t, ERR_NOT_JOINED);
		return;
	}
	if (!f->entered)
		arena_defer(task_arena(t), entry_undo, &f->entry);
	f->entered = true;
	live_entering(f->join);
	f->ask.tells = f->asked;
	f->ask.rank =
		f->asked ? directory_rank(f->standing.visibility, f->standing.last_activity_at) : 0;
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

/* Who they are there is known. */
static void join_begin(struct task *t, struct str person)
{
	struct room_joining *f = task_frame(t);
	struct live *l = live_by_sio(f->sio);

	f->ask.person = person;
	if (!l)
		task_fail(t, ERR_NOT_JOINED);
	else if (f->join)
		join_enter(t);
	else
		f->join = live_join(t, l, f->entry.chat_id, join_enter);
}

static void join_viewed(struct task *t)
{
	struct room_joining *f = task_frame(t);

	if (!standing_sees(&f->standing))
		task_fail(t, ERR_CHAT_NOT_FOUND);
	else if (f->standing.banned)
		task_fail(t, ERR_BANNED);
	else if (f->standing.turning) /* nobody comes into the epoch before */
		chat_settle(t, f->entry.chat_id, join_look);
	else
		join_begin(t, person_json(t, &f->standing));
}

static void join_standing(struct task *t)
{
	struct room_joining *f = task_frame(t);

	chat_view(t, f->entry.chat_id, f->entry.user_id, &f->view, join_viewed);
}

static void join_direct(struct task *t)
{
	const struct room_joining *f = task_frame(t);
	int which = direct_which(&f->direct, f->entry.user_id);

	if (which < 0)
		task_fail(t, ERR_CHAT_NOT_FOUND);
	else
		join_begin(t, f->direct.persons[which]);
}

static void join_gate(struct task *t)
{
	struct room_joining *f = task_frame(t);

	if (f->asked)
		standing_read(t, f->entry.chat_id, f->entry.user_id, &f->standing, join_standing);
	else
		direct_read(t, f->entry.chat_id, &f->direct, join_direct);
}

static void join_look(struct task *t)
{
	struct room_joining *f = task_frame(t);

	if (f->tries++ == JOINS_MAX)
		task_fail(t, ERR_UNAVAILABLE);
	else
		room_gate(t, f->entry.chat_id, &f->ask.gate, join_gate);
}

static void joining_init(struct room_joining *f, const struct live *l, int64_t chat_id)
{
	f->sio = live_sio(l);
	f->entry.chat_id = chat_id;
	f->entry.user_id = live_user(l);
	live_session(l, f->entry.session);
	f->ask.seat = (struct room_seat){.chat_id = chat_id,
		.user_id = f->entry.user_id,
		.session = str_make(f->entry.session, SESSION_ID_LEN),
		.process = presence_process()};
}

void room_join(struct task *t)
{
	struct room_joining *f = task_frame_make(t, sizeof(*f));
	const struct live *l = caller_live(t);

	if (in_has(t, "after") && !message_id_ok(in_str(t, "after"))) {
		fail_field(t, "after", STR("after must be the id of a message"));
	} else if (!l) {
		task_fail(t, ERR_NOT_JOINED);
	} else {
		joining_init(f, l, in_i64(t, "chat_id"));
		f->asked = true;
		join_look(t);
	}
}

/* ---- into a direct chat, unasked ---- */

/* The client has been told of the chat, and joins by itself when this fails. */
static void put_failed(struct task *t, const struct fault *f)
{
	(void)f;
	task_end(t);
}

static void put_begin(struct task *t)
{
	const struct room_joining *f = task_frame(t);

	join_begin(t, f->ask.person);
}

void room_put(const struct live *l, int64_t chat_id, struct str person)
{
	static const struct task_ops ops = {put_failed, NULL};
	struct room_joining *f;
	struct task *t;

	if (!sio_data(live_sio(l)) || live_in_room(l, chat_id))
		return;
	t = task_new("direct join", &ops, NULL, sizeof(*f), person.p ? put_begin : join_look);
	f = task_frame(t);
	joining_init(f, l, chat_id);
	f->ask.gate = STR("");
	f->ask.person = arena_str(task_arena(t), person);
}
