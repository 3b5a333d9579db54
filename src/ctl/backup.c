/* portalctl backup, restore. What is in a backup: store/backup.h; its file: ctl/archive.h.
 *
 *   backup:  file made -> backup_take -> taken -> file finished
 *   restore: file checked -> restore_look -> looked (again while a lease runs out; may it be?) ->
 *            restore_tables -> tables_back -> restore_messages -> messages_back */
#include <stdio.h>

#include "base/clock.h"
#include "ctl/archive.h"
#include "ctl/ctl.h"
#include "io/pg.h"
#include "store/room.h"

/* ---- backup ---- */
struct backup {
	struct archive archive;
	struct backup_sink sink;
	struct backup_taken taken;
};

static void drop(void *arg)
{
	file_drop(arg);
}

/* As archive_sink's, and tells how far it has come. */
static bool line(void *arg, struct str text)
{
	struct archive *w = arg;

	if (w->lines % 1000 == 0)
		ctl_progress("%lld lines", (long long)w->lines);
	return archive_sink(w).line(w, text);
}

static void taken(struct task *t)
{
	struct backup *f = task_frame(t);
	struct json_out *j = ctl_json();
	struct str why = task_err(t) == ERR_INTERNAL ? pg_script_error(t) : STR_NULL;
	int64_t bytes = 0;

	if (why.p) {
		ctl_fail(t, "PostgreSQL gives no copy: " STR_FMT, STR_ARG(why));
		return;
	}
	if (task_err(t) != OK && f->archive.file.error == 0) {
		task_fail_with(t, *task_fault(t));
		return;
	}
	if (!archive_finish(task_arena(t), &f->archive, &bytes, &why)) {
		ctl_fail(t, STR_FMT, STR_ARG(why));
		return;
	}
	json_obj(j);
	json_kstr(j, "file", f->archive.file.path);
	json_ki64(j, "bytes", bytes);
	json_ktime(j, "taken_at", f->archive.taken_at);
	json_ki64(j, "chats", f->taken.chats);
	json_ki64(j, "messages", f->taken.messages);
	json_end(j);
	ctl_done(t);
}

void ctl_backup(struct task *t)
{
	struct backup *f = task_frame_make(t, sizeof(*f));
	struct str why;

	task_deadline(t, 0);
	if (!archive_create(task_arena(t), &f->archive, ctl_str("FILE"), clock_us(), &why)) {
		ctl_fail(t, STR_FMT, STR_ARG(why));
		return;
	}
	arena_defer(task_arena(t), drop, &f->archive.file);
	f->sink = archive_sink(&f->archive);
	f->sink.line = line;
	task_catch(t);
	backup_take(t, &f->sink, &f->taken, taken);
}

/* ---- restore ---- */
#define CLOSING_MS 1000

struct restore {
	struct backup_parts parts;
	struct restore_ground ground;
	struct restore_ask ask;
	int64_t messages;
	int64_t began; /* clock_ms */
};

static void messages_back(struct task *t)
{
	const struct restore *f = task_frame(t);
	struct json_out *j = ctl_json();

	if (task_err(t) != OK) {
		ctl_say("PostgreSQL is restored, Redis is not: start no server, restore again");
		task_fail_with(t, *task_fault(t));
		return;
	}
	json_obj(j);
	json_ktime(j, "taken_at", f->parts.taken_at);
	json_ki64(j, "messages", f->messages);
	json_kbool(j, "sessions_kept", f->ask.keep_sessions);
	json_end(j);
	ctl_done(t);
}

static void progress(int64_t messages)
{
	ctl_progress("%lld messages", (long long)messages);
}

static void tables_back(struct task *t)
{
	struct restore *f = task_frame(t);

	task_catch(t);
	restore_messages(t, &f->parts, progress, &f->messages, messages_back);
}

static const char *what_goes(const struct restore_ground *g)
{
	return g->people && g->redis
		       ? "restore over the people in DATABASE_URL and all of Portal in REDIS_URL"
	       : g->people ? "restore over the people in DATABASE_URL"
			   : "restore over all of Portal in REDIS_URL";
}

static void look(struct task *t);

/* One that has just stopped leaves its connections for a moment, and its lease until it runs out.
 */
static bool going(const struct restore *f)
{
	int64_t waited = clock_ms() - f->began;

	return f->ground.served ? waited < CLOSING_MS
				: f->ground.leased && waited < LEASE_MS + CLOSING_MS;
}

static void looked(struct task *t)
{
	struct restore *f = task_frame(t);
	const struct restore_ground *g = &f->ground;

	if (going(f)) {
		ctl_progress("a portald was at work here a moment ago");
		task_sleep(t, 100, look);
		return;
	}
	if (g->served || g->leased) {
		ctl_fail(t, "a portald is at work on these stores; stop it first");
		return;
	}
	if (g->foreign) {
		ctl_fail(t, "the database holds tables that are not Portal's; name an empty one");
		return;
	}
	if ((g->people || g->redis) && !ctl_sure(what_goes(g))) {
		ctl_fail(t, "nothing was changed");
		return;
	}
	f->ask = (struct restore_ask){&f->parts, g->tables, ctl_has("--keep-sessions")};
	ctl_progress("the tables");
	restore_tables(t, &f->ask, tables_back);
}

static void look(struct task *t)
{
	struct restore *f = task_frame(t);

	restore_look(t, &f->ground, looked);
}

void ctl_restore(struct task *t)
{
	struct restore *f = task_frame_make(t, sizeof(*f));
	struct str why;

	task_deadline(t, 0);
	f->began = clock_ms();
	if (archive_read(task_arena(t), ctl_str("FILE"), &f->parts, &why))
		look(t);
	else
		ctl_fail(t, STR_FMT, STR_ARG(why));
}
