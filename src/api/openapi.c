/* /openapi.json (OpenAPI 3.1) from the table of routes. Built once at start.
 *
 * openapi_write: info, security schemes, a path item a path with an operation a row, the named
 * shapes as components. Owns nothing. To describe something new: a json_… line in the function of
 * its part. */
#include "api/describe.h"
#include "api/server.h"
#include "api/shape.h"
#include "gen/version.h"

#include <stdio.h>

/* ---- shapes as schemas ---- */

static void schema_write(struct json_out *j, const struct shape *s, bool inside_named);

static void type_write(struct json_out *j, const char *type, bool nullable)
{
	json_key(j, "type");
	if (!nullable) {
		json_z(j, type);
		return;
	}
	json_arr(j);
	json_z(j, type);
	json_z(j, "null");
	json_end(j);
}

static void members_write(struct json_out *j, const struct shape *s)
{
	json_key(j, "properties");
	json_obj(j);
	for (const struct shape_member *m = s->members; m; m = m->next) {
		char name[64] = "";

		ASSERT(m->name.n < sizeof(name));
		memcpy(name, m->name.p, m->name.n);
		json_key(j, name);
		schema_write(j, m->type, false);
	}
	json_end(j);
	json_key(j, "required");
	json_arr(j);
	for (const struct shape_member *m = s->members; m; m = m->next)
		if (!m->optional)
			json_str(j, m->name);
	json_end(j);
}

static void reference_write(struct json_out *j, const struct shape *s)
{
	struct buf ref = {NULL, 0, 0};

	buf_printf(&ref, "#/components/schemas/" STR_FMT, STR_ARG(s->name));
	if (s->nullable) {
		json_key(j, "anyOf");
		json_arr(j);
		json_obj(j);
		json_kstr(j, "type", STR("null"));
		json_end(j);
		json_obj(j);
	}
	json_kstr(j, "$ref", buf_view(&ref));
	if (s->nullable) {
		json_end(j);
		json_end(j);
	}
	buf_free(&ref);
}

static void words_write(struct json_out *j, const struct shape *s)
{
	struct str rest = s->words;

	type_write(j, "string", s->nullable);
	json_key(j, "enum");
	json_arr(j);
	while (rest.p)
		json_str(j, str_cut(&rest, '|'));
	if (s->nullable)
		json_null(j);
	json_end(j);
}

static void plain_write(struct json_out *j, const struct shape *s)
{
	static const char *const types[] = {[SHAPE_INT] = "integer",
		[SHAPE_STR] = "string",
		[SHAPE_BOOL] = "boolean",
		[SHAPE_TIME] = "string",
		[SHAPE_NUM] = "number",
		[SHAPE_MAP] = "object",
		[SHAPE_LIST] = "array",
		[SHAPE_OBJECT] = "object"};

	type_write(j, types[s->kind], s->nullable);
	if (s->kind == SHAPE_TIME)
		json_kstr(j, "format", STR("date-time"));
	if (s->kind == SHAPE_LIST) {
		json_key(j, "items");
		schema_write(j, s->of, false);
	}
	if (s->kind == SHAPE_OBJECT)
		members_write(j, s);
}

static void schema_write(struct json_out *j, const struct shape *s, bool inside_named)
{
	json_obj(j);
	if (s->name.p && !inside_named)
		reference_write(j, s);
	else if (s->kind == SHAPE_WORDS)
		words_write(j, s);
	else if (s->kind != SHAPE_ANY)
		plain_write(j, s);
	json_end(j);
}

void shape_schema(struct json_out *j, const struct shape *s)
{
	schema_write(j, s, false);
}

/* ---- fields as schemas ---- */

static void string_write(struct json_out *j, const struct field *f)
{
	static const char *const patterns[] = {[CHARS_USERNAME] = "^[A-Za-z0-9._-]*$",
		[CHARS_PLATFORM_ID] = "^[A-Za-z0-9_.:-]*$",
		[CHARS_CODE] = "^[A-Za-z0-9]*$",
		[CHARS_SLUG] = "^[a-z0-9-]*$",
		[CHARS_CLIENT_ID] = "^[A-Za-z0-9-]*$",
		[CHARS_HTTPS_URL] = "^(https://.+)?$",
		[CHARS_RAW] = NULL};
	struct str rest = str_of(f->words);

	type_write(j, "string", f->nullable && f->in == IN_BODY);
	if (f->words) {
		json_key(j, "enum");
		json_arr(j);
		while (rest.p)
			json_str(j, str_cut(&rest, ' '));
		if (f->nullable && f->in == IN_BODY)
			json_null(j);
		json_end(j);
		return;
	}
	if (f->chars == CHARS_RAW)
		return;
	json_ki64(j, "minLength", f->min);
	json_ki64(j, "maxLength", f->max);
	if (patterns[f->chars])
		json_kstr(j, "pattern", str_of(patterns[f->chars]));
}

