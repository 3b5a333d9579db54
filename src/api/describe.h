/* Rows of the table in words: what openapi.c and docs.c have in common. */
#ifndef API_DESCRIBE_H
#define API_DESCRIBE_H

#include "api/route.h"
#include "base/err.h"
#include "api/shape.h"
#include "base/json.h"

/* The errors an endpoint may answer with, the common ones too, by status; returns how many. */
size_t row_errors(const struct route *r, enum err out[ERR_COUNT]);
void row_credential(struct buf *b, const struct route *r); /* "session cookie, or public key" */
void row_limit(struct buf *b, const struct route *r);      /* "AUTH: 120 a minute and person" */
const char *row_method(const struct route *r);
bool row_has(const struct route *r, enum field_in in); /* a field there */
const char *row_group(const struct route *r);          /* heading it stands under */
/* "string, 3-32 characters of A-Z a-z 0-9 . _ -" */
void field_words(struct buf *b, const struct field *f);
void field_example(struct json_out *j, const struct field *f);
void row_curl(struct buf *b, const struct route *r);
/* Schemas (JSON Schema as in OpenAPI 3.1): of a shape, of a body's fields, of all named shapes (the
 * member "schemas"). In openapi.c. */
void shape_schema(struct json_out *j, const struct shape *s);
void body_schema(struct json_out *j, const struct field *fields);
void named_schemas(struct json_out *j, struct arena *a);
/* The text of a shape in lines that can be read. */
void shape_pretty(struct buf *b, const char *shape);

#endif
