/* portalctl audit …: the log is read, proven, exported and pruned (store/audit.h). A mark names an
 * entry for good: "ID:HASH", kept somewhere else. */
#include "store/audit.h"

#include "ctl/ctl.h"
#include "ctl/file.h"
#include "store/user_admin.h"

#define CHUNK 1000

static bool mark_read(struct str text, struct audit_mark *m)
{
	struct str id = str_cut(&text, ':');

	return text.p && str_to_i64(id, &m->id) && m->id > 0 &&
	       hex_decode(text, m->hash, AUDIT_HASH_LEN);
}

static void write_mark(struct json_out *j, const char *key, const struct audit_mark *m)
{
	char text[24 + 2 * AUDIT_HASH_LEN];
	int n = snprintf(text, 24, "%lld:", (long long)m->id);

	json_key(j, key);
	if (m->id == 0) {
		json_null(j);
		return;
	}
	hex_encode(m->hash, AUDIT_HASH_LEN, text + n);
	json_str(j, str_make(text, (size_t)n + 2 * AUDIT_HASH_LEN));
}

/* ---- list: (actor known) -> (target known) -> listed ---- */
struct listing {
	struct audit_filter filter;
	struct audit_page page;
};

static void listed(struct task *t)
{
	const struct listing *f = task_frame(t);
	struct json_out *j = ctl_json();

	json_arr(j);
	for (size_t i = 0; i < f->page.count; i++) {
		const struct audit_entry *e = &f->page.rows[i];

		json_obj(j);
		json_ki64(j, "id", e->id);
		json_ktime(j, "created_at", e->created_at);
		json_kstr(j, "event", e->event_type);
		json_kstr(j, "actor", e->actor_name);
		json_kstr(j, "target", e->target_name);
		json_key(j, "chat");
		if (e->chat_id)
			json_i64(j, e->chat_id);
		else
			json_null(j);
		json_key(j, "data");
		json_raw(j, e->data);
		json_end(j);
	}
	json_end(j);
	if (f->page.total > (int64_t)f->page.count)
		ctl_say("%lld of %lld; --limit shows more", (long long)f->page.count,
			(long long)f->page.total);
	ctl_done(t);
}

static void target_known(struct task *t)
{
	struct listing *f = task_frame(t);

	audit_list(t, &f->filter, &f->page, listed);
}

static void actor_known(struct task *t)
{
	struct listing *f = task_frame(t);

	if (ctl_has("--target"))
		user_resolve(t, ctl_str("--target"), &f->filter.target_id, target_known);
	else
		target_known(t);
}

void ctl_audit_list(struct task *t)
{
	struct listing *f = task_frame_make(t, sizeof(*f));

	f->filter = (struct audit_filter){
		.event_type = ctl_str("--event"),
		.from = ctl_int("--from", 0),
		.to = ctl_int("--to", 0),
		.limit = ctl_int("--limit", 100),
	};
	if (ctl_has("--actor"))
		user_resolve(t, ctl_str("--actor"), &f->filter.actor_id, actor_known);
	else
		actor_known(t);
}

/* ---- verify ---- */
struct proof {
	struct audit_mark kept;
	struct audit_report report;
};

static void verified(struct task *t)
{
	const struct proof *f = task_frame(t);
	const struct audit_report *r = &f->report;
	struct json_out *j = ctl_json();

	json_obj(j);
	json_kbool(j, "whole", r->fault == AUDIT_WHOLE);
	json_ki64(j, "entries", r->looked);
	write_mark(j, "mark", &r->last);
	json_end(j);
	if (r->fault == AUDIT_WHOLE) {
		ctl_done(t);
		return;
	}
	ctl_print(buf_view(j->b), ctl_is_json());
	ctl_fail(t, "entry %lld of the audit log %s", (long long)r->fault_id,
		r->fault == AUDIT_ALTERED ? "was altered" : "is missing");
}

void ctl_audit_verify(struct task *t)
{
	struct proof *f = task_frame_make(t, sizeof(*f));

	task_deadline(t, 0);
	if (ctl_has("--mark") && !mark_read(ctl_str("--mark"), &f->kept))
		ctl_fail(t, "--mark must read ID:HASH, as audit verify and audit export print it");
	else
		audit_verify(t, ctl_has("--mark") ? &f->kept : NULL, &f->report, verified);
}

/* ---- export: a chunk after the other into a file ---- */
struct export
{
	struct new_file file;
	struct audit_chunk chunk;
	int64_t entries, before;
};

static void drop(void *arg)
{
	file_drop(arg);
}

static void exported(struct task *t)
{
	struct export *f = task_frame(t);
	struct json_out *j = ctl_json();
	struct str why;

	if (f->chunk.count > 0 && file_put(&f->file, f->chunk.lines)) {
		f->entries += (int64_t)f->chunk.count;
		ctl_progress("%lld entries", (long long)f->entries);
		audit_export(t, f->chunk.last.id, f->before, CHUNK, &f->chunk, exported);
		return;
	}
	if (!file_keep(task_arena(t), &f->file, &why)) {
		ctl_fail(t, STR_FMT, STR_ARG(why));
		return;
	}
	json_obj(j);
	json_kstr(j, "file", f->file.path);
	json_ki64(j, "entries", f->entries);
	write_mark(j, "mark", &f->chunk.last);
	json_end(j);
	ctl_done(t);
}

void ctl_audit_export(struct task *t)
{
	struct export *f = task_frame_make(t, sizeof(*f));
	struct str why;

	task_deadline(t, 0);
	f->before = ctl_int("--before", INT64_C(253402300799000000)); /* the year 9999 */
	if (!file_create(task_arena(t), &f->file, ctl_str("FILE"), &why)) {
		ctl_fail(t, STR_FMT, STR_ARG(why));
		return;
	}
	arena_defer(task_arena(t), drop, &f->file);
	audit_export(t, 0, f->before, CHUNK, &f->chunk, exported);
}

/* ---- prune ---- */
struct prune {
	struct audit_mark last;
	int64_t gone;
};

static void pruned(struct task *t)
{
	const struct prune *f = task_frame(t);

	if (task_err(t) == ERR_CONFLICT) {
		ctl_fail(t, "no entry of the audit log bears that mark");
		return;
	}
	if (task_err(t) != OK) {
		task_fail(t, task_err(t));
		return;
	}
	json_obj(ctl_json());
	json_ki64(ctl_json(), "pruned", f->gone);
	json_end(ctl_json());
	ctl_done(t);
}

void ctl_audit_prune(struct task *t)
{
	struct prune *f = task_frame_make(t, sizeof(*f));

	task_deadline(t, 0);
	if (!mark_read(ctl_str("MARK"), &f->last)) {
		ctl_fail(t, "MARK must read ID:HASH, as audit export prints it");
		return;
	}
	task_catch(t);
	audit_prune(t, &f->last, 0, &f->gone, pruned);
}
