/* The router. Owns: a hash table of the paths without parameters, and a tree of segments with all.
 *
 * router_find: path without '%' -> table; else, or not found there -> tree, segment by segment,
 * literals before the parameter, going back where a literal leads nowhere.
 * Lifetime: built at start from the rows, which must outlive it.
 * To add another kind of segment, edit node_child (adding) and node_walk (finding). */
#include "api/router.h"

#include <stdlib.h>

struct node {
	struct str segment; /* NULL p: a parameter */
	struct node *child, *sibling;
	const struct route *get, *post;
};
struct slot {
	struct str path;
	const struct node *node;
};

static struct {
	struct node root;
	struct slot *slots;
	size_t mask;
} router;

static uint64_t path_hash(struct str s) /* FNV-1a: the paths in the table are ours */
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3;
	return h ^ h >> 32;
}

static const struct slot *slot_of(struct str path)
{
	size_t i = path_hash(path) & router.mask;

	while (router.slots[i].node && !str_eq(router.slots[i].path, path))
		i = (i + 1) & router.mask;
	return &router.slots[i];
}

/* The child for this segment, made when it is missing. Literals stand before the parameter. */
static struct node *node_child(struct node *up, struct str segment)
{
	bool param = segment.n > 0 && segment.p[0] == '{';
	struct node **at = &up->child;
	struct node *n;

	for (; *at; at = &(*at)->sibling) {
		if (param ? !(*at)->segment.p : (*at)->segment.p && str_eq((*at)->segment, segment))
			return *at;
		if (!(*at)->segment.p)
			break; /* a literal goes in front of it */
	}
	n = calloc(1, sizeof(*n));
	if (!n)
		PANIC("out of memory");
	n->segment = param ? STR_NULL : segment;
	n->sibling = *at;
	*at = n;
	return n;
}

static struct node *node_for(struct str path)
{
	struct node *n = &router.root;
	struct str rest = str_from(path, 1);

	while (rest.p)
		n = node_child(n, str_cut(&rest, '/'));
	return n;
}

void router_build(const struct route *rows, size_t n)
{
	size_t cap = 16;

	router_free();
	while (cap < n * 4)
		cap *= 2;
	router.slots = calloc(cap, sizeof(*router.slots));
	if (!router.slots)
		PANIC("out of memory");
	router.mask = cap - 1;
	for (size_t i = 0; i < n; i++) {
		struct str path = str_of(rows[i].path);
		struct node *node = node_for(path);
		const struct route **place = rows[i].method == HTTP_POST ? &node->post : &node->get;

		if (*place)
			PANIC("two rows for %s", rows[i].path);
		*place = &rows[i];
		if (str_find(path, '{') < 0)
			*(struct slot *)slot_of(path) = (struct slot){path, node};
	}
}

static void node_free(struct node *n)
{
	while (n) {
		struct node *sibling = n->sibling;

		node_free(n->child);
		free(n);
		n = sibling;
	}
}

void router_free(void)
{
	node_free(router.root.child);
	free(router.slots);
	memset(&router, 0, sizeof(router));
}

#define LITERAL_MAX 64 /* longer than any segment of the table */

static bool segment_is(struct str literal, struct str segment)
{
	char text[LITERAL_MAX * 3];
	size_t n;

	if (str_find(segment, '%') < 0)
		return str_eq(literal, segment);
	return segment.n <= sizeof(text) && uri_decode(segment, false, text, &n) &&
	       str_eq(literal, str_make(text, n));
}

static const struct node *node_walk(
	const struct node *up, struct str rest, int depth, struct route_match *m)
{
	struct str segment;

	if (!rest.p)
		return up->get || up->post ? up : NULL;
	segment = str_cut(&rest, '/');
	for (const struct node *n = up->child; n; n = n->sibling) {
		const struct node *found;
		bool param = !n->segment.p;

		if (param ? segment.n == 0 || depth == ROUTE_PARAMS
			  : !segment_is(n->segment, segment))
			continue;
		if (param)
			m->params[depth] = segment;
		found = node_walk(n, rest, depth + param, m);
		if (found)
			return found;
	}
	return NULL;
}

void router_find(enum http_method method, struct str path, struct route_match *m)
{
	const struct node *n = slot_of(path)->node;

	*m = (struct route_match){.route = NULL};
	if (!n && path.n > 0 && path.p[0] == '/')
		n = node_walk(&router.root, str_from(path, 1), 0, m);
	if (!n)
		return;
	m->known = true;
	m->get = n->get != NULL;
	m->post = n->post != NULL;
	if (method == HTTP_GET || method == HTTP_HEAD)
		m->route = n->get;
	else if (method == HTTP_POST)
		m->route = n->post;
}

int route_param(const struct route *r, const char *name)
{
	size_t n = strlen(name);
	int index = 0;

	for (const char *p = strchr(r->path, '{'); p; p = strchr(p + 1, '{'), index++)
		if (strncmp(p + 1, name, n) == 0 && p[1 + n] == '}')
			return index;
	return -1;
}
