/* Every SQL statement of the program against a database with many rows: each is run as the server
 * runs it (prepared, often enough for a generic plan), and PostgreSQL tells the plan of it and of
 * every query inside functions, triggers and references (auto_explain). No plan may read a table
 * that grows from end to end, and no node of one may handle more than MANY rows, but for those in
 * `linear`.
 *
 * To add a statement: a sample of its arguments in `samples`; several, when its plan depends on
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <math.h>

#include "base/arena.h"
#include "io/pg.h"
#include "store/migration.h"

#include <libpq-fe.h>

#define MANY 2000 /* rows; a table has 4,000 and more */
/* The first fills PostgreSQL's caches; it thinks of a generic plan from the sixth on, and in the
 * last it has to take one. */
#define ROUNDS 7

/* ---- the rows ---- */

/* People 1 to 20,000, the first three of the levels 3, 2, 1; chat n is owned by person 100 + n,
 * public when n is odd, private when it is even; 2 is private and has a thousand members. */
static const char rows[] =
	"INSERT INTO users (username, permission_level, subscription_level, "
	"subscription_expires_at)"
	"  SELECT left(md5(i::text), 8) || '_' || i, greatest(4 - i, 0), CASE WHEN i % 20 = 0 THEN "
	"2 ELSE 0 END,"
	"   CASE WHEN i % 20 = 0 THEN now() + make_interval(hours => i % 4000 - 1000) END"
	"  FROM generate_series(1, 20000) i;"
	"UPDATE users SET restriction = 'timeout', restricted_until = now() + interval '1 day' "
	"WHERE id % 500 = 7;"
	"INSERT INTO identities (platform, platform_user_id, user_id)"
	"  SELECT p, 'id' || i, i FROM generate_series(1, 20000) i, (VALUES ('discord'), "
	"('telegram')) v (p);"
	"INSERT INTO sessions (token_hash, user_id, token_suffix, client_ip, expires_at, ended_at, "
	"end_reason)"
	"  SELECT sha256((n || ' ' || i)::bytea), i, right(i::text, 4), '127.0.0.1', now() + "
	"interval '7 days',"
	"   CASE WHEN n = 'ended' THEN now() - make_interval(secs => i) END, nullif(n, 'live')"
	"  FROM generate_series(1, 20000) i, (VALUES ('live'), ('ended')) v (n);"
	"INSERT INTO bots (name, owner_id, platform, bot_type, key_hash)"
	"  SELECT left(md5(i::text), 6) || ' bot ' || i, 5000 + i / 4, 'discord', 1 + i % 3, "
	"sha256(('bot ' || i)::bytea)"
	"  FROM generate_series(1, 8000) i;"
	"INSERT INTO chats (name, slug, visibility, owner_id, history_visible)"
	"  SELECT left(md5(i::text), 6) || ' chat ' || i, CASE WHEN i % 2 = 1 THEN 's-' || i END,"
	"   CASE WHEN i % 2 = 1 THEN 'public' ELSE 'private' END, 100 + i, i % 4 > 1"
	"  FROM generate_series(1, 8000) i;"
	"INSERT INTO chat_members (chat_id, user_id)"
	"  SELECT 1 + i % 8000, i FROM generate_series(1, 20000) i"
	"  UNION SELECT 2, i FROM generate_series(10001, 11000) i UNION SELECT i, 100 + i FROM "
	"generate_series(1, 8000) i;"
	"INSERT INTO chat_activity (chat_id, user_id, action) SELECT 1 + i % 8000, i, 'join' FROM "
	"generate_series(1, 20000) i;"
	"INSERT INTO chat_bans (chat_id, user_id) SELECT 1 + i % 8000, i + 1 FROM "
	"generate_series(1, 9000) i;"
	"INSERT INTO chat_bans (chat_id, platform, platform_user_id)"
	"  SELECT 1 + i % 8000, 'discord', 'gone' || i FROM generate_series(1, 9000) i;"
	"INSERT INTO chat_mutes (chat_id, user_id) SELECT 1 + i % 8000, i + 1 FROM "
	"generate_series(1, 9000) i;"
	"INSERT INTO hard_mutes (user_id) SELECT i FROM generate_series(10000, 19000) i;"
	"INSERT INTO invites (code, chat_id, created_by) SELECT 'code' || i, i, 100 + i FROM "
	"generate_series(2, 8000, 2) i;"
	"INSERT INTO room_changes (chat_id, user_id, reason) SELECT i, 100 + i, 'leave' FROM "
	"generate_series(2, 8000, 2) i;"
	"INSERT INTO user_blocks (blocker_id, blocked_id) SELECT i, i % 20000 + 1 FROM "
	"generate_series(1, 20000) i;"
	"INSERT INTO moderation_actions (user_id, actor_id, action_type, reason)"
	"  SELECT i, 3, 'PLATFORM_WARNING', 'so' FROM generate_series(1, 20000) i;"
	"INSERT INTO subscription_history (user_id, old_level, new_level) SELECT i, 0, 1 FROM "
	"generate_series(1, 20000) i;"
	"INSERT INTO permission_history (user_id, old_level, new_level) SELECT i, 0, 1 FROM "
	"generate_series(1, 20000) i;"
	"INSERT INTO notifications (user_id, title, body, read_at)"
	"  SELECT i, 'title', 'body', r FROM generate_series(1, 20000) i, (VALUES (now()), (NULL)) "
	"v (r) ORDER BY i, r;"
	"INSERT INTO notifications (nr, title, body, created_at)"
	"  SELECT i, 'title', 'body', now() + make_interval(secs => i) FROM generate_series(1, "
	"9000) i;"
	"INSERT INTO notification_marks (user_id, up_to, beyond) SELECT i, 50, 1 FROM "
	"generate_series(10000, 19000) i;"
	"INSERT INTO notification_reads (user_id, nr) SELECT i, 60 FROM generate_series(10000, "
	"19000) i;"
	"INSERT INTO announcements (title, body, type, expires_at)"
	"  SELECT 'title', 'body', 'info', now() + make_interval(hours => 20 - i) FROM "
	"generate_series(1, 9000) i;"
	"INSERT INTO audit_log SELECT i, CASE WHEN i % 100 = 0 THEN 'platform.ban' ELSE "
	"'chat.kick' END, 1 + i % 9000,"
	"  9000 + i % 9000, 1, '{}', now() - make_interval(mins => 20000 - i), sha256((i - "
	"1)::text::bytea), sha256(i::text::bytea)"
	"  FROM generate_series(1, 20000) i;"
	"UPDATE audit_head SET id = 20000, hash = sha256('20000');";

