/* portalctl migrate: applies what is missing, file by file, and tells.
 *
 *   ctl_migrate -> looked -> applied_one (again until nothing is missing) */
#include "ctl/ctl.h"
#include "gen/schema.h"
#include "store/migration.h"

struct migrate {
	struct migration_state state;
	const char *name;
	int64_t count;
};

static void applied_one(struct task *t)
{
	struct migrate *f = task_frame(t);
	struct json_out *j = ctl_json();

	if (f->name) {
		f->count++;
		ctl_say("applied %s", f->name);
		migration_apply(t, &f->name, applied_one);
		return;
	}
	json_obj(j);
	json_ki64(j, "applied", f->count);
	json_ki64(j, "version", (int64_t)schema_migration_count);
	json_end(j);
	ctl_done(t);
}

static void looked(struct task *t)
{
	struct migrate *f = task_frame(t);

	if (f->state.unknown > 0)
		ctl_fail(t,
			"the database is newer than this program: it has %lld migrations that "
			"portalctl does not know; use the newer portalctl",
			(long long)f->state.unknown);
	else
		migration_apply(t, &f->name, applied_one);
}

void ctl_migrate(struct task *t)
{
	struct migrate *f = task_frame_make(t, sizeof(*f));

	migration_look(t, &f->state, looked);
}
