/* People of this process who were paired while the bus was away (contract 4.4, 5): their sockets
 * hear match:found and are put into the room, as they would have been.
 *
 *   catch_up_directs -> people_ask <-> people_known: PAGE of them at a time -> found_next ->
 *     found_known: told, put in -> found_next … -> task_return
 *
 * Who has a socket in the room was told. */
#include "api/socket.h"
#include "base/buf.h"
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

static void tell(struct live *l, void *arg)
{
	const struct match_status *s = arg;
	struct str tags = s->interests;
	struct buf b = {0};
	struct json_out j;

	json_out_init(&j, &b);
	json_obj(&j);
	json_key(&j, "chat");
	json_raw(&j, s->chat);
	json_key(&j, "peer");
	json_obj(&j);
	json_key(&j, "user");
	json_raw(&j, s->peer);
	json_end(&j);
	json_key(&j, "interests");
	json_arr(&j);
	while (tags.p && tags.n > 0)
		json_str(&j, str_cut(&tags, ' '));
	json_end(&j);
	json_end(&j);
	live_emit(l, "match:found", buf_view(&b));
	buf_free(&b);
	room_put(l, s->chat_id, STR_NULL);
}

static void found_known(struct task *t)
{
	struct directs *f = task_frame(t);

	if (f->found.state == MATCH_MATCHED)
		person_each(f->page.rows[f->page_at].user_id, tell, &f->found);
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