/* Tables that do not grow, however many people come. */
static const struct bounded {
	const char *table, *why;
} bounded[] = {
	{"schema_migrations", "a row per file of the program"},
	{"audit_head", "one row"},
	{"counts", "a row per thing counted and hour of the subscriptions that run"},
	{"count_deltas", "folded at every 64th row"},
};

/* ---- the statements ---- */

/* `args`: SQL. */
static const struct sample {
	const char *statement, *args;
} samples[] = {
#define USER  "7777"
#define ACTOR "1, 3" /* the Owner */
	{"inspect_pg_state", ""},
	{"migration_rows", ""},
	{"migration_table", ""},
	{"ping", ""},
	{"room_rows_misfits", "2, ARRAY[7777, 7778, 10001]"},
	{"session_check", "ARRAY[encode(sha256('live 7777'), 'hex'), 'ff', NULL, NULL], 5"},
	{"session_end_many", USER ", sha256('other'), NULL, 'logout'"},
	{"session_end_many", USER ", NULL, '7777', 'logout'"},
	{"session_end_one", "sha256('live 7777'), 'logout'"},
	{"session_ended_lately", ""},
	{"session_find", "sha256('live 7777'), 10"},
	{"session_open_many",
		"ARRAY['discord', 'discord'], ARRAY['id7777', 'id8888'], ARRAY['', ''], "
		"ARRAY['', ''], ARRAY[true, false], ARRAY[sha256('new'), sha256('other')], "
		"ARRAY['abcd', 'efgh'], ARRAY['127.0.0.1', '127.0.0.1'], ARRAY['', ''], "
		"ARRAY[1, 1], ARRAY[7, 7], ARRAY[1, 1]"},
	{"session_open_one", "'discord', 'id7777', '', '', true, sha256('new'), 'abcd', "
			     "'127.0.0.1', '', 1, 7, 1"},
	{"session_open_one", "'discord', 'nobody', '', '', true, sha256('new'), 'abcd', "
			     "'127.0.0.1', '', 10, 7, 1"},
	{"session_rows_dead",
		"ARRAY[encode(sha256('live 7777'), 'hex'), encode(sha256('ended 8'), 'hex')]"},
	{"session_rows_history", USER},
	{"session_rows_live", USER},
	{"sql_announcement_create", "1, 'title', 'body', 'info', NULL, 3"},
	{"sql_announcement_delete", "1, 5, 3"},
	{"sql_announcements_live", "0, 25"},
	{"sql_audit_export", "500, now(), 1000"},
	{"sql_audit_kept", "500, sha256('500')"},
	{"sql_audit_page", "NULL, NULL, NULL, NULL, NULL, 0, 25"},
	{"sql_audit_page", "'platform.ban', NULL, NULL, NULL, NULL, 0, 25"},
	{"sql_audit_page", "NULL, 8000, NULL, NULL, NULL, 0, 25"},
	{"sql_audit_page", "NULL, NULL, 9100, NULL, NULL, 0, 25"},
	{"sql_audit_page",
		"NULL, NULL, NULL, now() - interval '9 hours', now() - interval '5 hours', 0, 25"},
	{"sql_audit_prune", "1, 500, sha256('500')"},
	{"sql_audit_sweep", "100"},
	{"sql_audit_verify", "500, sha256('500'), 1000"},
	{"sql_avoided", USER ", 7778"},
	{"sql_backup_tables", ""},
	{"sql_block", USER ", 9999, true"},
	{"sql_block", USER ", 7778, false"},
	{"sql_blocks", USER},
	{"sql_bot_by_id", "777"},
	{"sql_bot_by_key", "sha256('bot 777')"},
	{"sql_bot_create", ACTOR ", 'name', 'discord', 7777, 100, false, sha256('new bot'), 0"},
	{"sql_bot_delete", "777, 5194, false, " ACTOR ", 0"},
	{"sql_bot_for", "777, 7777"},
	{"sql_bot_rekey", "777, 5194, false, " ACTOR ", 0, sha256('new bot')"},
	{"sql_bot_reset", "777, 5194, false, " ACTOR ", 0"},
	{"sql_bot_tell", "777, 'name', NULL, '{a,b}', 5, 5"},
	{"sql_bot_update", "777, 5194, false, " ACTOR ", 0, 'name', 7777, 100, 2, 1, 0"},
	{"sql_bots_browse", "NULL, NULL, NULL, NULL, 0, 25"},
	{"sql_bots_browse", "'bot 77', NULL, NULL, 7777, 0, 25"},
	{"sql_bots_browse", "NULL, 5194, NULL, NULL, 0, 25"},
	{"sql_bots_browse", "NULL, NULL, 2, NULL, 0, 25"},
	{"sql_bots_by_keys", "ARRAY[sha256('bot 777'), sha256('bot 777'), sha256('none')]"},
	{"sql_bots_managed", "5194, 0, 0, 25"},
	{"sql_bots_managed", "1, 3, 0, 25"},
	{"sql_chat_active", "2"},
	{"sql_chat_activity", "77, 0, 25"},
	{"sql_chat_create", USER ", 5, false, 'name', 'slug', '', 0"},
	{"sql_chat_delete", "2, 102, 'private', " ACTOR ", 0, true, 'name'"},
	{"sql_chat_delete", "1, 101, 'public', " ACTOR ", 0, true, 'name'"},
	{"sql_chat_join", "'code2', 7777"},
	{"sql_chat_join", "'s-1', 7777"},
	{"sql_chat_leave", "2, 10001"},
	{"sql_chat_maker", USER},
	{"sql_chat_members", "3, 7777, 0, 25"},
	{"sql_chat_name", "2"},
	{"sql_chat_present", "2, ARRAY[10001, 10002], 2"},
	{"sql_chat_resolve", "'code2', 7777"},
	{"sql_chat_transfer", "2, 102, 'private', " ACTOR ", 0, true, 'name', 7777"},
	{"sql_chat_update", "2, 102, 'private', " ACTOR
			    ", 0, true, 'name', 'new', '', true, 'slug', NULL, NULL, false, NULL"},
	{"sql_chat_view", "2, 7777"},
	{"sql_chats_administered", "1, 3, NULL, 0, 25"},
	{"sql_chats_administered", "1, 3, 'chat 77', 0, 25"},
	{"sql_chats_administered", "3, 1, NULL, 0, 25"},
	{"sql_chats_of", "ARRAY[" USER ", 7778, NULL, NULL, NULL]"},
	{"sql_chats_own", USER},
	{"sql_chats_page", "NULL, '{}', '{}', '{}', '{}', 0, 50, NULL, NULL"},
	{"sql_chats_page", USER ", '{}', '{}', '{1,3,5,7}', '{4,3,2,1}', 0, 50, '{2}', '{1}'"},
	{"sql_chats_page", USER ", '{}', '{}', '{1,3,5,7}', '{4,3,2,1}', 500, 50, '{}', '{}'"},
	{"sql_chats_page", USER ", '{}', '{}', '{1,3,5,7}', '{4,3,2,1}', 0, 2, '{2}', '{1}'"},
	{"sql_chats_search", "NULL, '{}', '{}', '{1,3,5,7}', '{}', 0, 50, 'chat 77'"},
	{"sql_chats_search", "NULL, '{}', '{}', '{1,3,5,7}', '{}', 0, 50, 'zq'"},
	{"sql_cleared", "2, 102"},
	{"sql_epoch_raise", "2"},
	{"sql_face", USER},
	{"sql_hard_muted", "10001"},
	{"sql_identities_refresh", "ARRAY['discord', 'telegram'], ARRAY['id7777', 'id8888'], "
				   "ARRAY['name', ''], ARRAY['', '']"},
	{"sql_identity_link", USER ", 'web', 'new', '', ''"},
	{"sql_identity_refresh", "'discord', 'id7777', 'name', ''"},
	{"sql_identity_unlink", USER ", 'discord'"},
	{"sql_invite_create", "2, 102, 'private', 102, 'new', NULL, 5, 50"},
	{"sql_invite_revoke", "2, 'code2'"},
	{"sql_invites_live", "2"},
	{"sql_key_circle", "4"},
	{"sql_match_closed", "ARRAY[7777, 7778, 507]"},
	{"sql_match_ids", "20"},
	{"sql_match_person", USER},
	{"sql_moderate", "'warn', 1, 3, 7777, 0, NULL, NULL, NULL, NULL, 60, 'so'"},
	{"sql_moderate", "'kick', 1, 3, 10001, 0, 2, 102, 0, 'private', 60, 'so'"},
	{"sql_moderate", "'ban', 1, 3, 10001, 0, 2, 102, 0, 'private', 60, 'so'"},
	{"sql_moderate", "'unban', 1, 3, 2, 0, 2, 102, 0, 'private', 60, 'so'"},
	{"sql_moderate", "'mute', 1, 3, 10001, 0, 2, 102, 0, 'private', 60, 'so'"},
	{"sql_moderate", "'unmute', 1, 3, 2, 0, 2, 102, 0, 'private', 60, 'so'"},
	{"sql_moderate", "'hard_mute', 1, 3, 7777, 0, NULL, NULL, NULL, NULL, 60, 'so'"},
	{"sql_moderate", "'hard_unmute', 1, 3, 10001, 0, NULL, NULL, NULL, NULL, 60, 'so'"},
	{"sql_moderate", "'timeout', 1, 3, 7777, 0, NULL, NULL, NULL, NULL, 60, 'so'"},
	{"sql_moderate", "'account_ban', 1, 3, 7777, 0, NULL, NULL, NULL, NULL, 60, 'so'"},
	{"sql_moderate", "'account_unban', 1, 3, 507, 0, NULL, NULL, NULL, NULL, 60, 'so'"},
	{"sql_moderation_look", "2, 1, 7777"},
	{"sql_notification", "777"},
	{"sql_notification_read", USER ", 40070"},
	{"sql_notification_read", USER ", 15554"},
	{"sql_notifications_page", USER ", 0, 25"},
	{"sql_notifications_read", USER},
	{"sql_notifications_send", "1, NULL, 'title', 'body', 'info', 3"},
	{"sql_notifications_send", "1, ARRAY[7777, 7778], 'title', 'body', 'info', 3"},
	{"sql_people_named", "ARRAY[7777, 7778]"},
	{"sql_permission_set", ACTOR ", 7777, 0, 2, 1"},
	{"sql_preferences_get", USER},
	{"sql_preferences_set", USER ", '{}'"},
	{"sql_profile_by_id", USER},
	{"sql_profile_by_name", "'nobody'"},
	{"sql_profile_search", "'_777', NULL, 0, 25"},
	{"sql_profile_search", "'_777', 777, 0, 25"},
	{"sql_profile_search", "'zq', NULL, 0, 25"},
	{"sql_profile_search", "'7_1', NULL, 0, 25"},
	{"sql_punishments_of", USER},
	{"sql_restore_ground", ""},
	{"sql_restore_people", ""},
	{"sql_room_changes", "20"},
	{"sql_room_changes_of", "20, 2"},
	{"sql_room_changes_forget", "ARRAY[1, 2, 3]"},
	{"sql_room_changes_held", "2"},
	{"sql_room_changes_release", "ARRAY[1, 2, 3]"},
	{"sql_standing", "2, 10001"},
	{"sql_statistics", ""},
	{"sql_subscribers", "0, 25"},
	{"sql_subscription_of", USER},
	{"sql_subscription_set", ACTOR ", 7777, 0, 2, 30, 'so'"},
	{"sql_unread_count", USER},
	{"sql_user_by_id", USER},
	{"sql_users_by_ids", "ARRAY[7777, 7778]"},
	{"sql_user_by_identity", "'discord', 'id7777'"},
	{"sql_user_by_name", "'nobody'"},
	{"sql_user_delete", USER ", left(md5('7777'), 8) || '_7777'"},
	{"sql_user_dossier", USER ", 1, 3"},
	{"sql_user_export", USER},
	{"sql_user_level", USER},
	{"sql_user_lines", "NULL, NULL, 0, 25"},
	{"sql_user_lines", "'active', NULL, 0, 25"},
	{"sql_user_lines", "'timeout', NULL, 0, 25"},
	{"sql_user_lines", "NULL, 2, 0, 25"},
	{"sql_user_lines_named", "NULL, NULL, 0, 25, '_777', NULL"},
	{"sql_user_lines_named", "NULL, NULL, 0, 25, '777', 777"},
	{"sql_user_lines_named", "NULL, NULL, 0, 25, 'zq', NULL"},
	{"sql_user_update", USER ", 'new_name', 'discord'"},
	{"user_resolve_who", "7777, 'nobody'"},
	{"user_resolve_who", "NULL, 'nobody'"},
};
#define SAMPLES (sizeof(samples) / sizeof(*samples))

