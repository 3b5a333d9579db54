/* Invites: made under the chat's lock, so that the quota holds, counted by chat_join() in schema/.
 *
 * A revoked invite's row goes at once, that of one that died goes with the next one made.
 *
 * To add a column: schema/, the statements here, struct invite and its writer in api/invites.c. */
#include "store/invite.h"

#include "base/config.h"
#include "base/secret.h"
#include "store/chat_private.h"

static struct str code_make(struct task *t)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	char *code = arena_alloc(task_arena(t), INVITE_CODE_LEN);

	for (size_t i = 0; i < INVITE_CODE_LEN; i++)
		code[i] = alphabet[secret_below(sizeof(alphabet) - 1)];
	return str_make(code, INVITE_CODE_LEN);
}

PG_STMT(sql_invite_create, OP_WRITE,
	"SELECT outcome, created_at FROM invite_create($1::bigint, $2::bigint, $3::text, "
	"$4::bigint,"
	" $5::text, $6::timestamptz, $7::bigint, $8::bigint)");

struct making {
	struct invite *invite;
	bool *done;
};

static enum err decode_created(struct task *t, const struct pg_rows *r, void *out)
{
	struct making *f = out;
	struct str word = pg_text(r, 0, 0);

	(void)t;
	*f->done = str_eq(word, STR("ok"));
	if (str_eq(word, STR("quota")))
		return ERR_INVITE_QUOTA;
	f->invite->created_at = pg_time(r, 0, 1);
	return OK;
}

void invite_create(
	struct task *t, const struct chat *seen, struct invite *i, bool *done, task_fn *next)
{
	struct making *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	f->invite = i;
	f->done = done;
	i->chat_id = seen->id;
	i->code = code_make(t);
	pg_arg_i64(t, &a, seen->id);
	chat_arg_id(t, &a, seen->owner_id);
	pg_arg_str(t, &a, str_of(visibility_name(seen->visibility)));
	pg_arg_i64(t, &a, i->created_by);
	pg_arg_str(t, &a, i->code);
	pg_arg_time(t, &a, i->expires_at);
	chat_arg_id(t, &a, i->max_uses);
	pg_arg_i64(t, &a, config.invites_max);
	pg_query(t, &sql_invite_create, &a, decode_created, f, task_return);
}

PG_STMT(sql_invites_live, OP_READ,
	"SELECT code, chat_id, created_by, created_at, expires_at, uses, max_uses FROM invites i"
	" WHERE chat_id = $1::bigint AND invite_live(i) ORDER BY created_at DESC, code");

static enum err decode_invites(struct task *t, const struct pg_rows *r, void *out)
{
	struct invite_list *list = out;

	list->count = (size_t)pg_count(r);
	list->rows = arena_array(task_arena(t), struct invite, list->count);
	for (size_t n = 0; n < list->count; n++) {
		struct invite *i = &list->rows[n];
		int row = (int)n;

		i->code = pg_text_copy(t, r, row, 0);
		i->chat_id = pg_i64(r, row, 1);
		i->created_by = pg_i64(r, row, 2);
		i->created_at = pg_time(r, row, 3);
		i->expires_at = pg_time(r, row, 4);
		i->uses = pg_i64(r, row, 5);
		i->max_uses = pg_i64(r, row, 6);
	}
	return OK;
}

void invites_live(struct task *t, int64_t chat_id, struct invite_list *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, chat_id);
	pg_query(t, &sql_invites_live, &a, decode_invites, out, next);
}

PG_STMT(sql_invite_revoke, OP_WRITE,
	"DELETE FROM invites i WHERE code = $2::text AND chat_id = $1::bigint AND invite_live(i)");

static enum err decode_revoked(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	(void)out;
	return pg_affected(r) > 0 ? OK : ERR_INVITE_NOT_FOUND;
}

void invite_revoke(struct task *t, int64_t chat_id, struct str code, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, chat_id);
	pg_arg_str(t, &a, code);
	pg_query(t, &sql_invite_revoke, &a, decode_revoked, NULL, next);
}
