/* Login codes in a real Redis: one winner, bound to addresses, limited, sealed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/config.h"
#include "store/code.h"
#include "stores.h"

#define MANY 200

/* ---- what is done ---- */

struct code_job {
	struct job job;
	enum {
		REQUEST,
		PENDING,
		FOR_BOT,
		TAKE,
		TAKE_WEB,
		RETURN
	} call;
	struct identity who;
	struct str addr;
	struct code_asked asked;
	struct code codes[CODES_SHOWN]; /* read; of bots, the first */
	size_t count;
	char text[CODE_LEN + 1]; /* to take or to put back */
	struct code_claim claim;
	char username[64], avatar[64]; /* of the claim, which ends with its task */
	bool named;
};

static void code_read(struct task *t)
{
	struct code_job *j = task_subject(t);

	if (j->call == TAKE || j->call == TAKE_WEB) {
		j->named = j->claim.who.username.p != NULL;
		snprintf(j->username, sizeof(j->username), STR_FMT, STR_ARG(j->claim.who.username));
		snprintf(j->avatar, sizeof(j->avatar), STR_FMT, STR_ARG(j->claim.who.avatar_url));
		assert_true(str_eq(j->claim.who.platform, j->who.platform));
		assert_true(str_eq(j->claim.who.platform_user_id, j->who.platform_user_id));
		j->claim.who = j->who;
	}
	task_end(t);
}

static void code_begin(struct task *t)
{
	struct code_job *j = task_subject(t);
	struct str text = str_of(j->text);

	switch (j->call) {
	case REQUEST:
		code_request(t, &j->who, j->addr, &j->asked, code_read);
		break;
	case PENDING:
		code_pending(t, &j->who, j->codes, &j->count, code_read);
		break;
	case FOR_BOT:
		code_for_bot(t, &j->who, j->codes, code_read);
		break;
	case RETURN:
		code_return(t, text, j->addr, &j->claim, code_read);
		break;
	default:
		code_take(t, text, j->addr, j->call == TAKE_WEB, &j->claim, code_read);
	}
}

static int ids;
static char id_texts[4096][16];

static struct identity someone(void)
{
	char *id = id_texts[ids++];

	assert_true(ids < 4096);
	snprintf(id, sizeof(id_texts[0]), "77%d", ids);
	return (struct identity){STR("discord"), str_of(id), STR("Niels"), STR("https://h/a.png")};
}

/* An address that nobody has used. */
static struct str somewhere(void)
{
	return someone().platform_user_id;
}

static struct code_job job_of(int call, struct identity who, struct str addr)
{
	struct code_job j = {.job.begin = code_begin, .who = who, .addr = addr};

	j.call = (unsigned)call;
	return j;
}

static enum err request(struct identity who, struct str addr, int64_t *expires_at)
{
	struct code_job j = job_of(REQUEST, who, addr);
	enum err e = job_run(&j.job);

	if (expires_at)
		*expires_at = j.asked.expires_at;
	return e;
}

static struct code_job pending(struct identity who)
{
	struct code_job j = job_of(PENDING, who, STR_NULL);

	assert_int_equal(job_run(&j.job), OK);
	return j;
}

static struct code newest(struct identity who)
{
	struct code_job j = pending(who);

	assert_true(j.count > 0);
	return j.codes[0];
}

static struct code bot_code(struct identity who)
{
	struct code_job j = job_of(FOR_BOT, who, STR_NULL);

	assert_int_equal(job_run(&j.job), OK);
	return j.codes[0];
}

static struct code_job taking(struct identity who, struct str addr, struct code c)
{
	struct code_job j = job_of(TAKE, who, addr);

	memcpy(j.text, c.text, CODE_LEN);
	return j;
}

static enum err take(struct identity who, struct str addr, struct code c)
{
	struct code_job j = taking(who, addr, c);

	return job_run(&j.job);
}

static const struct code wrong = {.text = {'w', 'r', 'o', 'n', 'g', '0', '0', '0'}};

static bool same(struct code a, struct code b)
{
	return memcmp(a.text, b.text, CODE_LEN) == 0;
}

/* ---- web codes ---- */

