/* From paths to rows: literals before parameters, encoded segments, methods; and the real table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/router.h"

static const struct route rows[] = {
	{.method = HTTP_GET, .path = "/"},
	{.method = HTTP_GET, .path = "/users/me"},
	{.method = HTTP_POST, .path = "/users/me"},
	{.method = HTTP_GET, .path = "/users/{id}"},
	{.method = HTTP_POST, .path = "/users/{id}/block"},
	{.method = HTTP_GET, .path = "/users/profile/{username}"},
	{.method = HTTP_GET, .path = "/chats/{chat}/invites/{code}"},
	{.method = HTTP_POST, .path = "/chats/create"},
};

static const struct route *found(enum http_method method, const char *path)
{
	struct route_match m;

	router_find(method, str_of(path), &m);
	return m.route;
}

static int build(void **state)
{
	(void)state;
	router_build(rows, sizeof(rows) / sizeof(*rows));
	return 0;
}

static int drop(void **state)
{
	(void)state;
	router_free();
	return 0;
}

static void test_literals(void **state)
{
	(void)state;
	assert_ptr_equal(found(HTTP_GET, "/"), &rows[0]);
	assert_ptr_equal(found(HTTP_GET, "/users/me"), &rows[1]);
	assert_ptr_equal(found(HTTP_HEAD, "/users/me"), &rows[1]);
	assert_ptr_equal(found(HTTP_POST, "/users/me"), &rows[2]);
	assert_ptr_equal(found(HTTP_POST, "/chats/create"), &rows[7]);
}

static void test_parameters(void **state)
{
	struct route_match m;

	(void)state;
	router_find(HTTP_GET, STR("/chats/7/invites/a%2Fb"), &m);
	assert_ptr_equal(m.route, &rows[6]);
	assert_true(str_eq(m.params[0], STR("7")));
	assert_true(str_eq(m.params[1], STR("a%2Fb")));
	assert_ptr_equal(found(HTTP_GET, "/users/meme"), &rows[3]);
	assert_int_equal(route_param(&rows[6], "chat"), 0);
	assert_int_equal(route_param(&rows[6], "code"), 1);
	assert_int_equal(route_param(&rows[6], "cod"), -1);
}

static void test_back_from_literal(void **state)
{
	(void)state;
	assert_ptr_equal(found(HTTP_POST, "/users/me/block"), &rows[4]);
	assert_ptr_equal(found(HTTP_POST, "/users/profile/block"), NULL);
	assert_ptr_equal(found(HTTP_GET, "/users/profile/block"), &rows[5]);
}

static void test_encoded(void **state)
{
	(void)state;
	assert_ptr_equal(found(HTTP_GET, "/users/%6De"), &rows[1]);
	assert_ptr_equal(found(HTTP_GET, "/%75sers/me"), &rows[1]);
	assert_ptr_equal(found(HTTP_GET, "/users%2Fme"), NULL);
	assert_ptr_equal(found(HTTP_GET, "/users/%zz"), &rows[3]); /* the field is refused later */
}

static void test_unknown(void **state)
{
	static const char *const paths[] = {"", "users/me", "/users", "/users/", "/users/me/",
		"//users/me", "/users//block", "/users/1/block/", "/USERS/me", "*",
		"/users/1/2/3/4/5/6"};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct route_match m;

		router_find(HTTP_GET, str_of(paths[i]), &m);
		assert_false(m.known);
		assert_null(m.route);
	}
}

static void test_methods(void **state)
{
	struct route_match m;

	(void)state;
	router_find(HTTP_OTHER, STR("/users/me"), &m);
	assert_null(m.route);
	assert_true(m.known && m.get && m.post);
	router_find(HTTP_GET, STR("/users/3/block"), &m);
	assert_null(m.route);
	assert_true(m.known && !m.get && m.post);
}

/* Each row is found by its own path, with a value for each parameter. */
static void test_table(void **state)
{
	(void)state;
	router_build(routes, route_count);
	for (size_t i = 0; i < route_count; i++) {
		char path[128];
		size_t n = 0;

		for (const char *p = routes[i].path; *p; p++) {
			if (*p == '{')
				p = strchr(p, '}');
			path[n++] = *p == '}' ? '7' : *p;
		}
		path[n] = '\0';
		assert_ptr_equal(found(routes[i].method, path), &routes[i]);
		for (const struct field *f = routes[i].fields; f && f->name; f++)
			assert_true((f->in == IN_PATH) == (route_param(&routes[i], f->name) >= 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_back_from_literal),
		cmocka_unit_test(test_encoded),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, build, drop);
}
