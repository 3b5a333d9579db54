/* One room that may have missed something while the bus was away (contract 4.4).
 *
 *   catch_up_room -> who may stay -> did a direct chat end? (the others are put out, and told) ->
 * epoch, keys: told as a join would tell them -> messages behind what was sent, a page at a time ->
 * room_caught_up -> done
 *
 * Lifetime: a task a room. A room that is gone, or of which nobody is left, is done.
 * To check something else of a room: a step in front of room_done. */
#include "api/socket.h"
#include "store/chat.h"
#include "store/epoch.h"
#include "store/key.h"
#include "store/match.h"
#include "store/message.h"
#include "store/room.h"

#define PAGE         100
#define KEYS_AT_ONCE 32

struct room_work {
	struct room_gap gap;
	struct room_ids people, misfits;
	struct str ended; /* why the direct chat has ended; NULL p: none has */
	int64_t epoch;
	sio_id *sockets;
	size_t socket_count, at, asked;
	struct key_blob blobs[KEYS_AT_ONCE];
	struct chat_view view;
	struct message_list page;
	struct stream_id from;
};

/* ---- messages ---- */

static void room_done(struct task *t)
{
	const struct room_work *f = task_frame(t);

	room_caught_up(&f->gap);
	key_room_look(f->gap.chat_id);
	task_end(t);
}

static bool replay(struct task *t, const struct message *m)
{
	const struct room_work *f = task_frame(t);
	struct buf b = {0};
	struct json_out j;
	bool ok;

	json_out_init(&j, &b);
	message_write(&j, m, f->gap.chat_id, f->view.chat.name);
	ok = room_replay(&f->gap, m->id, STR("message:new"), buf_view(&b));
	buf_free(&b);
	return ok;
}

static void messages_next(struct task *t);

static void messages_read(struct task *t)
{
	struct room_work *f = task_frame(t);

	for (size_t i = 0; i < f->page.count; i++) {
		if (!replay(t, &f->page.rows[i])) {
			room_done(t);
			return;
		}
		if (!stream_id_parse(f->page.rows[i].id, &f->from))
			PANIC("a stream id that is none");
	}
	if (f->page.more)
		task_next(t, messages_next);
	else
		room_done(t);
}

static void messages_next(struct task *t)
{
	struct room_work *f = task_frame(t);
	const struct message_ask ask = {.chat_id = f->gap.chat_id,
		.since = SINCE_START,
		.after = arena_printf(task_arena(t), "%llu-%llu", (unsigned long long)f->from.ms,
			(unsigned long long)f->from.seq),
		.limit = PAGE};

	message_read(t, &ask, &f->page, messages_read);
}

static void chat_seen(struct task *t)
{
	if (task_err(t) == ERR_CHAT_NOT_FOUND)
		room_done(t);
	else if (task_err(t) != OK)
		task_fail(t, task_err(t));
	else
		messages_next(t);
}

/* ---- epoch and keys: as a join would tell them ---- */

static void keys_next(struct task *t);

static void keys_known(struct task *t)
{
	const struct room_work *f = task_frame(t);
	struct buf b = {0};

	for (size_t i = 0; i < f->asked; i++) {
		struct live *l = live_by_sio(f->sockets[f->at - f->asked + i]);
		const struct key_blob *k = &f->blobs[i];

		if (!l || !k->blob.p)
			continue;
		b.n = 0;
		buf_printf(&b,
			"{\"chat_id\":%lld,\"epoch\":%lld,\"blob\":\"" STR_FMT
			"\",\"from_public_key\":\"" STR_FMT "\"}",
			(long long)f->gap.chat_id, (long long)k->epoch, STR_ARG(k->blob),
			STR_ARG(k->from_public_key));
		live_emit(l, "room:key", buf_view(&b));
	}
	buf_free(&b);
	task_next(t, keys_next);
}