static void a_web_code_is_taken_once(void **state)
{
	struct identity who = someone();
	struct str here = somewhere();
	struct code_job j;
	int64_t expires_at;
	struct code c;

	(void)state;
	assert_int_equal(pending(who).count, 0);
	assert_int_equal(request(who, here, &expires_at), OK);
	assert_in_range(expires_at - clock_us(), 595000000, 605000000);
	c = newest(who);
	assert_int_equal(c.expires_at, expires_at);
	for (int i = 0; i < CODE_LEN; i++)
		assert_non_null(
			strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
				c.text[i]));
	assert_int_equal(take(who, somewhere(), c), ERR_INVALID_CODE);
	j = taking(who, here, c);
	assert_int_equal(job_run(&j.job), OK);
	assert_true(j.claim.web);
	assert_int_equal(j.claim.expires_at, expires_at);
	assert_string_equal(j.username, "Niels");
	assert_string_equal(j.avatar, "https://h/a.png");
	assert_int_equal(take(who, here, c), ERR_INVALID_CODE);
	assert_int_equal(pending(who).count, 0);
}

static void of_many_takers_one_wins(void **state)
{
	struct identity who = someone();
	struct str here = somewhere();
	struct code_job *all = calloc(MANY, sizeof(*all));
	int won = 0;
	struct code c;

	(void)state;
	config.verify_failures = 0;
	request(who, here, NULL);
	c = newest(who);
	for (int i = 0; i < MANY; i++) {
		all[i] = taking(who, here, c);
		job_start(&all[i].job);
	}
	jobs_run();
	for (int i = 0; i < MANY; i++) {
		won += all[i].job.fault.err == OK;
		assert_true(all[i].job.fault.err == OK || all[i].job.fault.err == ERR_INVALID_CODE);
	}
	assert_int_equal(won, 1);
	config.verify_failures = 10;
	free(all);
}

static void one_code_for_an_identity_and_an_address(void **state)
{
	struct identity who = someone();
	struct str a = somewhere(), b = somewhere();
	int64_t first, again, other;
	struct code_job two;

	(void)state;
	request(who, a, &first);
	request(who, a, &again);
	assert_int_equal(first, again);
	assert_int_equal(pending(who).count, 1);
	request(who, b, &other);
	assert_true(other > first);
	two = pending(who);
	assert_int_equal(two.count, 2);
	assert_int_equal(two.codes[0].expires_at, other); /* the newest first */
	assert_int_equal(two.codes[1].expires_at, first);
	assert_int_equal(take(who, b, two.codes[1]), ERR_INVALID_CODE);
	assert_int_equal(take(who, a, two.codes[1]), OK);
	assert_int_equal(take(who, b, two.codes[0]), OK);
}

static void requests_at_once_make_one_code(void **state)
{
	struct identity who = someone();
	struct str here = somewhere();
	struct code_job all[20];

	(void)state;
	for (int i = 0; i < 20; i++) {
		all[i] = job_of(REQUEST, who, here);
		job_start(&all[i].job);
	}
	jobs_run();
	for (int i = 0; i < 20; i++)
		assert_int_equal(all[i].asked.expires_at, all[0].asked.expires_at);
	assert_int_equal(pending(who).count, 1);
}

static void an_address_has_five_slots(void **state)
{
	struct str here = somewhere();
	struct identity who[6];
	struct code_job sixth;

	(void)state;
	for (int i = 0; i < 6; i++)
		who[i] = someone();
	for (int i = 0; i < 5; i++)
		assert_int_equal(request(who[i], here, NULL), OK);
	sixth = job_of(REQUEST, who[5], here);
	assert_int_equal(job_run(&sixth.job), ERR_TOO_MANY_PENDING_CODES);
	assert_in_range(sixth.job.fault.retry_after, 590, 600);
	assert_int_equal(request(who[2], here, NULL), OK); /* takes no new slot */
	assert_int_equal(request(who[5], somewhere(), NULL), OK);
	assert_int_equal(take(who[0], here, newest(who[0])), OK);
	assert_int_equal(job_run(&sixth.job), OK);
}

static void expiry_frees_the_slot(void **state)
{
	struct str here = somewhere();
	struct identity who = someone();
	int64_t before, after;
	struct code c;

	(void)state;
	config.pending_codes = 1;
	config.code_ttl = 1;
	request(who, here, &before);
	c = newest(who);
	assert_int_equal(request(someone(), here, NULL), ERR_TOO_MANY_PENDING_CODES);
	config.code_ttl = 600;
	do /* the code is what ends this */
		request(who, here, &after);
	while (after == before);
	assert_int_equal(pending(who).count, 1);
	assert_int_equal(take(who, here, c), ERR_INVALID_CODE);
	assert_int_equal(take(who, here, newest(who)), OK);
	config.pending_codes = 5;
}

