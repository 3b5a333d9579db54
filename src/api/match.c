/* The matcher as people use it (contract 5), and whom they do not want to meet. What it does:
 * store/match.h; who is put into the room of a direct chat: room_join.c.
 *
 *   match_enqueue_begin -> enqueued -> reply;  dequeue, leave -> changed -> match_status -> reply
 *
 * To add an endpoint: its row in api/routes.c, its name in api/handlers.h, its steps here. */
#include "store/match.h"

#include "api/handlers.h"
#include "api/request.h"
#include "api/writers.h"
#include "rules/interest.h"

/* ---- where the caller stands ---- */

static void reply_status(struct task *t)
{
	static const char *const states[] = {[MATCH_IDLE] = "idle",
		[MATCH_SEARCHING] = "searching",
		[MATCH_MATCHED] = "matched"};
	const struct match_status *s = task_frame(t);
	bool searching = s->state == MATCH_SEARCHING;
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_kstr(j, "state", str_of(states[s->state]));
	write_interests(j, s->interests);
	json_ktime(j, "queued_at", searching ? s->queued_at : 0);
	json_ktime(j, "expires_at", searching ? s->expires_at : 0);
	json_key(j, "chat");
	if (s->state == MATCH_MATCHED) {
		json_obj(j);
		write_direct(j, s);
		json_ktime(j, "expires_at", s->expires_at);
		json_end(j);
	} else {
		json_null(j);
	}
	json_end(j);
	reply_send(t);
}

static void status_ask(struct task *t)
{
	match_status(t, caller(t)->user_id, task_frame(t), reply_status);
}

/* GET /v1/portal/match/status */
void match_status_get(struct task *t)
{
	task_frame_make(t, sizeof(struct match_status));
	status_ask(t);
}

/* ---- searching ---- */

/* False: the task has failed. */
static bool interests_read(struct task *t, char text[INTERESTS_LEN], struct str *out)
{
	struct str tags[INTERESTS_MAX];
	size_t n = 0;

	if (in_has(t, "interest"))
		tags[n++] = in_str(t, "interest");
	else
		for (struct json_iter it = json_each(in_json(t, "interests")); json_next(&it);)
			tags[n++] = json_to_str(it.value);
	*out = interests_text(tags, n, text);
	if (out->p)
		return true;
	if (n == 0)
		fail_field(t, "interests", STR("interests is required"));
	else if (in_has(t, "interest"))
		fail_field(t, "interest",
			STR("interest must be \"any\" or 3 to 12 characters of a-z and 0-9"));
	else
		fail_field(t, "interests",
			STR("interests must be \"any\" or 3 to 12 characters of a-z and 0-9"));
	return false;
}

/* POST /v1/portal/match/enqueue, POST /v1/portal/match: begin -> reply_status */
void match_enqueue_begin(struct task *t)
{
	struct match_status *s = task_frame_make(t, sizeof(*s));
	char text[INTERESTS_LEN];
	struct str tags;

	if (interests_read(t, text, &tags))
		match_enqueue(t, caller(t)->user_id, tags, s, reply_status);
}

/* POST /v1/portal/match/dequeue: begin -> status_ask -> reply_status */
void match_dequeue_begin(struct task *t)
{
	task_frame_make(t, sizeof(struct match_status));
	match_dequeue(t, caller(t)->user_id, status_ask);
}

/* POST /v1/portal/match/leave: begin -> status_ask -> reply_status */
void match_leave_begin(struct task *t)
{
	task_frame_make(t, sizeof(struct match_status));
	match_leave(t, caller(t)->user_id, status_ask);
}

/* ---- blocks ---- */

static void block_changed(struct task *t)
{
	reply_ok(t);
}

static void block_change(struct task *t, bool on)
{
	int64_t other = in_i64(t, "id");

	if (other == caller(t)->user_id)
		fail_field(t, "id", STR("id must be another person's"));
	else
		block_set(t, caller(t)->user_id, other, on, block_changed);
}

/* POST /v1/users/{id}/block */
void user_block(struct task *t)
{
	block_change(t, true);
}

/* POST /v1/users/{id}/unblock */
void user_unblock(struct task *t)
{
	block_change(t, false);
}

/* GET /v1/users/me/blocks: begin -> blocks_known */
static void blocks_known(struct task *t)
{
	const struct profile_page *list = task_frame(t);
	struct json_out *j = reply_json(t);

	json_arr(j);
	for (size_t i = 0; i < list->count; i++)
		write_person(j, list->rows[i].id, list->rows[i].username, list->rows[i].avatar_url);
	json_end(j);
	reply_send(t);
}

void me_blocks(struct task *t)
{
	struct profile_page *list = task_frame_make(t, sizeof(*list));

	blocks_read(t, caller(t)->user_id, list, blocks_known);
}