static void keys_next(struct task *t)
{
	struct room_work *f = task_frame(t);
	size_t left = f->socket_count - f->at;
	char session[LIVE_SESSION_LEN];

	f->asked = left < KEYS_AT_ONCE ? left : KEYS_AT_ONCE;
	if (left == 0) {
		f->from = f->gap.from;
		task_catch(t);
		chat_view(t, f->gap.chat_id, 0, &f->view, chat_seen);
		return;
	}
	for (size_t i = 0; i < f->asked; i++) {
		const struct live *l = live_by_sio(f->sockets[f->at++]);

		f->blobs[i] = (struct key_blob){.epoch = f->epoch};
		if (!l)
			continue;
		live_session(l, session);
		key_blob_of(t, f->gap.chat_id, live_user(l), str_make(session, sizeof(session)),
			&f->blobs[i], keys_known);
	}
	task_next(t, keys_known);
}

static void tell_epoch(struct live *l, void *arg)
{
	live_emit(l, "room:epoch_changed", *(struct str *)arg);
}

static void epoch_known(struct task *t)
{
	struct room_work *f = task_frame(t);
	int64_t chat_id = f->gap.chat_id;
	struct str data;

	if (task_err(t) == ERR_CHAT_NOT_FOUND) {
		room_done(t);
		return;
	}
	if (task_err(t) != OK) {
		task_fail(t, task_err(t));
		return;
	}
	data = arena_printf(task_arena(t), "{\"chat_id\":%lld,\"epoch\":%lld,\"reason\":\"lost\"}",
		(long long)chat_id, (long long)f->epoch);
	room_each(chat_id, tell_epoch, &data);
	keys_next(t);
}

/* ---- who may stay ---- */

struct putting_out {
	int64_t chat_id;
	const char *event;
	struct str data;
};

static void put_out(struct live *l, void *arg)
{
	const struct putting_out *p = arg;
	char session[LIVE_SESSION_LEN];

	if (!live_in_room(l, p->chat_id))
		return;
	live_emit(l, p->event, p->data);
	live_leave(l, p->chat_id);
	live_session(l, session);
	presence_owe(p->chat_id, live_user(l), session);
}

static void end_known(struct task *t)
{
	struct room_work *f = task_frame(t);
	struct putting_out p = {
		.chat_id = f->gap.chat_id, .event = f->ended.p ? "match:ended" : "room:kicked"};

	p.data = arena_printf(task_arena(t), "{\"chat_id\":%lld,\"reason\":\"" STR_FMT "\"}",
		(long long)p.chat_id, STR_ARG(f->ended.p ? f->ended : STR("kick")));
	for (size_t i = 0; i < f->misfits.count; i++)
		person_each(f->misfits.v[i], put_out, &p);
	task_catch(t);
	epoch_current(t, p.chat_id, &f->epoch, epoch_known);
}

static void misfits_known(struct task *t)
{
	struct room_work *f = task_frame(t);

	if (f->misfits.count > 0)
		direct_end_reason(t, f->gap.chat_id, &f->ended, end_known);
	else
		task_next(t, end_known);
}

static void count_socket(struct live *l, void *arg)
{
	(void)l;
	++*(size_t *)arg;
}

static void list_socket(struct live *l, void *arg)
{
	struct room_work *f = arg;

	f->sockets[f->socket_count++] = live_sio(l);
	f->people.v[f->people.count++] = live_user(l);
}

static void room_begin(struct task *t)
{
	struct room_work *f = task_frame(t);
	size_t n = 0;

	room_each(f->gap.chat_id, count_socket, &n);
	f->sockets = arena_array(task_arena(t), sio_id, n + 1);
	f->people.v = arena_array(task_arena(t), int64_t, n + 1);
	room_each(f->gap.chat_id, list_socket, f);
	room_misfits(t, f->gap.chat_id, &f->people, &f->misfits, misfits_known);
}

struct task *catch_up_room(const struct room_gap *g, const struct task_ops *ops, void *subject)
{
	struct task *t =
		task_new("catch up room", ops, subject, sizeof(struct room_work), room_begin);
	struct room_work *f = task_frame(t);

	f->gap = *g;
	task_deadline(t, 0);
	return t;
}