static void the_newest_ten_are_shown(void **state)
{
	struct identity who = someone();
	int64_t expires[12];
	struct code_job j;

	(void)state;
	for (int i = 0; i < 12; i++)
		request(who, somewhere(), &expires[i]);
	j = pending(who);
	assert_int_equal(j.count, 10);
	for (int i = 0; i < 10; i++)
		assert_int_equal(j.codes[i].expires_at, expires[11 - i]);
}

static void names_wait_with_the_code(void **state)
{
	struct identity who = someone();
	struct str here = somewhere();
	struct code_job j, unnamed;
	struct code c;

	(void)state;
	request(who, here, NULL);
	c = newest(who);
	who.username = STR("Later");
	who.avatar_url = STR("https://api.telegram.org/file/bot123:ABC/photo.jpg");
	newest(who);
	j = taking(who, here, c);
	assert_int_equal(job_run(&j.job), OK);
	assert_string_equal(j.username, "Later");
	assert_string_equal(j.avatar, "");

	/* Told while nothing is pending: nothing to wait with. */
	who = someone();
	pending(who);
	c = bot_code(who);
	unnamed = taking(who, here, c);
	assert_int_equal(job_run(&unnamed.job), OK);
	assert_false(unnamed.named);
}

/* ---- bot codes ---- */

static void one_bot_code_for_an_identity(void **state)
{
	struct identity who = someone();
	struct str here = somewhere();
	struct code_job all[20], j;
	struct code web, again;

	(void)state;
	request(who, here, NULL);
	web = newest(who);
	for (int i = 0; i < 20; i++) {
		all[i] = job_of(FOR_BOT, who, STR_NULL);
		job_start(&all[i].job);
	}
	jobs_run();
	for (int i = 0; i < 20; i++) {
		assert_true(same(all[i].codes[0], all[0].codes[0]));
		assert_int_equal(all[i].codes[0].expires_at, all[0].codes[0].expires_at);
	}
	assert_false(same(all[0].codes[0], web));
	assert_int_equal(pending(who).count, 1); /* a web code is another thing */

	j = taking(who, STR("anywhere"), all[0].codes[0]);
	j.call = TAKE_WEB;
	assert_int_equal(job_run(&j.job), ERR_INVALID_REQUEST);
	j.call = TAKE;
	assert_int_equal(job_run(&j.job), OK);
	assert_false(j.claim.web);
	assert_int_equal(job_run(&j.job), ERR_INVALID_CODE);
	again = bot_code(who);
	assert_false(same(again, all[0].codes[0]));
	assert_int_equal(take(who, here, web), OK);
	assert_true(same(bot_code(who), again));
}

/* ---- failures ---- */

static void failures_of_an_address_are_budgeted(void **state)
{
	struct identity who = someone();
	struct str here = somewhere(), there = somewhere();
	struct code_job j;
	struct code c;

	(void)state;
	request(who, here, NULL);
	request(who, there, NULL);
	c = newest(who);
	for (int i = 0; i < 10; i++)
		assert_int_equal(take(who, here, wrong), ERR_INVALID_CODE);
	j = taking(who, here, pending(who).codes[1]);
	assert_int_equal(job_run(&j.job), ERR_RATE_LIMITED); /* a right one, too */
	assert_in_range(j.job.fault.retry_after, 590, 600);
	assert_int_equal(take(who, there, c), OK);
}

static void failures_of_all_are_budgeted(void **state)
{
	struct identity who = someone();
	struct str failed = somewhere(), clean = somewhere();
	struct code_job j;

	(void)state;
	redis_do("FLUSHDB");
	config.verify_failures_all = 3;
	request(who, clean, NULL);
	assert_int_equal(take(who, failed, wrong), ERR_INVALID_CODE);
	assert_int_equal(take(who, somewhere(), wrong), ERR_INVALID_CODE);
	assert_int_equal(take(who, somewhere(), wrong), ERR_INVALID_CODE);
	j = taking(who, failed, wrong);
	assert_int_equal(job_run(&j.job), ERR_RATE_LIMITED);
	assert_in_range(j.job.fault.retry_after, 1, 60);
	assert_int_equal(take(who, clean, newest(who)), OK);
	assert_int_equal(take(who, clean, wrong), ERR_INVALID_CODE); /* its first */
	assert_int_equal(take(who, clean, wrong), ERR_RATE_LIMITED);
	config.verify_failures_all = 6000;
	redis_do("FLUSHDB");
}

/* ---- putting back ---- */

static struct code code_of(const struct code_job *taken)
{
	struct code c = {0};

	memcpy(c.text, taken->text, CODE_LEN);
	return c;
}