/* What may read all rows of what it is about, and why. `args` NULL: all. */
static const struct linear {
	const char *statement, *args, *why;
} linear[] = {
	{"sql_restore_people", NULL, "it stops at the first row"},
	{"sql_bots_browse", "NULL, NULL, NULL, NULL, 0, 25",
		"counts all bots: as many as operators let in"},
	{"sql_bots_browse", "NULL, NULL, 2, NULL, 0, 25", "counts all bots of a type"},
	{"sql_bots_managed", NULL, "counts all bots that an operator may manage"},
	{"sql_chats_administered", "1, 3, NULL, 0, 25",
		"counts all chats that an operator may see"},
	{"sql_chats_administered", "3, 1, NULL, 0, 25",
		"counts all chats that an operator may see"},
	{"sql_user_lines", "'active', NULL, 0, 25", "counts the active: nearly all people"},
};

/* ---- the database ---- */

static PGconn *db;
static char database[64];
static const struct sample *current; /* what runs; NULL: nothing that is looked at */
static unsigned plans, faults;

static bool try(const char *sql)
{
	PGresult *r = PQexec(db, sql);
	ExecStatusType s = PQresultStatus(r);

	PQclear(r);
	return s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK;
}

static void must(const char *sql)
{
	if (!try(sql))
		fail_msg("%.200s: %s", sql, PQerrorMessage(db));
}

