/* See people.h. */
#include "people.h"

#include <stdio.h>

struct person person_new(void)
{
	struct person p;
	uint32_t n;

	secret_random(&n, sizeof(n));
	snprintf(p.id, sizeof(p.id), "9%010u", n);
	return p;
}

static void login_begin(struct task *t)
{
	struct login_job *j = task_subject(t);

	session_login(t, &j->ask, &j->out, job_done);
}

struct login_job login_of(const struct person *p, bool web)
{
	return (struct login_job){
		.job.begin = login_begin,
		.ask = {.platform = STR("discord"),
			.platform_user_id = str_of(p->id),
			.web = web,
			.client_ip = STR("10.0.0.1"),
			.user_agent = STR("agent")},
	};
}

struct login_job sign_in(const struct person *p)
{
	struct login_job j = login_of(p, true);

	ASSERT(job_run(&j.job) == OK);
	secret_hash(str_make(j.out.token, TOKEN_TEXT), j.hash);
	return j;
}

static void gate_begin(struct task *t)
{
	struct gate_job *j = task_subject(t);

	gate_pass(t, &j->ask, &j->out, job_done);
}

struct gate_job gate_of(const uint8_t *hash)
{
	struct gate_job j = {.job.begin = gate_begin, .ask = {.has_token = hash != NULL}};

	if (hash)
		memcpy(j.ask.token_hash, hash, HASH_LEN);
	return j;
}

bool live(const struct login_job *l)
{
	struct gate_job j = gate_of(l->hash);

	ASSERT(job_run(&j.job) == OK);
	ASSERT(!j.out.live || j.out.user_id == l->out.user.id);
	return j.out.live;
}
