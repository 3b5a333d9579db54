/* Bots under administration (contract section 8). A handler reads the bot, asks rules/permission.h,
 * and makes its change, which holds only if owner and `login` are still what was decided upon; else
 * it begins again.
 *
 * To add an action: its row in api/routes.c, its name in api/handlers.h, and an `act` here. */
#include "api/handlers.h"
#include "api/request.h"
#include "api/writers.h"
#include "store/push.h"

static void write_answer(
	struct json_out *j, const char *message, const struct bot *b, const struct bot_key *key)
{
	json_obj(j);
	json_key(j, "message");
	json_z(j, message);
	if (b) {
		json_key(j, "bot");
		write_bot(j, b, BOT_FULL);
	}
	if (key)
		json_kstr(j, "api_key", str_make(key->text, BOT_KEY_TEXT));
	json_end(j);
}

/* POST /v1/admin/bots: begin -> owner_known -> bot_created -> created_read. For oneself, or for
 * those whose bots one may manage. */
struct bot_making {
	struct bot_new new;
	struct bot_key key;
	int64_t id;
	struct bot bot;
};

#define HOURLY_DEFAULT 1000

static void created_read(struct task *t)
{
	const struct bot_making *f = task_frame(t);

	write_answer(reply_json(t), "Bot registered", &f->bot, &f->key);
	reply_send(t);
}

static void bot_created(struct task *t)
{
	struct bot_making *f = task_frame(t);

	bot_by_id(t, f->id, &f->bot, created_read);
}

static void owner_known(struct task *t)
{
	struct bot_making *f = task_frame(t);
	struct person owner = {f->new.owner_id, f->new.owner_level};

	if (!can_manage_bot(f->new.by, owner, false)) {
		task_fail(t, ERR_ACCESS_DENIED);
		return;
	}
	bot_key_make(&f->key);
	memcpy(f->new.key_hash, f->key.hash, HASH_LEN);
	bot_create(t, &f->new, &f->id, bot_created);
}

void admin_bots_create(struct task *t)
{
	struct bot_making *f = task_frame_make(t, sizeof(*f));
	const struct caller *c = caller(t);

	f->new = (struct bot_new){
		.name = in_str(t, "name"),
		.platform = in_str(t, "platform"),
		.owner_id = in_has(t, "owner_id") ? in_i64(t, "owner_id") : c->user_id,
		.rate_limit_per_hour = in_has(t, "rate_limit_per_hour")
					       ? in_i64(t, "rate_limit_per_hour")
					       : HOURLY_DEFAULT,
		.login = c->level == LEVEL_OWNER,
		.by = {c->user_id, c->level},
	};
	user_level(t, f->new.owner_id, &f->new.owner_level, owner_known);
}

/* GET /v1/admin/bots: begin -> managed_read */
static void managed_read(struct task *t)
{
	const struct bot_page *page = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "bots");
	json_arr(j);
	for (size_t i = 0; i < page->count; i++)
		write_bot(j, &page->rows[i], BOT_FULL);
	json_end(j);
	json_ki64(j, "total", page->total);
	json_ki64(j, "limit", in_i64(t, "limit"));
	json_ki64(j, "offset", in_i64(t, "offset"));
	json_end(j);
	reply_send(t);
}

void admin_bots_list(struct task *t)
{
	struct bot_page *page = task_frame_make(t, sizeof(*page));

	bots_managed(t, caller(t)->user_id, caller(t)->level, in_i64(t, "offset"),
		in_i64(t, "limit"), page, managed_read);
}

/* POST /v1/admin/bots/{id}/…
 *   begin -> bot_look -> bot_seen -> act -> bot_changed -> reply, or bot_look again */
struct bot_action {
	task_fn *act; /* makes the change, then bot_changed */
	task_fn *reply;
	struct bot bot; /* as seen */
	bool done;
	int heir_level; /* of the new owner, who must exist */
	struct bot_edit edit;
	struct bot_key key;
};

static void bot_look(struct task *t);

