/* People of this process who are paired (contract 5): their sockets hear match:found and are put
 * into the room; also those who were paired while the bus was away (contract 4.4).
 *
 *   bus -> direct_made -> found
 *   catch_up_directs -> people_ask <-> people_known: PAGE of them at a time -> found_next ->
 *     found_known: found -> found_next … -> task_return
 *
 * Who has a socket in the room was told. */
#include "api/socket.h"
#include "api/writers.h"
#include "base/buf.h"
#include "hub/bus.h"
#include "store/event.h"
#include "store/match.h"

#include <stdlib.h>

#define PAGE 1000

struct directs {
	int64_t *people;
	size_t count, at;
	struct match_chats page;
	size_t page_at;
	struct match_status found;
};

static void people_ask(struct task *t);
static void found_next(struct task *t);

/* ---- match:found ---- */

struct putting {
	int64_t chat_id;
	struct str shown; /* the person; NULL p: to be looked up */
};

static void put_in(struct live *l, void *arg)
{
	const struct putting *p = arg;

	room_put(l, p->chat_id, p->shown);
}

/* The sockets of the person hear of it and are put into the room, in order of connecting. */
static void found(int64_t user_id, const struct match_status *s, struct str shown)
{
	struct putting p = {s->chat_id, shown};
	struct buf b = {0};
	struct json_out j;
	struct bus_message m = {
		.scope = BUS_USER, .id = user_id, .audience = TO_ROOM, .event = STR("match:found")};

	json_out_init(&j, &b);
	json_obj(&j);
	write_direct(&j, s);
	write_interests(&j, s->interests);
	json_end(&j);
	m.data = buf_view(&b);
	live_deliver(&m);
	buf_free(&b);
	person_each(user_id, put_in, &p);
}

void direct_made(const struct bus_message *m)
{
	struct match_status s = {.state = MATCH_MATCHED};
	struct str rest = m->data;
	int64_t made_ms = 0;

	s.peer = str_cut(&rest, '\n');
	s.interests = str_cut(&rest, '\n');
	if (rest.p && str_to_i64(m->position, &made_ms) && str_to_i64(m->who, &s.chat_id)) {
		s.queued_at = made_ms * 1000;
		found(m->id, &s, rest);
	}
}

/* ---- who was paired meanwhile ---- */

static void found_known(struct task *t)
{
	struct directs *f = task_frame(t);

	if (f->found.state == MATCH_MATCHED)
		found(f->page.rows[f->page_at].user_id, &f->found, STR_NULL);
	f->page_at++;
	task_next(t, found_next);
}

struct looking {
	int64_t chat_id;
	bool in;
};

static void look_in(struct live *l, void *arg)
{
	struct looking *k = arg;

	k->in = k->in || live_is_present(l, k->chat_id);
}

static void found_next(struct task *t)
{
	struct directs *f = task_frame(t);

	for (; f->page_at < f->page.count; f->page_at++) {
		const struct match_chat *row = &f->page.rows[f->page_at];
		struct looking k = {.chat_id = row->chat_id};

		person_each(row->user_id, look_in, &k);
		if (!k.in) {
			match_status(t, row->user_id, &f->found, found_known);
			return;
		}
	}
	people_ask(t);
}

static void people_ask(struct task *t)
{
	struct directs *f = task_frame(t);
	size_t from = f->at, n = f->count - f->at < PAGE ? f->count - f->at : PAGE;

	if (n == 0) {
		task_return(t);
		return;
	}
	f->at += n;
	f->page_at = 0;
	match_chats_of(t, f->people + from, n, &f->page, found_next);
}

static int by_id(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return (a > b) - (a < b);
}

static void list_person(struct live *l, void *arg)
{
	struct directs *f = arg;

	f->people[f->count++] = live_user(l);
}

void catch_up_directs(struct task *t, task_fn *next)
{
	struct directs *f = task_call(t, sizeof(*f), next);
	size_t n = 0;

	f->people = arena_array(task_arena(t), int64_t, live_stats().sockets + 1);
	everyone_each(list_person, f);
	if (f->count)
		qsort(f->people, f->count, sizeof(*f->people), by_id);
	for (size_t i = 0; i < f->count; i++)
		if (i == 0 || f->people[i] != f->people[i - 1])
			f->people[n++] = f->people[i];
	f->count = n;
	people_ask(t);
}