static void list_write(struct json_out *j, const struct field *f, const char *of)
{
	type_write(j, "array", f->nullable);
	json_key(j, "items");
	json_obj(j);
	json_kstr(j, "type", str_of(of));
	json_end(j);
	json_ki64(j, "minItems", f->min);
	json_ki64(j, "maxItems", f->max);
}

/* A list, or a word. */
static void either_write(struct json_out *j, const struct field *f)
{
	struct field word = {.type = FIELD_STR, .in = f->in, .words = f->words};

	json_key(j, "anyOf");
	json_arr(j);
	json_obj(j);
	list_write(j, f, "integer");
	json_end(j);
	json_obj(j);
	string_write(j, &word);
	json_end(j);
	json_end(j);
}

static void field_write(struct json_out *j, const struct field *f)
{
	bool nullable = f->nullable && f->in == IN_BODY;

	json_obj(j);
	switch (f->type) {
	case FIELD_STR:
		string_write(j, f);
		break;
	case FIELD_INT:
		type_write(j, "integer", nullable);
		json_ki64(j, "minimum", f->min);
		json_ki64(j, "maximum", f->max);
		if (f->in == IN_QUERY && f->def >= f->min)
			json_ki64(j, "default", f->def);
		break;
	case FIELD_BOOL:
		type_write(j, "boolean", nullable);
		break;
	case FIELD_TIME:
		type_write(j, "string", nullable);
		json_kstr(j, "format", STR("date-time"));
		break;
	case FIELD_STRS:
		list_write(j, f, "string");
		break;
	case FIELD_INTS:
		if (f->words)
			either_write(j, f);
		else
			list_write(j, f, "integer");
		break;
	case FIELD_OBJECTS:
		list_write(j, f, "object");
		break;
	case FIELD_OBJECT:
		type_write(j, "object", nullable);
		json_ki64(j, "maxProperties", f->max);
		break;
	}
	if (f->help && f->in == IN_BODY)
		json_kstr(j, "description", str_of(f->help));
	json_end(j);
}

/* ---- operations ---- */

static void parameters_write(struct json_out *j, const struct route *r)
{
	if (!row_has(r, IN_PATH) && !row_has(r, IN_QUERY))
		return;
	json_key(j, "parameters");
	json_arr(j);
	for (const struct field *f = r->fields; f->name; f++) {
		if (f->in == IN_BODY)
			continue;
		json_obj(j);
		json_kstr(j, "name", str_of(f->name));
		json_kstr(j, "in", f->in == IN_PATH ? STR("path") : STR("query"));
		json_kbool(j, "required", f->required);
		json_kstr(j, "description", str_of(f->help));
		json_key(j, "schema");
		field_write(j, f);
		json_end(j);
	}
	json_end(j);
}

void body_schema(struct json_out *j, const struct field *fields)
{
	if (strcmp(fields[0].name, "*") == 0) {
		field_write(j, &fields[0]);
		return;
	}
	json_obj(j);
	json_kstr(j, "type", STR("object"));
	json_key(j, "properties");
	json_obj(j);
	for (const struct field *f = fields; f->name; f++)
		if (f->in == IN_BODY) {
			json_key(j, f->name);
			field_write(j, f);
		}
	json_end(j);
	json_key(j, "required");
	json_arr(j);
	for (const struct field *f = fields; f->name; f++)
		if (f->in == IN_BODY && f->required)
			json_z(j, f->name);
	json_end(j);
	json_end(j);
}

static void body_write(struct json_out *j, const struct route *r)
{
	bool needed = false;

	if (!row_has(r, IN_BODY))
		return;
	for (const struct field *f = r->fields; f->name; f++)
		needed = needed || (f->in == IN_BODY && f->required);
	json_key(j, "requestBody");
	json_obj(j);
	json_kbool(j, "required", needed);
	json_key(j, "content");
	json_obj(j);
	json_key(j, "application/json");
	json_obj(j);
	json_key(j, "schema");
	body_schema(j, r->fields);
	json_end(j);
	json_end(j);
	json_end(j);
}

static void content_write(struct json_out *j, const char *type)
{
	json_key(j, "content");
	json_obj(j);
	json_key(j, type);
	json_obj(j);
	json_key(j, "schema");
}

static void content_end(struct json_out *j)
{
	json_end(j);
	json_end(j);
}

static void success_write(struct json_out *j, struct arena *a, const struct route *r)
{
	char status[16];

	snprintf(status, sizeof(status), "%d", r->status);
	json_key(j, status);
	json_obj(j);
	json_kstr(j, "description", STR("Success"));
	if (r->reply) {
		content_write(j, "application/json");
		schema_write(j, shape_parse(a, r->reply), false);
		content_end(j);
	}
	json_end(j);
}

