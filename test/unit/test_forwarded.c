/* The client's address behind proxies. */
#include "wire/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct http_request request;
static struct cidr trusted[2];

static struct addr addr_of(const char *text)
{
	struct addr a = {.unix_peer = true};

	if (strcmp(text, "unix") != 0)
		assert_true(addr_parse(str_of(text), &a));
	return a;
}

/* Header lines are divided by '|'. */
static void assert_client(const char *peer, const char *lines, const char *expected)
{
	struct addr from = addr_of(peer), out;
	struct str rest = str_of(lines);
	char text[ADDR_TEXT];
	bool forwarded;

	request.header_count = 0;
	while (rest.p)
		request.headers[request.header_count++] = (struct http_header){
			.name = STR("x-forwarded-FOR"), .value = str_trim(str_cut(&rest, '|'))};
	forwarded = forwarded_client(&from, &request, trusted, 2, &out);
	addr_format(&out, text);
	assert_string_equal(text, expected);
	if (!addr_eq(&out, &from))
		assert_true(forwarded);
}

static void test_untrusted_peer(void **state)
{
	(void)state;
	assert_client("192.0.2.1", "1.2.3.4", "192.0.2.1");
	assert_client("2001:db8::1", "10.0.0.1, 1.2.3.4", "2001:db8::1");
}

static void test_right_most_untrusted(void **state)
{
	(void)state;
	assert_client("10.0.0.1", "203.0.113.7", "203.0.113.7");
	assert_client("10.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7");
	assert_client("10.0.0.1", "6.6.6.6, 203.0.113.7, 10.9.9.9", "203.0.113.7");
	assert_client("10.0.0.1", "6.6.6.6,203.0.113.7|10.9.9.9|fd00::1", "203.0.113.7");
	assert_client("fd00::9", "2001:db8::5 ,\t10.0.0.2", "2001:db8::5");
	assert_client("unix", "203.0.113.7", "203.0.113.7");
	assert_client("unix", "6.6.6.6, ::ffff:203.0.113.7", "203.0.113.7");
}

static void test_all_trusted(void **state)
{
	(void)state;
	assert_client("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3");
	assert_client("10.0.0.1", NULL, "10.0.0.1");
	assert_client("unix", NULL, "unix");
}

static void test_ports(void **state)
{
	(void)state;
	assert_client("10.0.0.1", "203.0.113.7:4711", "203.0.113.7");
	assert_client("10.0.0.1", "203.0.113.7, [fd00::2]:80", "203.0.113.7");
	assert_client("10.0.0.1", "[2001:db8::1]", "2001:db8::1");
	assert_client("10.0.0.1", "[2001:db8::1]:65535", "2001:db8::1");
	assert_client("10.0.0.1", "2001:db8::1", "2001:db8::1");
}

static void test_malformed_stops(void **state)
{
	(void)state;
	assert_client("10.0.0.1", "", "10.0.0.1");
	assert_client("10.0.0.1", "unknown", "10.0.0.1");
	assert_client("10.0.0.1", "203.0.113.7, unknown, 10.0.0.2", "10.0.0.2");
	assert_client("10.0.0.1", "203.0.113.7, , 10.0.0.2", "10.0.0.2");
	assert_client("10.0.0.1", "203.0.113.7,", "10.0.0.1");
	assert_client("10.0.0.1", "203.0.113.7||10.0.0.2", "10.0.0.2");
	assert_client("10.0.0.1", "203.0.113.7:", "10.0.0.1");
	assert_client("10.0.0.1", "203.0.113.7:65536", "10.0.0.1");
	assert_client("10.0.0.1", "203.0.113.7:-1", "10.0.0.1");
	assert_client("10.0.0.1", "203.0.113.300", "10.0.0.1");
	assert_client("10.0.0.1", "[2001:db8::1", "10.0.0.1");
	assert_client("10.0.0.1", "[2001:db8::1]80", "10.0.0.1");
	assert_client("10.0.0.1", "[[2001:db8::1]]", "10.0.0.1");
	assert_client("10.0.0.1", "[203.0.113.7]:80", "10.0.0.1");
	assert_client("10.0.0.1", "unix", "10.0.0.1");
	assert_client("10.0.0.1", "203.0.113.7 x", "10.0.0.1");
	assert_client("10.0.0.1", "\"203.0.113.7\"", "10.0.0.1");
}

static void test_bounded(void **state)
{
	char list[2048] = "203.0.113.7";

	(void)state;
	for (int i = 0; i < FORWARDED_HOPS_MAX; i++)
		strcat(list, ", 10.0.0.3");
	assert_client("10.0.0.1", list, "10.0.0.3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_untrusted_peer),
		cmocka_unit_test(test_right_most_untrusted),
		cmocka_unit_test(test_all_trusted),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_malformed_stops),
		cmocka_unit_test(test_bounded),
	};

	if (!cidr_parse(STR("10.0.0.0/8"), &trusted[0]) ||
		!cidr_parse(STR("fd00::/8"), &trusted[1]))
		return 1;
	return cmocka_run_group_tests_name("forwarded", tests, NULL, NULL);
}