static void connect_to(const char *name) /* NULL: as DATABASE_URL says */
{
	const char *keys[] = {"dbname", "dbname", NULL};
	const char *values[] = {getenv("DATABASE_URL"), name, NULL};

	PQfinish(db);
	db = PQconnectdbParams(keys, values, 1);
	assert_int_equal(PQstatus(db), CONNECTION_OK);
}

static void schema_make(void)
{
	const struct migrations_had none = {0};
	struct str then, since, why;
	struct arena arena;

	arena_init(&arena);
	assert_int_equal(migration_replay(&arena, &none, &then, &since, &why), OK);
	must(arena_dup(&arena, then.p, then.n));
	must(arena_dup(&arena, since.p, since.n));
	arena_release(&arena);
	arena_drain();
}

/* ---- what PostgreSQL tells of a plan ---- */

static bool table_is_bounded(const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof(bounded) / sizeof(*bounded); i++)
		if (strlen(bounded[i].table) == n && memcmp(bounded[i].table, name, n) == 0)
			return true;
	return n > 3 && memcmp(name, "pg_", 3) == 0; /* the catalogue */
}

static bool linear_is_about(const struct linear *l, const struct sample *s)
{
	return strcmp(l->statement, s->statement) == 0 &&
	       (!l->args || strcmp(l->args, s->args) == 0);
}

