/* Notifications (contract section 7).
 *
 * To add an endpoint: its row in api/routes.c, its name in api/handlers.h, its steps here. */
#include "store/notification.h"
#include "api/handlers.h"
#include "api/request.h"

static void reply_unread(struct task *t, int64_t unread)
{
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_ki64(j, "unread", unread);
	json_end(j);
	reply_send(t);
}

/* GET /v1/notifications/unread-count
 *   begin (the gate has read the number along) or begin -> unread_counted -> unread_cached */
struct unread {
	int64_t count;
};

static void unread_cached(struct task *t)
{
	const struct unread *f = task_frame(t);

	reply_unread(t, f->count);
}

static void unread_counted(struct task *t)
{
	const struct unread *f = task_frame(t);

	task_catch(t); /* the number is known, whatever becomes of its copy */
	unread_cache(t, caller(t)->user_id, f->count, unread_cached);
}

void notifications_unread_count(struct task *t)
{
	struct unread *f;
	int64_t known;

	if (str_to_i64(gate_with(t), &known)) {
		reply_unread(t, known);
		return;
	}
	f = task_frame_make(t, sizeof(*f));
	unread_count(t, caller(t)->user_id, &f->count, unread_counted);
}
