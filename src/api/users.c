/* Other people, as everyone may see them (contract section 2). Each handler is one read and its
 * reply.
 *
 * To add an endpoint: its row in api/routes.c, its name in api/handlers.h, its steps here. */
#include "api/handlers.h"
#include "api/request.h"
#include "api/writers.h"

/* GET /v1/users/{id}, GET /v1/users/profile/{username}: begin -> profile_read */
static void profile_read(struct task *t)
{
	const struct profile *p = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	write_profile(j, p);
	json_end(j);
	reply_send(t);
}

void user_get(struct task *t)
{
	struct profile *p = task_frame_make(t, sizeof(*p));

	profile_by_id(t, in_i64(t, "id"), p, profile_read);
}

void user_profile(struct task *t)
{
	struct profile *p = task_frame_make(t, sizeof(*p));

	profile_by_name(t, in_str(t, "username"), p, profile_read);
}

/* GET /v1/users/search: begin -> users_found */
static void users_found(struct task *t)
{
	const struct profile_page *page = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "users");
	json_arr(j);
	for (size_t i = 0; i < page->count; i++)
		write_person(j, page->rows[i].id, page->rows[i].username, page->rows[i].avatar_url);
	json_end(j);
	json_ki64(j, "total", page->total);
	json_ki64(j, "offset", in_i64(t, "offset"));
	json_ki64(j, "limit", in_i64(t, "limit"));
	json_end(j);
	reply_send(t);
}

void user_search(struct task *t)
{
	struct profile_page *page = task_frame_make(t, sizeof(*page));

	profile_search(
		t, in_str(t, "q"), in_i64(t, "offset"), in_i64(t, "limit"), page, users_found);
}
