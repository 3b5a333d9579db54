/* The first page of the directory, as every socket gets it behind CONNECT: read once for all that
 * come while the one before is under way, and written once for all of them who manage none of it.
 *
 *   directory_read -> waiting … reader: read_next (takes who waits) -> chats_browse -> read_done
 *     -> theirs, and again while somebody waits
 *
 * Who comes while it is read waits for the next: what they are told is no older than their asking.
 *
 * Lifetime: a waiter outlives its task; it is freed when it was served, or with the reader. To
 * change what stands in the page: page_write. */
#include "api/chat_look.h"
#include "api/socket.h"
#include "api/writers.h"
#include "store/chat.h"

#include <stdlib.h>

#define PAGE 50

struct waiter {
	struct op op;
	struct list node;
	struct person viewer;
	struct str *out;
};

static struct {
	struct list waiting, served;
	struct task *reader;
} directory = {.waiting = {&directory.waiting, &directory.waiting},
	.served = {&directory.served, &directory.served}};

static void waiter_end(struct waiter *w, enum err e)
{
	op_end(&w->op, e);
	free(w);
}

static void waiters_fail(struct list *waiters, enum err e)
{
	struct list *n;

	while ((n = list_pop(waiters)) != NULL)
		waiter_end(LIST_ITEM(n, struct waiter, node), e);
}

static void read_begin(void);

/* A task a page, because its arena ends with it. */
static void read_over(struct task *t)
{
	directory.reader = NULL;
	if (!list_empty(&directory.waiting))
		read_begin();
	task_end(t);
}

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

static void read_done(struct task *t)
{
	static const struct person nobody = {0, LEVEL_NONE};
	const struct chat_list *list = task_frame(t);
	struct buf shared = {0}, own = {0};
	struct str page = page_write(&shared, list, nobody);
	struct list *n;

	while ((n = list_pop(&directory.served)) != NULL) {
		struct waiter *w = LIST_ITEM(n, struct waiter, node);

		if (w->op.task)
			*w->out = arena_str(task_arena(w->op.task),
				manages_any(w->viewer, list) ? page_write(&own, list, w->viewer)
							     : page);
		waiter_end(w, OK);
	}
	buf_free(&shared);
	buf_free(&own);
	read_over(t);
}

static void read_next(struct task *t)
{
	const struct chat_filter filter = {.limit = PAGE};
	struct list *n;

	while ((n = list_pop(&directory.waiting)) != NULL)
		list_add_tail(&directory.served, n);
	chats_browse(t, &filter, task_frame(t), read_done);
}

static void read_failed(struct task *t, const struct fault *f)
{
	waiters_fail(&directory.served, f->err);
	read_over(t);
}

/* Before its time: the process stops. */
static void read_ended(struct task *t)
{
	if (directory.reader != t)
		return;
	directory.reader = NULL;
	waiters_fail(&directory.served, ERR_UNAVAILABLE);
	waiters_fail(&directory.waiting, ERR_UNAVAILABLE);
}

static void read_begin(void)
{
	static const struct task_ops ops = {read_failed, read_ended};

	directory.reader = task_new("directory", &ops, NULL, sizeof(struct chat_list), read_next);
}

void directory_read(struct task *t, struct person viewer, struct str *out, task_fn *next)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		PANIC("out of memory");
	w->viewer = viewer;
	w->out = out;
	op_begin(t, &w->op, OP_READ, next);
	list_add_tail(&directory.waiting, &w->node);
	if (!directory.reader)
		read_begin();
}
