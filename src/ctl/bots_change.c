/* portalctl bot update, regenerate-key, reset-stats, delete. Servers look again at the keys of
 * their bots' sockets.
 *
 *   begin -> (heir_known) -> bot_look -> act -> acted -> (told) -> done
 *
 * To add an act: a row in commands.c, and an `act` here. */
#include "ctl/bots.h"
#include "ctl/ctl.h"
#include "store/push.h"
#include "store/user_admin.h"

struct bot_act {
	task_fn *act;  /* makes the change, then acted */
	task_fn *done; /* tells of it */
	struct bot bot;
	struct bot_edit edit;
	struct bot_key key;
	bool changed;
};
static const struct person by_operator;

static void bot_look(struct task *t)
{
	struct bot_act *f = task_frame(t);

	bot_by_id(t, ctl_int("BOT", 0), &f->bot, f->act);
}

static void acted(struct task *t)
{
	const struct bot_act *f = task_frame(t);

	if (f->changed)
		push_bots_changed(t, f->done);
	else
		bot_look(t);
}

static struct bot_act *act_begin(struct task *t, task_fn *act, task_fn *done)
{
	struct bot_act *f = task_frame_make(t, sizeof(*f));

	f->act = act;
	f->done = done;
	return f;
}

/* ---- update: … -> update_read -> show_now ---- */
static void show_now(struct task *t)
{
	const struct bot_act *f = task_frame(t);

	ctl_bot_write(ctl_json(), &f->bot);
	ctl_done(t);
}

static void read_again(struct task *t)
{
	struct bot_act *f = task_frame(t);

	bot_by_id(t, f->bot.id, &f->bot, show_now);
}

static void update_act(struct task *t)
{
	struct bot_act *f = task_frame(t);

	bot_update(t, by_operator, &f->bot, &f->edit, &f->changed, acted);
}

void ctl_bot_update(struct task *t)
{
	struct bot_act *f = act_begin(t, update_act, read_again);

	f->edit = (struct bot_edit){
		.name = ctl_str("--name"),
		.rate_limit_per_hour = ctl_int("--rate-limit", 0),
		.type = ctl_has("--type") ? BOT_OFFICIAL + (int)ctl_int("--type", 0) : 0,
		.is_active = (int)ctl_int("--active", -1),
		.login = (int)ctl_int("--login", -1),
	};
	if (!ctl_length_ok(t, "--name", 2, 32))
		return;
	if (f->edit.rate_limit_per_hour > RATE_LIMIT_MAX)
		ctl_fail(t, "--rate-limit must be at most %d", RATE_LIMIT_MAX);
	else if (ctl_has("--owner"))
		user_resolve(t, ctl_str("--owner"), &f->edit.owner_id, bot_look);
	else
		bot_look(t);
}

/* ---- regenerate-key ---- */
static void rekeyed(struct task *t)
{
	struct bot_act *f = task_frame(t);
	struct json_out *j = ctl_json();

	json_obj(j);
	json_ki64(j, "id", f->bot.id);
	json_kstr(j, "api_key", str_make(f->key.text, sizeof(f->key.text)));
	json_end(j);
	ctl_say("the key is shown this once");
	ctl_done(t);
}

static void rekey_act(struct task *t)
{
	struct bot_act *f = task_frame(t);

	bot_key_make(&f->key);
	bot_rekey(t, by_operator, &f->bot, f->key.hash, &f->changed, acted);
}

void ctl_bot_regenerate_key(struct task *t)
{
	act_begin(t, rekey_act, rekeyed);
	bot_look(t);
}

/* ---- reset-stats ---- */
static void reset_act(struct task *t)
{
	struct bot_act *f = task_frame(t);

	bot_reset(t, by_operator, &f->bot, &f->changed, acted);
}

void ctl_bot_reset_stats(struct task *t)
{
	act_begin(t, reset_act, read_again);
	bot_look(t);
}

/* ---- delete ---- */
static void deleted(struct task *t)
{
	const struct bot_act *f = task_frame(t);

	json_obj(ctl_json());
	json_ki64(ctl_json(), "deleted", f->bot.id);
	json_kstr(ctl_json(), "name", f->bot.name);
	json_end(ctl_json());
	ctl_done(t);
}

static void delete_act(struct task *t)
{
	struct bot_act *f = task_frame(t);

	bot_delete(t, by_operator, &f->bot, &f->changed, acted);
}

void ctl_bot_delete(struct task *t)
{
	act_begin(t, delete_act, deleted);
	bot_look(t);
}
