/* PostgreSQL's rows, in binary: one accessor a type.
 *
 * All of it points into the result, which lives while the decoder runs. A column of another type
 * than the accessor takes is a bug of the statement and stops the process with its name.
 *
 * To add a type: its number below, and where it is accepted. Numbers: catalog/pg_type.dat. */
#include "io/pg_private.h"

#include <stdlib.h>

enum pg_type {
	TYPE_BOOL = 16,
	TYPE_BYTEA = 17,
	TYPE_NAME = 19,
	TYPE_INT8 = 20,
	TYPE_INT2 = 21,
	TYPE_INT4 = 23,
	TYPE_TEXT = 25,
	TYPE_JSON = 114,
	TYPE_UNKNOWN = 705,
	TYPE_BPCHAR = 1042,
	TYPE_VARCHAR = 1043,
	TYPE_TIMESTAMPTZ = 1184,
	TYPE_JSONB = 3802,
	TYPE_FIRST_OWN = 16384 /* enums, citext: binary is the text */
};

#define EPOCH_US INT64_C(946684800000000) /* 2000-01-01, PostgreSQL's zero */

/* The place of a row and a column of `r` in the result. */
static unsigned column_type(const struct pg_rows *r, int *row, int *col)
{
	if (*row < 0 || *row >= r->count || *col < 0 || *col + r->column >= PQnfields(r->res))
		PANIC("statement %s has no row %d, column %d", r->stmt->name, *row, *col);
	*row += r->first;
	*col += r->column;
	return PQftype(r->res, *col);
}

_Noreturn static void wrong_type(const struct pg_rows *r, int col)
{
	PANIC("statement %s: column %d is of type %u, cast it", r->stmt->name, col,
		PQftype(r->res, col));
}

/* Network order, two's complement. */
static int64_t integer(const struct pg_rows *r, int row, int col)
{
	const unsigned char *p = (const unsigned char *)PQgetvalue(r->res, row, col);
	int n = PQgetlength(r->res, row, col);
	uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | p[i];
	return (int64_t)v;
}

int pg_count(const struct pg_rows *r)
{
	return r->count;
}

int64_t pg_affected(const struct pg_rows *r)
{
	return strtoll(PQcmdTuples(r->res), NULL, 10);
}

bool pg_null(const struct pg_rows *r, int row, int col)
{
	column_type(r, &row, &col);
	return PQgetisnull(r->res, row, col);
}

int64_t pg_i64(const struct pg_rows *r, int row, int col)
{
	unsigned type = column_type(r, &row, &col);

	if (type != TYPE_INT8 && type != TYPE_INT4 && type != TYPE_INT2)
		wrong_type(r, col);
	return PQgetisnull(r->res, row, col) ? 0 : integer(r, row, col);
}

bool pg_bool(const struct pg_rows *r, int row, int col)
{
	if (column_type(r, &row, &col) != TYPE_BOOL)
		wrong_type(r, col);
	return !PQgetisnull(r->res, row, col) && *PQgetvalue(r->res, row, col) != 0;
}

int64_t pg_time(const struct pg_rows *r, int row, int col)
{
	int64_t us;

	if (column_type(r, &row, &col) != TYPE_TIMESTAMPTZ)
		wrong_type(r, col);
	if (PQgetisnull(r->res, row, col))
		return 0;
	us = integer(r, row, col);
	return us > INT64_MAX - EPOCH_US ? INT64_MAX : us + EPOCH_US; /* 'infinity' */
}

struct str pg_text(const struct pg_rows *r, int row, int col)
{
	unsigned type = column_type(r, &row, &col);
	struct str s;

	if (PQgetisnull(r->res, row, col))
		return STR_NULL;
	s = str_make(PQgetvalue(r->res, row, col), (size_t)PQgetlength(r->res, row, col));
	switch (type) {
	case TYPE_TEXT:
	case TYPE_VARCHAR:
	case TYPE_BYTEA:
	case TYPE_JSON:
	case TYPE_NAME:
	case TYPE_BPCHAR:
	case TYPE_UNKNOWN:
		return s;
	case TYPE_JSONB:
		return str_from(s, 1); /* a version goes before the text */
	default:
		if (type < TYPE_FIRST_OWN)
			wrong_type(r, col);
		return s;
	}
}

struct str pg_text_copy(struct task *t, const struct pg_rows *r, int row, int col)
{
	return arena_str(task_arena(t), pg_text(r, row, col));
}
