/* Intrusive doubly linked circular lists. A node that is on no list points at itself, so removal
 * is idempotent: list_remove on a free node does nothing. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_tail(struct list *head, struct list *n)
{
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}

static inline void list_remove(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = n;
}

static inline struct list *list_pop(struct list *head) /* NULL when empty */
{
	struct list *n = head->next;

	if (n == head)
		return NULL;
	list_remove(n);
	return n;
}

#define LIST_ITEM(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
#define LIST_FOREACH(n, head)         for (struct list *n = (head)->next; n != (head); n = n->next)
#define LIST_FOREACH_SAFE(n, head)                                                                 \
	for (struct list *n = (head)->next, *n##_next = n->next; n != (head);                      \
		n = n##_next, n##_next = n->next)

#endif
