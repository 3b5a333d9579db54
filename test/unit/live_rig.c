/* See live_rig.h. */
#include "live_rig.h"

int live_backs;

static void on_control(const struct bus_message *m)
{
	fail_msg("control: " STR_FMT, STR_ARG(m->event));
}

static void on_back(void)
{
	live_backs++;
}

static void on_disconnected(sio_id s)
{
	struct live *l = live_by_sio(s);

	if (l)
		live_close(l);
}

void live_bus_begin(void)
{
	const struct bus_setup s = {.redis_url = redis_rig_url(),
		.timeout_ms = REDIS_RIG_MS,
		.control = on_control,
		.back = on_back};
	struct str why;

	assert_int_equal(bus_start(&s, &why), OK);
	wait_until(bus_is_up);
}

int live_begin(void **state)
{
	(void)state;
	sio_rig_begin();
	sio_rig.disconnected = on_disconnected;
	live_backs = 0;
	room_setup(3, PROCESS);
	live_bus_begin();
	return 0;
}

void close_it(struct live *l, void *unused)
{
	(void)unused;
	live_close(l);
}

int live_end(void **state)
{
	struct live_stats s;

	(void)state;
	everyone_each(close_it, NULL);
	s = live_stats();
	assert_int_equal(s.sockets + s.people + s.rooms + s.memberships + s.behind, 0);
	assert_int_equal(redis_sub_stats().channels, 1); /* portal:all */
	bus_stop();
	sio_rig_end();
	return 0;
}

/* ---- opening ---- */

static void open_poll(struct task *t)
{
	struct opening *o = task_subject(t);
	struct live *l = live_by_sio(o->sio);

	o->gone = !l;
	if (o->go == 0 && l) {
		task_sleep(t, 1, open_poll);
		return;
	}
	if (o->go == 2) {
		task_fail(t, ERR_UNAVAILABLE);
		return;
	}
	if (l) {
		sio_accept(o->sio, NULL);
		live_opened(l);
	}
	task_end(t);
}

void open_begin(struct task *t)
{
	struct opening *o = task_subject(t);

	live_open(t, o->sio, o->user, o->session, open_poll);
}

struct live *open_as(sio_id sio, int64_t user, const char *session)
{
	struct opening o = {.sio = sio, .user = user, .session = session, .go = 1};

	assert_int_equal(step_run(&o.step, open_begin), OK);
	return live_by_sio(sio);
}

void peer_open(struct peer *p, int64_t user, const char *session)
{
	peer_connect(p);
	assert_non_null(open_as(p->sio, user, session));
}

/* ---- joining ---- */

static void join_poll(struct task *t)
{
	struct joiner *j = task_subject(t);

	j->waits = true;
	if (j->go == 0) {
		task_sleep(t, 1, join_poll);
		return;
	}
	j->check = join_check(j->join);
	if (j->go == 2 || j->check) {
		task_fail(t, j->check ? j->check : ERR_CHAT_NOT_FOUND);
		return;
	}
	live_emit(live_by_sio(j->sio), "ack", STR("{}"));
	live_joined(j->join, j->cursor);
	task_end(t);
}

static void join_begin(struct task *t)
{
	struct joiner *j = task_subject(t);

	j->join = live_join(t, live_by_sio(j->sio), j->chat, join_poll);
}

static struct joiner *joiner;

static bool joiner_waits(void)
{
	return joiner->waits;
}

static bool joiner_ended(void)
{
	return joiner->step.ended;
}

void join_wait(struct joiner *j)
{
	joiner = j;
	wait_until(joiner_ended);
}

void join_start(struct joiner *j, const struct peer *p, int64_t chat)
{
	*j = (struct joiner){.sio = p->sio, .chat = chat};
	step_start(&j->step, join_begin);
	joiner = j;
	wait_until(joiner_waits);
}

enum err join_go(struct joiner *j, uint64_t ms, uint64_t seq)
{
	j->cursor = (struct stream_id){ms, seq};
	j->go = 1;
	join_wait(j);
	return j->step.err;
}

void join_now(struct peer *p, int64_t chat, uint64_t ms)
{
	struct joiner j = {.sio = p->sio, .chat = chat, .cursor = {ms, 0}, .go = 1};

	assert_int_equal(step_run(&j.step, join_begin), OK);
	peer_expect(p, "[\"ack\",{}];");
}

void publish_room(const char *text)
{
	char channel[40];

	snprintf(channel, sizeof(channel), "portal:room:%d", CHAT);
	redis_publish(channel, text);
}

void publish_user(int64_t user, const char *text)
{
	char channel[40];

	snprintf(channel, sizeof(channel), "portal:user:%lld", (long long)user);
	redis_publish(channel, text);
}
