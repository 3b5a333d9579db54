/* The first page of the directory, as every socket gets it behind CONNECT: read and written once
 * for all that come while the one before is under way.
 *
 *   directory_read -> waiting … reader: read_next (takes who waits) -> chats_browse -> read_done
 *     -> theirs, and again while somebody waits
 *
 * Who comes while it is read waits for the next: what they are told is no older than their asking.
 *
 * Lifetime: a waiter outlives its task; it is freed when it was served, or with the reader. To
 * change what stands in the page: read_done. */
#include "api/socket.h"
#include "api/writers.h"
#include "store/chat.h"

#include <stdlib.h>

#define PAGE 50

struct waiter {
	struct op op;
	struct list node;
	struct str *out;
};

static struct {
	struct list waiting, served;
	struct task *reader;
} directory = {.waiting = {&directory.waiting, &directory.waiting},
	.served = {&directory.served, &directory.served}};

static void waiters_end(struct list *waiters, enum err e, struct str page)
{
	struct list *n;

	while ((n = list_pop(waiters)) != NULL) {
		struct waiter *w = LIST_ITEM(n, struct waiter, node);

		if (w->op.task && e == OK)
			*w->out = arena_str(task_arena(w->op.task), page);
		op_end(&w->op, e);
		free(w);
	}
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

static void read_done(struct task *t)
{
	const struct chat_list *list = task_frame(t);
	struct buf b = {0};
	struct json_out j;

	json_out_init(&j, &b);
	json_arr(&j);
	for (size_t i = 0; i < list->count; i++)
		write_chat(&j, &list->rows[i], false);
	json_end(&j);
	waiters_end(&directory.served, OK, str_make(b.p + 1, b.n - 2)); /* without [ and ] */
	buf_free(&b);
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
	waiters_end(&directory.served, f->err, STR_NULL);
	read_over(t);
}

/* Before its time: the process stops. */
static void read_ended(struct task *t)
{
	if (directory.reader != t)
		return;
	directory.reader = NULL;
	waiters_end(&directory.served, ERR_UNAVAILABLE, STR_NULL);
	waiters_end(&directory.waiting, ERR_UNAVAILABLE, STR_NULL);
}

static void read_begin(void)
{
	static const struct task_ops ops = {read_failed, read_ended};

	directory.reader = task_new("directory", &ops, NULL, sizeof(struct chat_list), read_next);
}

void directory_read(struct task *t, struct str *out, task_fn *next)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		PANIC("out of memory");
	w->out = out;
	op_begin(t, &w->op, OP_READ, next);
	list_add_tail(&directory.waiting, &w->node);
	if (!directory.reader)
		read_begin();
}
