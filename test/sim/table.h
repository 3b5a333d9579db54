/* A table of entries by name, for the model of Redis (redis.c). */
#ifndef TEST_SIM_TABLE_H
#define TEST_SIM_TABLE_H

#include <stdint.h>

struct entry {
	char *name, *value;
	uint32_t hash;
	double score;
};
struct table {
	struct entry *v;
	uint32_t *slots; /* 1 + index, 0: free; a power of two of them */
	uint32_t n, cap, slot_n;
};

/* An entry moves when others come or go; its name stays where it is. */
struct entry *table_get(const struct table *t, const char *name); /* NULL: none */
struct entry *table_add(struct table *t, const char *name);       /* which is not there yet */
void table_remove(struct table *t, struct entry *e);              /* the last takes its place */
void table_free(struct table *t);

#endif