/* One response a status; its description names the codes. */
static void errors_write(struct json_out *j, const struct route *r)
{
	enum err list[ERR_COUNT];
	size_t n = row_errors(r, list);

	for (size_t i = 0; i < n;) {
		int status = err_status(list[i]);
		struct buf codes = {NULL, 0, 0};
		char text[16];

		snprintf(text, sizeof(text), "%d", status);
		for (; i < n && err_status(list[i]) == status; i++)
			buf_printf(&codes, "%s%s", codes.n ? ", " : "", err_code(list[i]));
		json_key(j, text);
		json_obj(j);
		json_kstr(j, "description", buf_view(&codes));
		content_write(j, "application/json");
		json_obj(j);
		json_kstr(j, "$ref", STR("#/components/schemas/error"));
		json_end(j);
		content_end(j);
		json_end(j);
		buf_free(&codes);
	}
}

static void security_write(struct json_out *j, const struct route *r)
{
	static const struct {
		unsigned cred;
		const char *name;
	} schemes[] = {
		{CRED_SESSION, "session"},
		{CRED_BOT, "bot_key"},
		{CRED_PUBLIC, "public_key"},
	};

	if (!(r->cred & (CRED_SESSION | CRED_BOT | CRED_PUBLIC)))
		return;
	json_key(j, "security");
	json_arr(j);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		if (!(r->cred & schemes[i].cred))
			continue;
		json_obj(j);
		json_key(j, schemes[i].name);
		json_arr(j);
		json_end(j);
		json_end(j);
	}
	json_end(j);
}

static void operation_write(struct json_out *j, struct arena *a, const struct route *r)
{
	json_key(j, r->method == HTTP_POST ? "post" : "get");
	json_obj(j);
	json_kstr(j, "summary", str_of(r->help));
	json_key(j, "tags");
	json_arr(j);
	json_z(j, row_group(r));
	json_end(j);
	security_write(j, r);
	parameters_write(j, r);
	body_write(j, r);
	json_key(j, "responses");
	json_obj(j);
	success_write(j, a, r);
	errors_write(j, r);
	json_end(j);
	json_end(j);
}

/* ---- the document ---- */

static bool path_seen(size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(routes[i].path, routes[at].path) == 0)
			return true;
	return false;
}

static void paths_write(struct json_out *j, struct arena *a)
{
	json_key(j, "paths");
	json_obj(j);
	for (size_t i = 0; i < route_count; i++) {
		if (path_seen(i))
			continue;
		json_key(j, routes[i].path);
		json_obj(j);
		for (size_t k = i; k < route_count; k++)
			if (strcmp(routes[k].path, routes[i].path) == 0)
				operation_write(j, a, &routes[k]);
		json_end(j);
	}
	json_end(j);
}

static void scheme_write(
	struct json_out *j, const char *name, const char *in, const char *key, const char *help)
{
	json_key(j, name);
	json_obj(j);
	json_kstr(j, "type", STR("apiKey"));
	json_kstr(j, "in", str_of(in));
	json_kstr(j, "name", str_of(key));
	json_kstr(j, "description", str_of(help));
	json_end(j);
}

void named_schemas(struct json_out *j, struct arena *a)
{
	json_key(j, "schemas");
	json_obj(j);
	json_key(j, "error");
	schema_write(j,
		shape_parse(a, "{error:str, code:str, correlation_id:str, field?:str,"
			       " retry_after?:int, reason?:str?, expires_at?:time?, ttl?:int, "
			       "epoch?:int}"),
		true);
	for (size_t i = 0; i < shape_name_count; i++) {
		json_key(j, shape_names[i].name);
		schema_write(j, shape_parse(a, shape_names[i].shape), true);
	}
	json_end(j);
}

static void components_write(struct json_out *j, struct arena *a)
{
	json_key(j, "components");
	json_obj(j);
	json_key(j, "securitySchemes");
	json_obj(j);
	scheme_write(j, "session", "cookie", "psession", "Set by verify.");
	scheme_write(j, "bot_key", "header", "X-API-Key", "Of a registered bot.");
	scheme_write(j, "public_key", "header", "X-API-Key",
		"Of a front end; not needed where the operator has set none.");
	json_end(j);
	named_schemas(j, a);
	json_end(j);
}

void openapi_write(struct buf *out)
{
	struct json_out j;
	struct arena a;

	arena_init(&a);
	json_out_init(&j, out);
	json_obj(&j);
	json_kstr(&j, "openapi", STR("3.1.0"));
	json_key(&j, "info");
	json_obj(&j);
	json_kstr(&j, "title", STR("Portal"));
	json_kstr(&j, "version", STR(PORTAL_VERSION));
	json_kstr(&j, "description", STR("Real-time chat: sign-in, people, bots, operations."));
	json_end(&j);
	paths_write(&j, &a);
	components_write(&j, &a);
	json_end(&j);
	arena_release(&a);
}