static void bot_changed(struct task *t)
{
	const struct bot_action *f = task_frame(t);

	if (f->done)
		push_bots_changed(t, f->reply);
	else
		task_next(t, bot_look);
}

static void bot_seen(struct task *t)
{
	const struct bot_action *f = task_frame(t);
	struct person actor = caller_admin(t);
	struct person owner = {.id = f->bot.owner_id, .level = f->bot.owner_level};
	struct person heir = {.id = f->edit.owner_id, .level = f->heir_level};

	if (!can_manage_bot(actor, owner, f->bot.login) ||
		(heir.id && !can_manage_bot(actor, heir, false)))
		task_fail(t, ERR_ACCESS_DENIED);
	else if (f->edit.login >= 0 && actor.level != LEVEL_OWNER)
		fail_denied(t, "Owner access required");
	else
		f->act(t);
}

static void bot_look(struct task *t)
{
	struct bot_action *f = task_frame(t);

	bot_by_id(t, in_i64(t, "id"), &f->bot, bot_seen);
	if (f->edit.owner_id)
		user_level(t, f->edit.owner_id, &f->heir_level, bot_seen);
}

static struct bot_action *action_begin(struct task *t, task_fn *act, task_fn *reply)
{
	struct bot_action *f = task_frame_make(t, sizeof(*f));

	f->act = act;
	f->reply = reply;
	f->edit.is_active = f->edit.login = -1;
	return f;
}

/* update: … -> bot_update_read -> update_reply */
static void update_reply(struct task *t)
{
	const struct bot_action *f = task_frame(t);

	write_answer(reply_json(t), "Bot updated", &f->bot, NULL);
	reply_send(t);
}

static void update_read(struct task *t)
{
	struct bot_action *f = task_frame(t);

	bot_by_id(t, f->bot.id, &f->bot, update_reply);
}

static void update_act(struct task *t)
{
	struct bot_action *f = task_frame(t);

	bot_update(t, caller_admin(t), &f->bot, &f->edit, &f->done, bot_changed);
}

void admin_bots_update(struct task *t)
{
	struct bot_action *f = action_begin(t, update_act, update_read);

	f->edit.name = in_str(t, "name");
	f->edit.owner_id = in_i64(t, "owner_id");
	f->edit.rate_limit_per_hour = in_i64(t, "rate_limit_per_hour");
	f->edit.type = bot_type_of(in_str(t, "bot_type"));
	if (in_has(t, "is_active"))
		f->edit.is_active = in_bool(t, "is_active");
	if (in_has(t, "login"))
		f->edit.login = in_bool(t, "login");
	bot_look(t);
}

static void rekey_reply(struct task *t)
{
	const struct bot_action *f = task_frame(t);

	write_answer(reply_json(t), "API key regenerated", NULL, &f->key);
	reply_send(t);
}

static void rekey_act(struct task *t)
{
	struct bot_action *f = task_frame(t);

	bot_key_make(&f->key);
	bot_rekey(t, caller_admin(t), &f->bot, f->key.hash, &f->done, bot_changed);
}

void admin_bots_regenerate_key(struct task *t)
{
	action_begin(t, rekey_act, rekey_reply);
	bot_look(t);
}

static void reset_reply(struct task *t)
{
	reply_message(t, "Bot statistics reset");
}

static void reset_act(struct task *t)
{
	struct bot_action *f = task_frame(t);

	bot_reset(t, caller_admin(t), &f->bot, &f->done, bot_changed);
}

void admin_bots_reset_stats(struct task *t)
{
	action_begin(t, reset_act, reset_reply);
	bot_look(t);
}

static void delete_reply(struct task *t)
{
	reply_message(t, "Bot deleted");
}

static void delete_act(struct task *t)
{
	struct bot_action *f = task_frame(t);

	bot_delete(t, caller_admin(t), &f->bot, &f->done, bot_changed);
}

void admin_bots_delete(struct task *t)
{
	action_begin(t, delete_act, delete_reply);
	bot_look(t);
}
