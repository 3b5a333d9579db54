/* Bots: browsing for everyone, and what a bot does with its key (contract section 6).
 *
 * To add an endpoint: its row in api/routes.c, its name in api/handlers.h, its steps here. */
#include "api/handlers.h"
#include "api/request.h"
#include "api/writers.h"
#include "store/session.h"

/* ---- browsing ---- */

static int64_t viewer(const struct task *t)
{
	return caller(t)->who == WHO_SESSION ? caller(t)->user_id : 0;
}

static void write_bots(struct json_out *j, const struct bot_page *page)
{
	json_arr(j);
	for (size_t i = 0; i < page->count; i++)
		write_bot(j, &page->rows[i], page->details ? BOT_DETAILS : BOT_PUBLIC);
	json_end(j);
}

/* GET /v1/bots: begin -> bots_listed */
static void bots_listed(struct task *t)
{
	write_bots(reply_json(t), task_frame(t));
	reply_send(t);
}

void bots_list(struct task *t)
{
	struct bot_page *page = task_frame_make(t, sizeof(*page));
	struct bot_filter filter = {
		.viewer = viewer(t),
		.offset = in_i64(t, "offset"),
		.limit = in_i64(t, "limit"),
	};

	bots_browse(t, &filter, page, bots_listed);
}

/* GET /v1/bots/search: begin -> bots_found */
static void bots_found(struct task *t)
{
	const struct bot_page *page = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "bots");
	write_bots(j, page);
	json_ki64(j, "total", page->total);
	json_ki64(j, "limit", in_i64(t, "limit"));
	json_ki64(j, "offset", in_i64(t, "offset"));
	json_end(j);
	reply_send(t);
}

void bots_search(struct task *t)
{
	struct bot_page *page = task_frame_make(t, sizeof(*page));
	struct bot_filter filter = {
		.q = in_str(t, "q"),
		.owner = in_i64(t, "owner"),
		.type = bot_type_of(in_str(t, "bot_type")),
		.viewer = viewer(t),
		.offset = in_i64(t, "offset"),
		.limit = in_i64(t, "limit"),
	};

	bots_browse(t, &filter, page, bots_found);
}

/* GET /v1/bots/{id}: begin -> bot_read */
static void bot_read(struct task *t)
{
	const struct bot_page *page = task_frame(t);

	write_bot(reply_json(t), &page->rows[0], page->details ? BOT_DETAILS : BOT_PUBLIC);
	reply_send(t);
}

void bot_get(struct task *t)
{
	struct bot_page *page = task_frame_make(t, sizeof(*page));

	bot_for(t, in_i64(t, "id"), viewer(t), page, bot_read);
}

/* ---- with a bot key ---- */

/* GET /v1/bot/me: begin -> bot_me_read */
static void bot_me_read(struct task *t)
{
	write_bot(reply_json(t), task_frame(t), BOT_FULL);
	reply_send(t);
}

void bot_me(struct task *t)
{
	struct bot *b = task_frame_make(t, sizeof(*b));

	bot_by_id(t, caller(t)->bot_id, b, bot_me_read);
}

/* Counts against rate_limit_per_hour. */
#define HOUR_S 3600

static void hour_count(struct task *t, struct rate *out, task_fn *next)
{
	struct limit l = {
		.key = arena_printf(task_arena(t), "%lld", (long long)caller(t)->bot_id),
		.tier = "bot_hour",
		.max = caller(t)->bot_hourly,
	};

	rate_hit(t, &l, HOUR_S, out, next);
}

/* True: the hour is used up, and the task has failed. */
static bool hour_over(struct task *t, const struct rate *r)
{
	if (r->over)
		task_fail_with(t, (struct fault){.err = ERR_RATE_LIMITED, .retry_after = r->reset});
	return r->over;
}

/* POST /v1/bot/me/update: begin -> bot_update_counted -> bot_told */
struct bot_me_update {
	struct rate rate;
	struct bot_report report;
};

static void bot_told(struct task *t)
{
	const struct bot_me_update *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "message");
	json_z(j, "Bot updated successfully");
	json_ktime(j, "created_at", f->report.created_at);
	json_ktime(j, "updated_at", f->report.updated_at);
	json_end(j);
	reply_send(t);
}

static void bot_update_counted(struct task *t)
{
	struct bot_me_update *f = task_frame(t);

	if (!hour_over(t, &f->rate))
		bot_tell(t, caller(t)->bot_id, &f->report, bot_told);
}

#define GROUP_ID_MAX 64

static bool group_id_ok(struct str id)
{
	if (id.n == 0 || utf8_length(id) > GROUP_ID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if ((unsigned char)id.p[i] < ' ')
			return false;
	return true;
}

static bool read_groups(struct task *t, struct bot_report *r)
{
	const struct json *list = in_json(t, "group_ids");
	struct str *ids;

	if (!list)
		return true;
	ids = arena_array(task_arena(t), struct str, json_len(list) + 1);
	for (struct json_iter it = json_each(list); json_next(&it);) {
		ids[r->group_count] = json_to_str(it.value);
		if (!group_id_ok(ids[r->group_count++])) {
			fail_field(t, "group_ids",
				STR("group_ids must be of 1 to 64 characters each"));
			return false;
		}
	}
	r->group_ids = ids;
	return true;
}

void bot_me_update(struct task *t)
{
	struct bot_me_update *f = task_frame_make(t, sizeof(*f));

	f->report.name = in_str(t, "name");
	f->report.avatar_url = in_str(t, "avatar_url");
	f->report.users = in_has(t, "users") ? in_i64(t, "users") : -1;
	f->report.latency_ms = in_has(t, "latency_ms") ? in_i64(t, "latency_ms") : -1;
	if (read_groups(t, &f->report))
		hour_count(t, &f->rate, bot_update_counted);
}

/* GET /v1/bot/users/{platform_user_id}: begin -> bot_user_counted -> bot_user_read */
struct bot_user {
	struct rate rate;
	struct identity_owner owner;
};

static void bot_user_read(struct task *t)
{
	const struct bot_user *f = task_frame(t);
	struct profile p = {
		.id = f->owner.user_id,
		.username = f->owner.username,
		.avatar_url = f->owner.avatar_url,
		.subscription_level = f->owner.subscription_level,
	};
	struct json_out *j = reply_json(t);

	json_obj(j);
	write_profile(j, &p);
	json_kstr(j, "state", f->owner.state);
	json_end(j);
	reply_send(t);
}

static void bot_user_counted(struct task *t)
{
	struct bot_user *f = task_frame(t);

	if (!hour_over(t, &f->rate))
		user_by_identity(t, caller(t)->bot_platform, in_str(t, "platform_user_id"),
			&f->owner, bot_user_read);
}

void bot_user(struct task *t)
{
	struct bot_user *f = task_frame_make(t, sizeof(*f));

	hour_count(t, &f->rate, bot_user_counted);
}