static void put_back(struct code_job *taken)
{
	struct code_job j = *taken;

	j.call = RETURN;
	assert_int_equal(job_run(&j.job), OK);
}

static void a_code_goes_back_as_it_was(void **state)
{
	struct identity who = someone();
	struct str here = somewhere();
	struct code_job web, bot;

	(void)state;
	request(who, here, NULL);
	web = taking(who, here, newest(who));
	assert_int_equal(job_run(&web.job), OK);
	put_back(&web);
	put_back(&web); /* is there already */
	assert_int_equal(pending(who).count, 1);
	assert_int_equal(newest(who).expires_at, web.claim.expires_at);
	assert_int_equal(take(who, somewhere(), code_of(&web)), ERR_INVALID_CODE);
	assert_int_equal(take(who, here, code_of(&web)), OK);
	assert_int_equal(take(who, here, code_of(&web)), ERR_INVALID_CODE);

	bot = taking(who, here, bot_code(who));
	assert_int_equal(job_run(&bot.job), OK);
	put_back(&bot);
	assert_true(same(bot_code(who), code_of(&bot)));
	assert_int_equal(take(who, here, code_of(&bot)), OK);
}

static void a_code_whose_place_is_taken_stays_away(void **state)
{
	struct identity who = someone();
	struct str here = somewhere();
	struct code_job web, bot;

	(void)state;
	request(who, here, NULL);
	web = taking(who, here, newest(who));
	job_run(&web.job);
	request(who, here, NULL);
	put_back(&web);
	assert_int_equal(pending(who).count, 1);
	assert_int_equal(take(who, here, code_of(&web)), ERR_INVALID_CODE);

	bot = taking(who, here, bot_code(who));
	job_run(&bot.job);
	bot_code(who);
	put_back(&bot);
	assert_int_equal(take(who, here, code_of(&bot)), ERR_INVALID_CODE);

	who = someone();
	web = taking(who, here, bot_code(who));
	job_run(&web.job);
	web.claim.expires_at = clock_us() - 1000000;
	put_back(&web);
	assert_int_equal(take(who, here, code_of(&web)), ERR_INVALID_CODE);
}

/* ---- at rest ---- */

/* Looks for a word in all names and values of Redis, as Lua in one word. */
static bool stands_anywhere(struct str what)
{
	static const char script[] =
		"local\tn=0;for\ti,k\tin\tipairs(redis.call('KEYS','*'))do\t"
		"local\td=k..redis.call('DUMP',k);if\td:find(ARGV[1],1,true)then\tn=n+1\tend\tend;"
		"return\tn";

	return strcmp(redis_do("EVAL %s 0 " STR_FMT, script, STR_ARG(what)), "0") != 0;
}

static void nothing_is_in_clear(void **state)
{
	struct identity who = {STR("discord"), STR("555001122334455"), STR("Quirinus"),
		STR("https://host.example/q.png")};
	struct str here = STR("203.0.113.77");
	struct code web, bot;

	(void)state;
	redis_do("SET test:rest plain-and-short");
	assert_true(stands_anywhere(STR("plain-and-short")));
	request(who, here, NULL);
	web = newest(who);
	bot = bot_code(who);
	take(who, here, wrong);
	assert_false(stands_anywhere(str_make(web.text, CODE_LEN)));
	assert_false(stands_anywhere(str_make(bot.text, CODE_LEN)));
	assert_false(stands_anywhere(who.platform_user_id));
	assert_false(stands_anywhere(who.username));
	assert_false(stands_anywhere(STR("host.example")));
	assert_false(stands_anywhere(here));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_web_code_is_taken_once),
		cmocka_unit_test(of_many_takers_one_wins),
		cmocka_unit_test(one_code_for_an_identity_and_an_address),
		cmocka_unit_test(requests_at_once_make_one_code),
		cmocka_unit_test(an_address_has_five_slots),
		cmocka_unit_test(expiry_frees_the_slot),
		cmocka_unit_test(the_newest_ten_are_shown),
		cmocka_unit_test(names_wait_with_the_code),
		cmocka_unit_test(one_bot_code_for_an_identity),
		cmocka_unit_test(failures_of_an_address_are_budgeted),
		cmocka_unit_test(failures_of_all_are_budgeted),
		cmocka_unit_test(a_code_goes_back_as_it_was),
		cmocka_unit_test(a_code_whose_place_is_taken_stays_away),
		cmocka_unit_test(nothing_is_in_clear),
	};

	return cmocka_run_group_tests(tests, stores_begin, stores_end);
}
