/* The audit log through store/audit.h: pages of proof, kept marks, export and pruning. (What
 * tampering looks like, entry by entry: test/server/audit.test.js.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "stores.h"
#include "store/audit.h"

#define ENTRIES 2500 /* three pages */

struct verify_job {
	struct job job;
	const struct audit_mark *kept;
	struct audit_report out;
};

static void verify_begin(struct task *t)
{
	struct verify_job *j = task_subject(t);

	audit_verify(t, j->kept, &j->out, job_done);
}

static struct audit_report verify(const struct audit_mark *kept)
{
	struct verify_job j = {.job.begin = verify_begin, .kept = kept};

	assert_int_equal(job_run(&j.job), OK);
	return j.out;
}

struct export_job {
	struct job job;
	int64_t after, before, limit;
	struct audit_chunk out;
	size_t lines;
	int64_t first; /* the id of the first line */
};

static void exported(struct task *t)
{
	struct export_job *j = task_subject(t);
	struct str rest = j->out.lines;

	while (rest.n > 0) {
		const struct json *line = json_parse(task_arena(t), str_cut(&rest, '\n'));

		assert_non_null(line);
		assert_int_equal(json_to_str(json_get(line, "hash")).n, 2 * AUDIT_HASH_LEN);
		if (j->lines++ == 0)
			j->first = json_to_i64(json_get(line, "id"));
	}
	task_end(t);
}

static void export_begin(struct task *t)
{
	struct export_job *j = task_subject(t);

	audit_export(t, j->after, j->before, j->limit, &j->out, exported);
}

static struct export_job export_now(int64_t after, int64_t before, int64_t limit)
{
	struct export_job j = {
		.job.begin = export_begin, .after = after, .before = before, .limit = limit};

	assert_int_equal(job_run(&j.job), OK);
	assert_int_equal(j.lines, j.out.count);
	return j;
}

struct prune_job {
	struct job job;
	struct audit_mark mark;
	int64_t gone;
};

static void prune_begin(struct task *t)
{
	struct prune_job *j = task_subject(t);

	audit_prune(t, &j->mark, 0, &j->gone, job_done);
}

struct list_job {
	struct job job;
	struct audit_filter filter;
	struct audit_page out;
	int64_t newest;
};

static void listed(struct task *t)
{
	struct list_job *j = task_subject(t);

	j->newest = j->out.count ? j->out.rows[0].id : 0;
	task_end(t);
}

static void list_begin(struct task *t)
{
	struct list_job *j = task_subject(t);

	audit_list(t, &j->filter, &j->out, listed);
}

static struct list_job list(struct audit_filter f)
{
	struct list_job j = {.job.begin = list_begin, .filter = f};

	if (j.filter.limit == 0)
		j.filter.limit = 50;
	assert_int_equal(job_run(&j.job), OK);
	return j;
}

static int64_t now_us(void)
{
	return clock_us() + 60 * INT64_C(1000000);
}

/* ---- tests; each stands on what the one before left ---- */

static void an_empty_log_is_whole(void **state)
{
	struct audit_report r = verify(NULL);

	(void)state;
	assert_int_equal(r.fault, AUDIT_WHOLE);
	assert_int_equal(r.looked, 0);
	assert_int_equal(r.last.id, 0);
	assert_int_equal(export_now(0, now_us(), 10).out.count, 0);
	assert_int_equal(list((struct audit_filter){0}).out.total, 0);
}

static void a_long_log_is_proven_in_pages(void **state)
{
	struct audit_report r;

	(void)state;
	sql_do("DO $$BEGIN FOR i IN 1..%d LOOP PERFORM audit_write(CASE WHEN i %% 2 = 0 THEN "
	       "'test.even' ELSE 'test.odd' END, i %% 10, i, NULL, NULL); END LOOP; END$$",
		ENTRIES);
	r = verify(NULL);
	assert_int_equal(r.fault, AUDIT_WHOLE);
	assert_int_equal(r.looked, ENTRIES);
	assert_int_equal(r.last.id, ENTRIES);
}

