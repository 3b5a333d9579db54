/* portalctl notification send, announcement create, list, delete: what the platform says to people.
 */
#include "base/clock.h"
#include "ctl/ctl.h"
#include "store/announcement.h"
#include "store/notification.h"
#include "store/user_admin.h"

#define TITLE_MAX  100
#define BODY_MAX   1000
#define PEOPLE_MAX 1000

static bool words_ok(struct task *t)
{
	return ctl_length_ok(t, "--title", 1, TITLE_MAX) && ctl_length_ok(t, "--body", 0, BODY_MAX);
}

static struct str type_given(void)
{
	return ctl_has("--type") ? ctl_str("--type") : STR("info");
}

/* ---- notification send: (a name after the other is resolved) -> sent ---- */
struct sending {
	struct notification_new n;
	struct str rest; /* names to come */
	int64_t *ids, people;
};

static void sent(struct task *t)
{
	const struct sending *f = task_frame(t);
	struct json_out *j = ctl_json();

	json_obj(j);
	json_key(j, "to");
	if (f->n.users)
		json_i64(j, f->people);
	else
		json_z(j, "all");
	json_kstr(j, "title", f->n.title);
	json_end(j);
	ctl_done(t);
}

static void resolve_next(struct task *t)
{
	struct sending *f = task_frame(t);

	if (!f->rest.p)
		notification_add(t, &f->n, &f->people, sent);
	else if (f->n.count == PEOPLE_MAX)
		ctl_fail(t, "--to takes %d people at most, or all", PEOPLE_MAX);
	else
		user_resolve(
			t, str_trim(str_cut(&f->rest, ',')), &f->ids[f->n.count++], resolve_next);
}

void ctl_notification_send(struct task *t)
{
	struct sending *f = task_frame_make(t, sizeof(*f));

	f->n = (struct notification_new){
		.title = ctl_str("--title"), .body = ctl_str("--body"), .type = type_given()};
	if (!words_ok(t))
		return;
	if (!str_eq(ctl_str("--to"), STR("all"))) {
		f->rest = ctl_str("--to");
		f->ids = arena_array(task_arena(t), int64_t, PEOPLE_MAX);
		f->n.users = f->ids;
	}
	resolve_next(t);
}

/* ---- announcement create ---- */
static void write_announcement(struct json_out *j, const struct announcement *a)
{
	json_obj(j);
	json_ki64(j, "id", a->item.id);
	json_kstr(j, "type", a->item.type);
	json_kstr(j, "title", a->item.title);
	json_kstr(j, "body", a->item.body);
	json_ktime(j, "expires_at", a->expires_at);
	json_ktime(j, "created_at", a->item.created_at);
	json_end(j);
}

static void announced(struct task *t)
{
	write_announcement(ctl_json(), task_frame(t));
	ctl_done(t);
}

void ctl_announcement_create(struct task *t)
{
	struct announcement *a = task_frame_make(t, sizeof(*a));

	a->item.title = ctl_str("--title");
	a->item.body = ctl_str("--body");
	a->item.type = type_given();
	if (ctl_int("--for", 0) > 0)
		a->expires_at = clock_us() + ctl_int("--for", 0) * 1000000;
	if (words_ok(t))
		announcement_create(t, a, 0, announced);
}

/* ---- announcement list ---- */
static void listed(struct task *t)
{
	const struct announcement_list *f = task_frame(t);

	json_arr(ctl_json());
	for (size_t i = 0; i < f->count; i++)
		write_announcement(ctl_json(), &f->rows[i]);
	json_end(ctl_json());
	ctl_done(t);
}

void ctl_announcement_list(struct task *t)
{
	struct announcement_list *f = task_frame_make(t, sizeof(*f));

	announcements_live(t, 0, ctl_int("--limit", 100), f, listed);
}

/* ---- announcement delete ---- */
static void deleted(struct task *t)
{
	json_obj(ctl_json());
	json_ki64(ctl_json(), "deleted", ctl_int("ANNOUNCEMENT", 0));
	json_end(ctl_json());
	ctl_done(t);
}

void ctl_announcement_delete(struct task *t)
{
	announcement_delete(t, (struct person){0}, ctl_int("ANNOUNCEMENT", 0), deleted);
}
