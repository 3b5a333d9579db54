/* See keys_do.h. */
#include "keys_do.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "store/epoch.h"
#include "store/key_private.h"

/* 72 bytes; the server looks at nothing but the length. */
#define BLOB                                                                                       \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" \
	"bbbbbbbb"

static struct key_sender sender(const struct key_job *j)
{
	return (struct key_sender){j->chat, j->epoch, j->who->user, str_of(j->who->session)};
}

static void share_begin(struct task *t)
{
	struct key_job *j = task_subject(t);
	struct key_sender from = sender(j);

	key_share(t, &from, buf_view(&j->entries), &j->shared, job_done);
}

void request_begin(struct task *t)
{
	struct key_job *j = task_subject(t);
	struct key_sender from = sender(j);

	key_request(t, &from, job_done);
}

void ask_begin(struct task *t)
{
	struct key_job *j = task_subject(t);

	key_ask(t, j->chat, &j->n, job_done);
}

void rotate_begin(struct task *t)
{
	struct key_job *j = task_subject(t);

	epoch_rotate(t, j->chat, j->reason, j->user, job_done);
}

void added_begin(struct task *t)
{
	struct key_job *j = task_subject(t);

	key_member_added(t, j->chat, job_done);
}

static void put_begin(struct task *t)
{
	struct key_job *j = task_subject(t);

	key_put(t, j->user, j->hash, j->key, &j->changed, job_done);
}

void end_begin(struct task *t)
{
	struct key_job *j = task_subject(t);

	session_end(t, j->hash, "logout", NULL, job_done);
}

static void blob_read(struct task *t)
{
	struct key_job *j = task_subject(t);

	j->keyed = j->blob.blob.p != NULL; /* strings end with the task */
	snprintf(j->from, sizeof(j->from), STR_FMT, STR_ARG(j->blob.from_public_key));
	task_end(t);
}

static void read_begin(struct task *t)
{
	struct key_job *j = task_subject(t);

	key_read(t, j->chat, j->who->user, str_of(j->who->session), &j->blob, blob_read);
}

int64_t look(int64_t chat)
{
	struct key_job j = {.job.begin = ask_begin, .chat = chat};

	assert_int_equal(job_run(&j.job), OK);
	return j.n;
}

struct key_job read_of(int64_t chat, const struct member *m)
{
	struct key_job j = {.job.begin = read_begin, .chat = chat, .who = m};

	assert_int_equal(job_run(&j.job), OK);
	return j;
}

bool holds(int64_t chat, const struct member *m)
{
	return read_of(chat, m).keyed;
}

struct key_job share_of(int64_t chat, const struct member *from, const struct member *to, size_t n)
{
	struct key_job j = {
		.job.begin = share_begin, .chat = chat, .epoch = epoch_of(chat), .who = from};

	for (size_t i = 0; i < n; i++)
		buf_printf(&j.entries, "%s%s " BLOB, i ? " " : "", to[i].session);
	return j;
}

enum err share_run(struct key_job *j)
{
	enum err e = job_run(&j->job);

	buf_free(&j->entries);
	return e;
}

enum err share(int64_t chat, const struct member *from, const struct member *to, size_t n)
{
	struct key_job j = share_of(chat, from, to, n);

	return share_run(&j);
}

void shares(
	int64_t chat, const struct member *from, const struct member *to, size_t n, int64_t stored)
{
	struct key_job j = share_of(chat, from, to, n);

	assert_int_equal(share_run(&j), OK);
	assert_int_equal(j.shared.stored, stored);
	assert_int_equal(j.shared.skipped, (int64_t)n - stored);
}

void rotate(int64_t chat, const char *reason, int64_t user)
{
	struct key_job j = {
		.job.begin = rotate_begin, .chat = chat, .reason = reason, .user = user};

	assert_int_equal(job_run(&j.job), OK);
}

enum err request(int64_t chat, const struct member *m)
{
	struct key_job j = {
		.job.begin = request_begin, .chat = chat, .epoch = epoch_of(chat), .who = m};

	return job_run(&j.job);
}

/* ---- what was heard ---- */

char *to_of(const char *event, const struct member *m)
{
	static char line[128];

	snprintf(line, sizeof(line), "%s %lld:%s {", event, (long long)m->user, m->session);
	return line;
}

bool asked(const char *text, const struct member *m)
{
	return times(text, to_of("room:key_needed", m)) == 1;
}

bool names(const char *text, const struct member *m)
{
	char row[160];

	snprintf(row, sizeof(row), "{\"user_id\":%lld,\"session_id\":\"%s\",\"public_key\":\"%s\"}",
		(long long)m->user, m->session, m->key);
	return times(text, row) > 0;
}

/* A room of `n` whose first `holders` have the key of the epoch. */
int64_t room_of(const char *visibility, struct member *m, size_t n, size_t holders)
{
	int64_t chat = chat_new(visibility);

	for (size_t i = 0; i < n; i++) {
		m[i] = member_new(0);
		if (i < holders || holders == 0)
			member_joins(chat, &m[i]);
	}
	if (holders) {
		look(chat);
		shares(chat, &m[0], m, holders, (int64_t)holders);
		for (size_t i = holders; i < n; i++)
			member_joins(chat, &m[i]);
	}
	heard();
	return chat;
}

enum err put_key(const struct login_job *l, const char *key, bool *changed)
{
	struct key_job j = {.job.begin = put_begin,
		.user = l->out.user.id,
		.hash = l->hash,
		.key = str_of(key)};
	enum err e = job_run(&j.job);

	*changed = j.changed;
	return e;
}

struct member member_of(const struct login_job *l, const char *key)
{
	struct member m = {.user = l->out.user.id};

	session_public_id(l->hash, m.session);
	snprintf(m.key, sizeof(m.key), "%s", key);
	return m;
}