static bool sample_is_linear(const struct sample *s)
{
	for (size_t i = 0; i < sizeof(linear) / sizeof(*linear); i++)
		if (linear_is_about(&linear[i], s))
			return true;
	return false;
}

static void fault(const char *what, const char *plan)
{
	faults++;
	fprintf(stderr, "%s (%s): %s\n%s\n", current->statement, current->args, what, plan);
}

/* The most rows that a node of the plan takes in or gives, over all its rounds. */
static double rows_most(const char *plan)
{
	double most = 0, n, loops = 1;

	for (const char *p = plan; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		const char *actual = strstr(p, "(actual rows="),
			   *removed = strstr(p, "Rows Removed by ");
		const char *line = p + strcspn(p, "\n");

		if (actual && actual < line &&
			sscanf(actual, "(actual rows=%lf loops=%lf", &n, &loops) == 2)
			most = fmax(most, n * loops);
		else if (removed && removed < line &&
			 sscanf(strchr(removed, ':'), ": %lf", &n) == 1)
			most = fmax(most, n * loops);
	}
	return most;
}

/* The plan of one query, as EXPLAIN writes it. */
static void plan_look(void *arg, const char *message)
{
	(void)arg;
	if (!current || !strstr(message, "Query Text:"))
		return;
	plans++;
	if (sample_is_linear(current))
		return;
	for (const char *p = message; (p = strstr(p, "Seq Scan on "));) {
		p += strlen("Seq Scan on ");
		if (!table_is_bounded(p, strcspn(p, " \n")))
			fault("reads a table from end to end", message);
	}
	if (rows_most(message) > MANY)
		fault("handles many rows", message);
}

