/* See redis_rig.h. */
#include "redis_rig.h"

#include "base/clock.h"

static struct {
	struct timer timer;
	bool (*is_so)(void);
	int64_t give_up;
	bool ok;
} until;

static void until_look(struct timer *t)
{
	until.ok = until.is_so();
	if (until.ok || clock_ms() > until.give_up)
		loop_stop();
	else
		timer_set(t, 1);
}

void wait_until(bool (*is_so)(void))
{
	until.is_so = is_so;
	until.give_up = clock_ms() + 5000;
	timer_init(&until.timer, until_look);
	timer_set(&until.timer, 0);
	loop_run();
	assert_true(until.ok);
}

bool redis_possible(const char *name)
{
	const char *url = getenv("REDIS_URL");

	if (url && *url)
		return true;
	printf("%s: skipped, REDIS_URL is not set\n", name);
	return false;
}

struct str redis_rig_url(void)
{
	return str_of(getenv("REDIS_URL"));
}

void redis_rig_begin(void)
{
	const struct redis_setup s = {.url = redis_rig_url(), .timeout_ms = REDIS_RIG_MS};
	struct str why;

	loop_init();
	assert_int_equal(redis_start(&s, &why), OK);
	wait_until(redis_is_up);
}

void redis_rig_end(void)
{
	redis_stop();
	assert_int_equal(task_stats().alive, 0);
	assert_true(loop_close());
	arena_drain();
}

/* ---- tasks ---- */

static void step_failed(struct task *t, const struct fault *f)
{
	((struct step *)task_subject(t))->err = f->err;
	task_end(t);
}

static void step_ended(struct task *t)
{
	((struct step *)task_subject(t))->ended = true;
}

void step_done(struct task *t)
{
	task_end(t);
}

void step_start(struct step *r, task_fn *first)
{
	static const struct task_ops ops = {step_failed, step_ended};

	r->err = OK;
	r->ended = false;
	task_new("rig", &ops, r, 0, first);
}

static struct step *awaited;

static bool awaited_ended(void)
{
	return awaited->ended;
}

enum err step_run(struct step *r, task_fn *first)
{
	step_start(r, first);
	awaited = r;
	wait_until(awaited_ended);
	return r->err;
}

/* ---- commands ---- */

struct command {
	struct step step;
	char text[512];
	int words;
	int64_t answer;
};

static enum err command_decode(struct task *t, const struct redis_value *v, void *out)
{
	(void)t;
	*(int64_t *)out = redis_i64(v);
	return OK;
}

static void command_begin(struct task *t)
{
	struct command *c = task_subject(t);
	struct str rest = str_of(c->text);
	struct redis_args a = {.n = 0};

	while (rest.p && a.n < c->words - 1)
		redis_arg(&a, str_cut(&rest, ' '));
	if (rest.p)
		redis_arg(&a, rest);
	redis_call(t, OP_WRITE, &a, command_decode, &c->answer, step_done);
}

static void command_format(struct command *c, const char *fmt, va_list ap)
{
	*c = (struct command){.words = 1};
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	for (const char *p = c->text; *p; p++)
		c->words += *p == ' ';
}

int64_t redis_word(const char *fmt, ...)
{
	struct command c;
	va_list ap;

	va_start(ap, fmt);
	command_format(&c, fmt, ap);
	va_end(ap);
	assert_int_equal(step_run(&c.step, command_begin), OK);
	return c.answer;
}

static void command_free(struct task *t)
{
	free(task_subject(t));
}

static void command_dropped(struct task *t, const struct fault *f)
{
	(void)f;
	task_end(t);
}

void redis_word_begin(const char *fmt, ...)
{
	static const struct task_ops ops = {command_dropped, command_free};
	struct command *c = malloc(sizeof(*c));
	va_list ap;

	assert_non_null(c);
	va_start(ap, fmt);
	command_format(c, fmt, ap);
	va_end(ap);
	task_new("rig", &ops, c, 0, command_begin);
}

void redis_publish(const char *channel, const char *payload)
{
	struct command c = {.words = 3};

	assert_true(snprintf(c.text, sizeof(c.text), "PUBLISH %s %s", channel, payload) <
		    (int)sizeof(c.text));
	assert_int_equal(step_run(&c.step, command_begin), OK);
}