static void filters(void **state)
{
	struct list_job j = list((struct audit_filter){.event_type = STR("test.even")});

	(void)state;
	assert_int_equal(j.out.total, ENTRIES / 2);
	assert_int_equal(j.out.count, 50);
	assert_int_equal(j.newest, ENTRIES);
	assert_int_equal(list((struct audit_filter){0}).out.total, ENTRIES);
	assert_int_equal(list((struct audit_filter){.actor_id = 7}).out.total, ENTRIES / 10);
	j = list((struct audit_filter){
		.actor_id = 7, .target_id = 17, .event_type = STR("test.odd")});
	assert_int_equal(j.out.total, 1);
	assert_int_equal(j.newest, 17);
	assert_int_equal(list((struct audit_filter){.from = now_us()}).out.total, 0);
	assert_int_equal(list((struct audit_filter){.to = now_us()}).out.total, ENTRIES);
	j = list((struct audit_filter){.offset = ENTRIES, .limit = 10});
	assert_int_equal(j.out.count, 0);
	assert_int_equal(j.out.total, ENTRIES);
}

static void a_kept_mark_tells_what_the_log_itself_does_not(void **state)
{
	struct audit_mark kept = verify(NULL).last, ahead = kept, other = kept;
	struct audit_report r = verify(&kept);

	(void)state;
	assert_int_equal(r.fault, AUDIT_WHOLE);
	ahead.id++; /* the log was put back to an earlier state, with all that belongs to it */
	r = verify(&ahead);
	assert_int_equal(r.fault, AUDIT_MISSING);
	assert_int_equal(r.fault_id, ENTRIES + 1);
	other.hash[0] ^= 1; /* the chain was made anew, with all that belongs to it */
	r = verify(&other);
	assert_int_equal(r.fault, AUDIT_ALTERED);
	assert_int_equal(r.fault_id, ENTRIES);
	sql_do("SET session_replication_role = 'replica'; UPDATE audit_log SET actor_id = 99 WHERE "
	       "id = 1500; SET session_replication_role = 'origin'");
	r = verify(&other);
	assert_int_equal(r.fault, AUDIT_ALTERED);
	assert_int_equal(r.fault_id, 1500); /* the earlier one */
	assert_int_equal(r.last.id, 1499);
	sql_do("SET session_replication_role = 'replica'; UPDATE audit_log SET actor_id = 0 WHERE "
	       "id = 1500; SET session_replication_role = 'origin'");
	assert_int_equal(verify(NULL).fault, AUDIT_WHOLE);
}

static void exports_go_on_where_they_were(void **state)
{
	struct export_job j = {0};
	int64_t at = 0, seen = 0;

	(void)state;
	do {
		j = export_now(at, now_us(), 999);
		if (j.out.count > 0)
			assert_int_equal(j.first, at + 1);
		seen += (int64_t)j.out.count;
		at = j.out.last.id;
	} while (j.out.count > 0);
	assert_int_equal(seen, ENTRIES);
	assert_int_equal(at, ENTRIES);
	assert_int_equal(export_now(0, clock_us() - 3600 * INT64_C(1000000), 10).out.count, 0);
}

static void what_was_exported_goes(void **state)
{
	struct export_job j = export_now(0, now_us(), 2200);
	struct prune_job p = {.job.begin = prune_begin, .mark = j.out.last};
	struct audit_mark pruned = j.out.last, earlier = {.id = 5};
	struct audit_report r;

	(void)state;
	p.mark.hash[3] ^= 1;
	assert_int_equal(job_run(&p.job), ERR_CONFLICT);
	assert_int_equal(verify(NULL).looked, ENTRIES);
	p.mark = pruned;
	assert_int_equal(job_run(&p.job), OK);
	assert_int_equal(p.gone, 2200);
	r = verify(&pruned);
	assert_int_equal(r.fault, AUDIT_WHOLE);
	assert_int_equal(r.looked, ENTRIES - 2200 + 1);
	assert_int_equal(r.last.id, ENTRIES + 1);
	assert_int_equal(verify(&earlier).fault, AUDIT_WHOLE); /* proves nothing more */
	pruned.hash[0] ^= 1;
	assert_int_equal(verify(&pruned).fault, AUDIT_ALTERED);
	assert_int_equal(export_now(0, now_us(), 10).first, 2201);
	assert_int_equal(list((struct audit_filter){0}).out.total, ENTRIES - 2200 + 1);
	assert_int_equal(job_run(&p.job), OK); /* again: there is nothing left to go */
	assert_int_equal(p.gone, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_log_is_whole),
		cmocka_unit_test(a_long_log_is_proven_in_pages),
		cmocka_unit_test(filters),
		cmocka_unit_test(a_kept_mark_tells_what_the_log_itself_does_not),
		cmocka_unit_test(exports_go_on_where_they_were),
		cmocka_unit_test(what_was_exported_goes),
	};

	return cmocka_run_group_tests(tests, stores_begin, stores_end);
}
