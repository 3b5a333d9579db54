/* The first page of the directory, as every socket gets it behind CONNECT: read once for all that
 * come together, and written once for all of them who manage none of it.
 *
 *   directory_read -> page_ask (of all who ask) -> chats_browse -> page_read
 *
 * To change what stands in the page: page_write. */
#include "api/chat_look.h"
#include "api/socket.h"
#include "api/writers.h"
#include "io/batch.h"
#include "store/chat.h"

#define PAGE 50

struct page_asked {
	struct batch_item item;
	struct person viewer;
	struct str *out;
};

static bool manages(struct person viewer, const struct chat *c)
{
	return can_manage_chat(viewer, c->visibility, chat_owner(c));
}

static bool manages_any(struct person viewer, const struct chat_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (manages(viewer, &list->rows[i]))
			return true;
	return false;
}

/* Without [ and ]. */
static struct str page_write(struct buf *b, const struct chat_list *list, struct person viewer)
{
	struct json_out j;

	b->n = 0;
	json_out_init(&j, b);
	json_arr(&j);
	for (size_t i = 0; i < list->count; i++)
		write_chat(&j, &list->rows[i], manages(viewer, &list->rows[i]));
	json_end(&j);
	return str_make(b->p + 1, b->n - 2);
}

static void page_read(struct task *t)
{
	static const struct person nobody = {0, LEVEL_NONE};
	const struct chat_list *list = task_frame(t);
	struct buf shared = {0}, own = {0};
	struct str page = page_write(&shared, list, nobody);

	for (size_t i = 0; i < batch_count(t); i++) {
		const struct page_asked *a = batch_at(t, i);
		struct task *asker = batch_asker(t, i);

		if (asker)
			*a->out = arena_str(task_arena(asker),
				manages_any(a->viewer, list) ? page_write(&own, list, a->viewer)
							     : page);
	}
	buf_free(&shared);
	buf_free(&own);
	batch_end(t);
}

static void page_ask(struct task *t)
{
	const struct chat_filter filter = {.limit = PAGE};

	chats_browse(t, &filter, task_frame_make(t, sizeof(struct chat_list)), page_read);
}

void directory_read(struct task *t, struct person viewer, struct str *out, task_fn *next)
{
	static struct batch directory = {.name = "directory", .ask = page_ask};
	struct page_asked *a = batch_join(t, &directory, sizeof(*a), OP_READ, next);

	a->viewer = viewer;
	a->out = out;
}