static int begin(void **state)
{
	char sql[128];

	(void)state;
	connect_to(NULL);
	snprintf(database, sizeof(database), "unit_%d", (int)getpid());
	snprintf(sql, sizeof(sql), "CREATE DATABASE %s", database);
	must(sql);
	connect_to(database);
	PQsetNoticeProcessor(db, plan_look, NULL);
	schema_make();
	must(rows);
	must("VACUUM ANALYZE");
	must("LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0;"
	     "SET auto_explain.log_nested_statements = on; SET auto_explain.log_analyze = on;"
	     "SET auto_explain.log_timing = off;"
	     "SET auto_explain.log_level = 'notice'; SET jit = off");
	return 0;
}

static int end(void **state)
{
	char sql[128];

	(void)state;
	connect_to(NULL);
	snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", database);
	must(sql);
	PQfinish(db);
	return 0;
}

/* ---- tests ---- */

static void test_each_has_a_sample(void **state)
{
	size_t n;
	const struct pg_stmt *s = pg_statements(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		bool found = strncmp(s[i].name, "test_", 5) == 0; /* of the unit tests */

		for (size_t k = 0; k < SAMPLES && !found; k++)
			found = strcmp(samples[k].statement, s[i].name) == 0;
		if (!found)
			fail_msg("%s has no sample", s[i].name);
	}
	for (size_t i = 0; i < sizeof(linear) / sizeof(*linear); i++) {
		bool found = false;

		for (size_t k = 0; k < SAMPLES && !found; k++)
			found = linear_is_about(&linear[i], &samples[k]);
		if (!found)
			fail_msg("%s, which may be linear, has no sample", linear[i].statement);
	}
}

