/* Notifications and announcements (contract sections 7 and 8).
 *
 * To add an endpoint: its row in api/routes.c, its name in api/handlers.h, its steps here. */
#include "api/handlers.h"
#include "api/request.h"
#include "base/clock.h"
#include "store/announcement.h"

static void reply_number(struct task *t, const char *name, int64_t number)
{
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_ki64(j, name, number);
	json_end(j);
	reply_send(t);
}

static void write_page(const struct task *t, struct json_out *j)
{
	json_ki64(j, "offset", in_i64(t, "offset"));
	json_ki64(j, "limit", in_i64(t, "limit"));
}

/* ---- a person's ---- */

/* GET /v1/notifications: begin -> list_read */
static void list_read(struct task *t)
{
	const struct notification_list *list = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "notifications");
	json_arr(j);
	for (size_t i = 0; i < list->count; i++) {
		json_obj(j);
		notification_members(j, &list->rows[i]);
		json_end(j);
	}
	json_end(j);
	json_ki64(j, "total", list->total);
	json_ki64(j, "unread", list->unread);
	write_page(t, j);
	json_end(j);
	reply_send(t);
}

void notifications_list(struct task *t)
{
	struct notification_list *list = task_frame_make(t, sizeof(*list));

	notifications_of(
		t, caller(t)->user_id, in_i64(t, "offset"), in_i64(t, "limit"), list, list_read);
}

/* GET /v1/notifications/unread-count
 *   begin (the gate has read the number along) or begin -> unread_counted -> unread_cached */
struct unread {
	int64_t count;
	struct str generation;
};

static void unread_cached(struct task *t)
{
	const struct unread *f = task_frame(t);

	reply_number(t, "unread", f->count);
}

static void unread_counted(struct task *t)
{
	const struct unread *f = task_frame(t);

	task_catch(t); /* the number is known, whatever becomes of its copy */
	unread_cache(t, caller(t)->user_id, f->count, f->generation, unread_cached);
}

void notifications_unread_count(struct task *t)
{
	struct str generation, kept = gate_with(t, &generation);
	struct unread *f;
	int64_t known;

	if (str_to_i64(kept, &known)) {
		reply_number(t, "unread", known);
		return;
	}
	f = task_frame_make(t, sizeof(*f));
	f->generation = generation;
	unread_count(t, caller(t)->user_id, &f->count, unread_counted);
}

/* POST /v1/notifications/{id}/read: begin -> item_read */
static void item_read(struct task *t)
{
	const struct notification *n = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	notification_members(j, n);
	json_end(j);
	reply_send(t);
}

void notifications_read_one(struct task *t)
{
	struct notification *n = task_frame_make(t, sizeof(*n));

	notification_read(t, caller(t)->user_id, in_i64(t, "id"), n, item_read);
}

/* POST /v1/notifications/read-all: begin -> all_read */
static void all_read(struct task *t)
{
	const int64_t *read = task_frame(t);

	reply_number(t, "read", *read);
}

void notifications_read_each(struct task *t)
{
	int64_t *read = task_frame_make(t, sizeof(*read));

	notifications_read_all(t, caller(t)->user_id, read, all_read);
}

/* POST /v1/admin/notifications: begin -> sent */
struct sending {
	struct notification_new n;
	int64_t people;
};

static void sent(struct task *t)
{
	const struct sending *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_kstr(j, "message", STR("Notification sent"));
	json_key(j, "people");
	if (f->n.users)
		json_i64(j, f->people);
	else
		json_null(j);
	json_end(j);
	reply_send(t);
}

static struct str type_of(const struct task *t)
{
	return in_has(t, "type") ? in_str(t, "type") : STR("info");
}

void admin_notifications_send(struct task *t)
{
	struct sending *f = task_frame_make(t, sizeof(*f));
	struct notification_new *n = &f->n;
	const struct json *people = in_json(t, "user_ids");

	*n = (struct notification_new){.by = caller_admin(t),
		.title = in_str(t, "title"),
		.body = in_str(t, "body"),
		.type = type_of(t)};
	if (json_type(people) == JSON_ARRAY) {
		int64_t *ids = arena_array(task_arena(t), int64_t, json_len(people));

		for (struct json_iter it = json_each(people); json_next(&it);)
			ids[n->count++] = json_to_i64(it.value);
		n->users = ids;
	}
	notification_add(t, n, &f->people, sent);
}

/* ---- announcements ---- */

/* GET /v1/announcements: begin -> announcements_read */
static void announcements_read(struct task *t)
{
	const struct announcement_list *list = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "announcements");
	json_arr(j);
	for (size_t i = 0; i < list->count; i++)
		announcement_write(j, &list->rows[i]);
	json_end(j);
	json_ki64(j, "total", list->total);
	write_page(t, j);
	json_end(j);
	reply_send(t);
}

void announcements_list(struct task *t)
{
	struct announcement_list *list = task_frame_make(t, sizeof(*list));

	announcements_live(t, in_i64(t, "offset"), in_i64(t, "limit"), list, announcements_read);
}

/* POST /v1/admin/announcements: begin -> announced */
static void announced(struct task *t)
{
	const struct announcement *a = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_kstr(j, "message", STR("Announcement made"));
	json_key(j, "announcement");
	announcement_write(j, a);
	json_end(j);
	reply_send(t);
}

void admin_announcements_create(struct task *t)
{
	struct announcement *a = task_frame_make(t, sizeof(*a));

	a->item = (struct notification){.created_by = caller(t)->user_id,
		.title = in_str(t, "title"),
		.body = in_str(t, "body"),
		.type = type_of(t)};
	a->expires_at = in_time(t, "expires_at");
	if (in_has(t, "expires_at") && a->expires_at <= clock_us())
		fail_field(t, "expires_at", STR("expires_at must be in the future"));
	else
		announcement_create(t, a, caller(t)->level, announced);
}

/* POST /v1/admin/announcements/{id}/delete: begin -> withdrawn */
static void withdrawn(struct task *t)
{
	if (task_err(t) == ERR_NOT_FOUND)
		task_fail_with(t, (struct fault){.err = ERR_NOT_FOUND,
					  .sentence = STR("Announcement not found")});
	else if (task_err(t))
		task_fail_with(t, *task_fault(t));
	else
		reply_message(t, "Announcement deleted");
}

void admin_announcements_delete(struct task *t)
{
	task_catch(t);
	announcement_delete(t, caller_admin(t), in_i64(t, "id"), withdrawn);
}
