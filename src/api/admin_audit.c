/* The audit log as operators read it (contract section 8). It is proven, exported and pruned by
 * portalctl. Keeps nothing.
 *
 * To add a filter: its field in api/routes.c, store/audit.h, and audit_begin here. */
#include "api/handlers.h"
#include "api/request.h"
#include "api/writers.h"
#include "store/audit.h"

static void write_entry(struct json_out *j, const struct audit_entry *e)
{
	json_obj(j);
	json_ki64(j, "id", e->id);
	json_kstr(j, "event_type", e->event_type);
	write_id(j, "actor_id", e->actor_id);
	json_kstr(j, "actor_name", e->actor_name);
	write_id(j, "target_id", e->target_id);
	json_kstr(j, "target_name", e->target_name);
	write_id(j, "chat_id", e->chat_id);
	json_key(j, "data");
	json_raw(j, e->data);
	json_ktime(j, "created_at", e->created_at);
	json_kstr(j, "hash", e->hash);
	json_end(j);
}

/* GET /v1/admin/audit: begin -> audit_read */
static void audit_read(struct task *t)
{
	const struct audit_page *page = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "items");
	json_arr(j);
	for (size_t i = 0; i < page->count; i++)
		write_entry(j, &page->rows[i]);
	json_end(j);
	json_ki64(j, "total", page->total);
	json_ki64(j, "offset", in_i64(t, "offset"));
	json_ki64(j, "limit", in_i64(t, "limit"));
	json_end(j);
	reply_send(t);
}

void admin_audit(struct task *t)
{
	struct audit_page *page = task_frame_make(t, sizeof(*page));
	struct audit_filter f = {
		.event_type = in_str(t, "event_type"),
		.actor_id = in_i64(t, "actor_id"),
		.target_id = in_i64(t, "target_id"),
		.from = in_time(t, "from"),
		.to = in_time(t, "to"),
		.offset = in_i64(t, "offset"),
		.limit = in_i64(t, "limit"),
	};

	audit_list(t, &f, page, audit_read);
}