static void prepare_all(void)
{
	static char sql[16384];
	size_t n;
	const struct pg_stmt *s = pg_statements(&n);

	for (size_t i = 0; i < n; i++) {
		snprintf(sql, sizeof(sql), "PREPARE %s AS %s", s[i].name, s[i].sql);
		must(sql);
	}
}

static bool is_planned(const char *statement)
{
	size_t n;
	const struct pg_stmt *s = pg_statements(&n);

	while (strcmp(s->name, statement) != 0)
		s++;
	return s->planned;
}

static void sample_run(const struct sample *s, const char *mode, bool looked_at)
{
	char sql[1024];

	snprintf(sql, sizeof(sql), "BEGIN; SET LOCAL plan_cache_mode = %s",
		is_planned(s->statement) ? "force_custom_plan" : mode);
	must(sql);
	snprintf(sql, sizeof(sql), s->args[0] ? "EXECUTE %s (%s)" : "EXECUTE %s", s->statement,
		s->args);
	current = looked_at ? s : NULL;
	if (!try(sql) && current)
		fault("fails", PQerrorMessage(db));
	current = NULL;
	must("ROLLBACK");
}

static void test_no_plan_reads_all(void **state)
{
	(void)state;
	prepare_all();
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < SAMPLES; i++)
			sample_run(&samples[i], round < ROUNDS - 1 ? "auto" : "force_generic_plan",
				round > 0);
	assert_true(plans > (ROUNDS - 1) * SAMPLES);
	assert_int_equal(faults, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_a_sample),
		cmocka_unit_test(test_no_plan_reads_all),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
