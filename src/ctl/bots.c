/* portalctl bot …: registration, which is how the first login bots come to be, and new keys. */
#include "base/config.h"
#include "ctl/ctl.h"
#include "store/bot.h"
#include "store/push.h"
#include "store/user_admin.h"

#define RATE_LIMIT 1000

static void write_bot(struct json_out *j, const struct bot *b)
{
	static const char *const types[] = {"?", "official", "verified", "community"};

	json_obj(j);
	json_ki64(j, "id", b->id);
	json_kstr(j, "name", b->name);
	json_kstr(j, "platform", b->platform);
	json_key(j, "type");
	json_z(j, types[b->type]);
	json_kbool(j, "login", b->login);
	json_kbool(j, "active", b->is_active);
	json_key(j, "owner_id");
	if (b->owner_id)
		json_i64(j, b->owner_id);
	else
		json_null(j);
	json_ktime(j, "last_activity_at", b->last_activity_at);
	json_ktime(j, "created_at", b->created_at);
	json_end(j);
}

/* ---- bot list ---- */
static void listed(struct task *t)
{
	struct bot_page *f = task_frame(t);

	json_arr(ctl_json());
	for (size_t i = 0; i < f->count; i++)
		write_bot(ctl_json(), &f->rows[i]);
	json_end(ctl_json());
	ctl_done(t);
}

void ctl_bot_list(struct task *t)
{
	struct bot_page *f = task_frame_make(t, sizeof(*f));

	bots_managed(t, 0, 3, 0, 10000, f, listed);
}

/* ---- bot register: (owner_resolved) -> created -> registered ---- */
struct registration {
	struct bot_new bot;
	int64_t id;
	struct bot made;
	struct bot_key key;
};

static void registered(struct task *t)
{
	struct registration *f = task_frame(t);
	struct json_out *j = ctl_json();

	json_obj(j);
	json_key(j, "bot");
	write_bot(j, &f->made);
	json_kstr(j, "api_key", str_make(f->key.text, sizeof(f->key.text)));
	json_end(j);
	ctl_say("the key is shown this once");
	ctl_done(t);
}

static void created(struct task *t)
{
	struct registration *f = task_frame(t);

	bot_by_id(t, f->id, &f->made, registered);
}

static void create(struct task *t)
{
	struct registration *f = task_frame(t);

	bot_create(t, &f->bot, &f->id, created);
}

void ctl_bot_register(struct task *t)
{
	struct registration *f = task_frame_make(t, sizeof(*f));
	struct bot_new *b = &f->bot;
	bool known = false;

	b->name = ctl_str("--name");
	b->platform = ctl_str("--platform");
	b->rate_limit_per_hour = ctl_int("--rate-limit", RATE_LIMIT);
	b->login = !ctl_has("--no-login");
	for (size_t i = 0; i < config.platforms.count; i++)
		known |= str_eq(config.platforms.items[i], b->platform);
	if (!utf8_valid(b->name) || utf8_length(b->name) < 2 || utf8_length(b->name) > 32) {
		ctl_fail(t, "--name must be 2 to 32 characters");
		return;
	}
	if (!known || b->rate_limit_per_hour > 100000) {
		ctl_fail(t, known ? "--rate-limit must be at most 100000"
				  : "--platform must be one of PLATFORMS");
		return;
	}
	bot_key_make(&f->key);
	memcpy(b->key_hash, f->key.hash, HASH_LEN);
	if (ctl_has("--owner"))
		user_resolve(t, ctl_str("--owner"), &b->owner_id, create);
	else
		create(t);
}

/* ---- bot regenerate-key: seen -> rekeyed -> rekey_told ---- */
struct rekey {
	struct bot bot;
	bool done;
	struct bot_key key;
};

static void rekey_told(struct task *t)
{
	struct rekey *f = task_frame(t);
	struct json_out *j = ctl_json();

	json_obj(j);
	json_ki64(j, "id", f->bot.id);
	json_kstr(j, "api_key", str_make(f->key.text, sizeof(f->key.text)));
	json_end(j);
	ctl_done(t);
}

static void rekeyed(struct task *t)
{
	const struct rekey *f = task_frame(t);

	if (f->done)
		push_bots_changed(t, rekey_told);
	else
		ctl_fail(t, "the bot was changed meanwhile; try again");
}

static void seen(struct task *t)
{
	struct rekey *f = task_frame(t);

	bot_key_make(&f->key);
	bot_rekey(t, (struct person){0}, &f->bot, f->key.hash, &f->done, rekeyed);
}

void ctl_bot_regenerate_key(struct task *t)
{
	struct rekey *f = task_frame_make(t, sizeof(*f));

	bot_by_id(t, ctl_int("BOT", 0), &f->bot, seen);
}
