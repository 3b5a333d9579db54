/* Addresses and prefixes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/addr.h"

static struct addr addr(const char *text)
{
	struct addr a;

	if (!addr_parse(str_of(text), &a))
		fail_msg("not an address: %s", text);
	return a;
}

static bool has(const char *cidr, const char *text)
{
	struct addr a = addr(text);
	struct cidr c;

	if (!cidr_parse(str_of(cidr), &c))
		fail_msg("not a prefix: %s", cidr);
	return cidr_has(&c, &a);
}

static void formats(void **state)
{
	static const char *const pairs[][2] = {{"1.2.3.4", "1.2.3.4"}, {"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255"}, {"10.100.9.99", "10.100.9.99"},
		{"::ffff:10.0.0.1", "10.0.0.1"}, {"::ffff:a00:1", "10.0.0.1"}, {"::1", "::1"},
		{"[::1]", "::1"}, {"::", "::"}, {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"}};
	char text[ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct addr a = addr(pairs[i][0]);

		assert_int_equal(addr_format(&a, text), strlen(pairs[i][1]));
		assert_string_equal(text, pairs[i][1]);
	}
	assert_int_equal(addr_format(&(struct addr){.unix_peer = true}, text), 4);
	assert_string_equal(text, "unix");
}

static void refuses(void **state)
{
	static const char *const bad[] = {"", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.4 ",
		" 1.2.3.4", "01.2.3.4", "1.2.3.4:80", "[1.2.3.4]", "[::1", "::1]", "[::1]:80", "[]",
		"fe80::1%eth0", ":::1", "1::2::3", "12345::", "unix", "localhost", "0x7f.0.0.1",
		"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555555555555555"};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (addr_parse(str_of(bad[i]), &a))
			fail_msg("parsed: %s", bad[i]);
	assert_false(addr_parse(str_make("1.2.3.4\0x", 9), &a));
	assert_false(addr_parse(STR_NULL, &a));
}

static void kinds(void **state)
{
	struct addr v4 = addr("127.3.2.1"), mapped = addr("::ffff:127.3.2.1"), v6 = addr("::1");
	struct addr other = addr("126.0.0.1"), local = {.unix_peer = true};

	(void)state;
	assert_true(addr_is_v4(&v4) && addr_is_v4(&mapped) && addr_eq(&v4, &mapped));
	assert_false(addr_is_v4(&v6) || addr_is_v4(&local));
	assert_true(addr_is_loopback(&v4) && addr_is_loopback(&v6) && addr_is_loopback(&local));
	assert_false(addr_is_loopback(&other));
	other = addr("::2");
	assert_false(addr_is_loopback(&other));
	other = addr("::7f00:1");
	assert_false(addr_is_loopback(&other));
	other = addr("::");
	assert_false(addr_eq(&local, &other));
	assert_true(addr_eq(&local, &local));
}

static void prefixes(void **state)
{
	(void)state;
	assert_true(has("10.0.0.0/8", "10.255.255.255"));
	assert_false(has("10.0.0.0/8", "11.0.0.0"));
	assert_true(has("10.1.2.3/8", "10.9.9.9")); /* host bits do not count */
	assert_true(has("10.0.0.0/8", "::ffff:10.1.1.1"));
	assert_true(has("192.168.4.0/22", "192.168.7.255"));
	assert_false(has("192.168.4.0/22", "192.168.8.0"));
	assert_true(has("1.2.3.4", "1.2.3.4"));
	assert_false(has("1.2.3.4", "1.2.3.5"));
	assert_true(has("1.2.3.4/31", "1.2.3.5"));
	assert_true(has("0.0.0.0/0", "8.8.8.8"));
	assert_false(has("0.0.0.0/0", "2001:db8::1")); /* all of IPv4, no IPv6 */
	assert_true(has("2001:db8::/32", "2001:db8:ffff::1"));
	assert_false(has("2001:db8::/32", "2001:db9::"));
	assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(has("::1", "::1"));
	assert_true(has("::1/128", "::1"));
	assert_false(has("::1/128", "::2"));
	assert_true(has("::ffff:10.0.0.0/104", "10.4.4.4"));
	assert_true(has("::/0", "2001:db8::1"));
}

static void unix_peer_is_in_no_prefix(void **state)
{
	struct addr local = {.unix_peer = true};
	struct cidr c;

	(void)state;
	assert_true(cidr_parse(STR("::/0"), &c));
	assert_false(cidr_has(&c, &local));
}

static void bad_prefixes(void **state)
{
	static const char *const bad[] = {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
		"10.0.0.0/-0", "10.0.0.0/8/8", "10.0.0.0/a", "10.0.0.0/ 8", "10.0.0.0/0008",
		"::/129", "10.0.0/8", "none"};
	struct cidr c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (cidr_parse(str_of(bad[i]), &c))
			fail_msg("parsed: %s", bad[i]);
}

static void binds(const char *text, const char *key)
{
	char out[ADDR_TEXT];
	struct addr a = addr(text);

	assert_int_equal(addr_bind_key(&a, out), strlen(key));
	assert_string_equal(out, key);
}

static void bind_keys(void **state)
{
	char out[ADDR_TEXT];

	(void)state;
	binds("1.2.3.4", "1.2.3.4");
	binds("::ffff:1.2.3.4", "1.2.3.4");
	binds("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
	binds("2001:db8:1:2:ffff::", "2001:db8:1:2::/64");
	binds("2001:db8:1:3::1", "2001:db8:1:3::/64");
	binds("::1", "::/64");
	binds("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::/64");
	assert_int_equal(addr_bind_key(&(struct addr){.unix_peer = true}, out), 4);
	assert_string_equal(out, "unix");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(refuses),
		cmocka_unit_test(kinds),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(unix_peer_is_in_no_prefix),
		cmocka_unit_test(bad_prefixes),
		cmocka_unit_test(bind_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
