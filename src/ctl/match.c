/* portalctl match …: the matcher, from outside.
 *
 * To add a figure: store/match_look.c, and shown. */
#include "ctl/ctl.h"
#include "store/match.h"

#include <stdlib.h>

#define PAGE 1000
#define MOST 10 /* tags shown */

/* ---- match status: page_ask <-> page_read -> shown ---- */

struct tag {
	struct str name;
	int64_t searches;
};
struct status {
	struct match_figures page;
	int64_t offset;
	struct tag *tags; /* one each time it is searched for; then one each */
	size_t count, cap;
};

static void page_ask(struct task *t);

static void tags_free(void *f)
{
	free(((struct status *)f)->tags);
}

static void tag_add(struct status *f, struct str name)
{
	if (f->count == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 64;
		f->tags = realloc(f->tags, f->cap * sizeof(*f->tags));
		if (!f->tags)
			PANIC("out of memory");
	}
	f->tags[f->count++] = (struct tag){.name = name, .searches = 1};
}

static int by_name(const void *x, const void *y)
{
	const struct str *a = &((const struct tag *)x)->name, *b = &((const struct tag *)y)->name;
	int order = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);

	return order ? order : (a->n > b->n) - (a->n < b->n);
}

static int most_first(const void *x, const void *y)
{
	const struct tag *a = x, *b = y;

	if (a->searches != b->searches)
		return a->searches < b->searches ? 1 : -1;
	return by_name(a, b);
}

static void tags_count(struct status *f)
{
	size_t n = 0;

	if (f->count == 0)
		return;
	qsort(f->tags, f->count, sizeof(*f->tags), by_name);
	for (size_t i = 1; i < f->count; i++)
		if (str_eq(f->tags[i].name, f->tags[n].name))
			f->tags[n].searches++;
		else
			f->tags[++n] = f->tags[i];
	f->count = n + 1;
	qsort(f->tags, f->count, sizeof(*f->tags), most_first);
}

static void shown(struct task *t)
{
	struct status *f = task_frame(t);
	struct json_out *j = ctl_json();

	tags_count(f);
	json_obj(j);
	json_ki64(j, "searches", f->page.searches);
	json_ki64(j, "away", f->page.away);
	json_ki64(j, "longest_wait_s", f->page.longest / 1000000);
	json_ki64(j, "direct_chats", f->page.chats);
	json_ki64(j, "graces", f->page.graces);
	json_key(j, "tags");
	json_arr(j);
	for (size_t i = 0; i < f->count && i < MOST; i++) {
		json_obj(j);
		json_kstr(j, "tag", f->tags[i].name);
		json_ki64(j, "searches", f->tags[i].searches);
		json_end(j);
	}
	json_end(j);
	json_end(j);
	ctl_done(t);
}

static void page_read(struct task *t)
{
	struct status *f = task_frame(t);

	for (size_t i = 0; i < f->page.tags_count; i++)
		for (struct str rest = f->page.tags[i]; rest.p && rest.n > 0;)
			tag_add(f, str_cut(&rest, ' '));
	f->offset += PAGE;
	task_next(t, f->page.tags_count == PAGE ? page_ask : shown);
}

static void page_ask(struct task *t)
{
	struct status *f = task_frame(t);

	match_figures(t, f->offset, PAGE, &f->page, page_read);
}

void ctl_match_status(struct task *t)
{
	struct status *f = task_frame_make(t, sizeof(*f));

	arena_defer(task_arena(t), tags_free, f);
	page_ask(t);
}
