/* hub/room by the thousands, and against a model. The ids name no socket of sio: only the
 * bookkeeping is looked at. */
#include "live_rig.h"

/* ---- crowds ---- */

#define CROWD 10000

static void join_first(struct task *t);

/* One task a step for all: opens and joins sockets that sio does not know. */
struct crowd {
	struct step step;
	uint32_t n;
	struct join *join;
};

static void crowd_joined(struct task *t)
{
	struct crowd *c = task_subject(t);

	assert_int_equal(join_check(c->join), OK);
	live_joined(c->join, (struct stream_id){1, 0});
	if (++c->n < CROWD)
		join_first(t);
	else
		task_end(t);
}

static void crowd_opened(struct task *t)
{
	struct crowd *c = task_subject(t);
	struct live *l = live_by_sio(c->n + 1);

	live_opened(l);
	c->join = live_join(t, l, CHAT, crowd_joined);
}

static void join_first(struct task *t)
{
	struct crowd *c = task_subject(t);

	live_open(t, c->n + 1, ANNA + c->n % 1000, SESSION_A, crowd_opened);
}

static void crowd_begin(struct task *t)
{
	task_deadline(t, 0);
	join_first(t);
}

static void count_it(struct live *l, void *n)
{
	(void)l;
	++*(int *)n;
}

static void test_ten_thousand_in_a_room(void **state)
{
	struct bus_message m = {.scope = BUS_ROOM,
		.id = CHAT,
		.audience = 'r',
		.event = STR("message:new"),
		.position = STR("2-0"),
		.data = STR("{\"m\":1}")};
	struct crowd c = {.n = 0};
	uint64_t before;
	int n = 0;

	(void)state;
	assert_int_equal(step_run(&c.step, crowd_begin), OK);
	assert_int_equal(live_stats().memberships, CROWD);
	assert_int_equal(live_stats().people, 1000);
	before = live_stats().delivered;
	live_deliver(&m);
	assert_int_equal(live_stats().delivered - before, CROWD);
	live_deliver(&m); /* again: old */
	assert_int_equal(live_stats().delivered - before, CROWD);
	m.audience = 's';
	m.event = STR("room:key");
	m.position = STR_NULL;
	m.who = STR("990003:" SESSION_A);
	live_deliver(&m);
	assert_int_equal(live_stats().delivered - before, CROWD + CROWD / 1000);
	room_each(CHAT, count_it, &n);
	assert_int_equal(n, CROWD);
	n = 0;
	person_each(990003, count_it, &n);
	assert_int_equal(n, CROWD / 1000);
	person_each(990003, close_it, NULL);
	room_each(CHAT, close_it, NULL);
	assert_int_equal(live_stats().sockets, 0);
}

/* ---- against a model ---- */

#define SOCKETS 40
#define ROOMS   6
#define STEPS   20000

static struct {
	bool open[SOCKETS], in[SOCKETS][ROOMS];
	int steps, s, r;
	struct join *join;
	uint32_t random;
} model;

static uint32_t model_random(uint32_t below)
{
	model.random = model.random * 1664525 + 1013904223;
	return (model.random >> 8) % below;
}

static void tick_it(struct live *l, void *seen)
{
	((bool *)seen)[live_sio(l) - 1] ^= true;
}

static void model_check(void)
{
	bool seen[SOCKETS] = {false};
	size_t memberships = 0, open = 0;

	everyone_each(tick_it, seen);
	assert_memory_equal(seen, model.open, sizeof(seen));
	for (int r = 0; r < ROOMS; r++) {
		memset(seen, 0, sizeof(seen));
		room_each(CHAT + r, tick_it, seen);
		for (int s = 0; s < SOCKETS; s++) {
			assert_int_equal(seen[s], model.in[s][r]);
			memberships += model.in[s][r];
		}
	}
	for (int s = 0; s < SOCKETS; s++)
		open += model.open[s];
	assert_int_equal(live_stats().memberships, memberships);
	assert_int_equal(live_stats().sockets, open);
}

static void model_next(struct task *t);

static void model_joined(struct task *t)
{
	assert_int_equal(join_check(model.join), OK);
	live_joined(model.join, (struct stream_id){1, 0});
	model.in[model.s][model.r] = true;
	model_next(t);
}

static void model_opened(struct task *t)
{
	live_opened(live_by_sio((sio_id)model.s + 1));
	model.open[model.s] = true;
	model_next(t);
}

static void model_next(struct task *t)
{
	while (++model.steps <= STEPS) {
		struct live *l;

		if (model.steps % 100 == 0)
			model_check();
		model.s = (int)model_random(SOCKETS);
		model.r = (int)model_random(ROOMS);
		l = live_by_sio((sio_id)model.s + 1);
		assert_int_equal(l != NULL, model.open[model.s]);
		if (!l) {
			live_open(t, (sio_id)model.s + 1, ANNA + model.s % 7, SESSION_A,
				model_opened);
			return;
		}
		if (model_random(8) == 0) {
			live_close(l);
			model.open[model.s] = false;
			memset(model.in[model.s], 0, sizeof(model.in[model.s]));
		} else if (model_random(3) == 0) {
			live_leave(l, CHAT + model.r);
			model.in[model.s][model.r] = false;
		} else {
			model.join = live_join(t, l, CHAT + model.r, model_joined);
			return;
		}
	}
	task_end(t);
}

static void model_begin(struct task *t)
{
	task_deadline(t, 0);
	model_next(t);
}

static void test_random_moves(void **state)
{
	struct step s;

	(void)state;
	model.random = 20260101;
	assert_int_equal(step_run(&s, model_begin), OK);
	model_check();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ten_thousand_in_a_room, live_begin, live_end),
		cmocka_unit_test_setup_teardown(test_random_moves, live_begin, live_end),
	};

	if (!redis_possible("test_room_crowd"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
