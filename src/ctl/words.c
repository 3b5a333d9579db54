/* The words of the call: which command, its options' values, and the answer to "are you sure?".
 *
 *   ctl_words -> parse_common (options of every command) -> find_command -> parse_options
 *
 * To add an option that every command has: parse_common, and `common` in describe.c. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/ctl.h"
#include "gen/version.h"

static struct {
	const struct ctl_command *command;
	struct str values[CTL_OPTIONS];
	bool json, yes;
} words;

static int option_index(const char *name)
{
	for (int i = 0; i < CTL_OPTIONS && words.command->options[i].name; i++)
		if (strcmp(words.command->options[i].name, name) == 0)
			return i;
	return -1;
}

struct str ctl_str(const char *name)
{
	int i = option_index(name);

	ASSERT(i >= 0);
	return words.values[i];
}

bool ctl_has(const char *name)
{
	return ctl_str(name).p != NULL;
}

static int64_t word_index(const char *list, struct str word)
{
	struct str rest = str_of(list);

	for (int64_t i = 0; rest.p; i++)
		if (str_eq(str_cut(&rest, ' '), word))
			return i;
	return -1;
}

/* "15m"; a number alone is seconds. */
static bool span_of(struct str s, int64_t *seconds)
{
	static const char units[] = "smhd";
	static const int64_t each[] = {1, 60, 3600, 86400};
	const char *unit = s.n > 1 ? memchr(units, s.p[s.n - 1], 4) : NULL;

	if (unit)
		s.n--;
	if (!str_to_i64(s, seconds) || *seconds < 0 || *seconds > INT64_MAX / 86400)
		return false;
	*seconds *= unit ? each[unit - units] : 1;
	return true;
}

/* "2026-01-31T12:00:00Z" or "2026-01-31", which begins at midnight. */
static bool time_of(struct str s, int64_t *us)
{
	char day[] = "0000-00-00T00:00:00Z";

	if (s.n != 10)
		return time_parse(s, us);
	memcpy(day, s.p, 10);
	return time_parse(str_of(day), us);
}

static bool value_of(const struct ctl_option *o, struct str s, int64_t *v)
{
	switch (o->type) {
	case OPTION_INT:
		return str_to_i64(s, v) && *v >= 1;
	case OPTION_WORD:
		*v = word_index(o->words, s);
		return *v >= 0;
	case OPTION_SPAN:
		return span_of(s, v);
	case OPTION_TIME:
		return time_of(s, v);
	default:
		return true;
	}
}

int64_t ctl_int(const char *name, int64_t absent)
{
	int i = option_index(name);
	int64_t v = absent;

	ASSERT(i >= 0);
	if (!words.values[i].p)
		return absent;
	ASSERT(value_of(&words.command->options[i], words.values[i], &v)); /* see parse_value */
	return v;
}

bool ctl_is_json(void)
{
	return words.json;
}

const char *ctl_level_name(int level)
{
	static const char *const names[] = {"user", "moderator", "admin", "owner"};

	return level >= 0 && level < 4 ? names[level] : "?";
}

const char *ctl_subscription_name(int level)
{
	static const char *const names[] = {"basic", "trial", "premium", "lifetime"};

	return level >= 0 && level < 4 ? names[level] : "?";
}

static _Noreturn void usage_error(const char *subject, const char *rest, const char *more)
{
	fprintf(stderr, "portalctl: %s %s%s; portalctl --help lists the commands\n", subject, rest,
		more);
	exit(EXIT_USAGE);
}

bool ctl_sure(const char *what)
{
	char answer[8];

	if (words.yes)
		return true;
	if (!isatty(STDIN_FILENO))
		usage_error(what, "needs --yes when nobody can be asked", "");
	fprintf(stderr, "%s: are you sure? [y/N] ", what);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* The command whose one or two words stand at the front; *used of argv were its name. */
static const struct ctl_command *find_command(int argc, char **argv, int *used)
{
	for (size_t i = 0; argc > 0 && i < ctl_command_count; i++) {
		struct str second = str_of(ctl_commands[i].name);
		struct str first = str_cut(&second, ' ');

		*used = second.p ? 2 : 1;
		if (str_eq(first, str_of(argv[0])) &&
			(!second.p || (argc > 1 && str_eq(second, str_of(argv[1])))))
			return &ctl_commands[i];
	}
	return NULL;
}

static void parse_value(int i, const char *text)
{
	const struct ctl_option *o = &words.command->options[i];
	static const char *const must[] = {
		[OPTION_INT] = "must be a positive number",
		[OPTION_WORD] = "must be one of ",
		[OPTION_SPAN] = "must be a time in seconds, or as 15m, 2h, 7d",
		[OPTION_TIME] = "must be a day, as 2026-01-31, or a time, as 2026-01-31T12:00:00Z",
	};
	int64_t v;

	words.values[i] = str_of(text);
	if (!value_of(o, words.values[i], &v))
		usage_error(o->name, must[o->type], o->words ? o->words : "");
}

static int next_word(void)
{
	for (int i = 0; i < CTL_OPTIONS && words.command->options[i].name; i++)
		if (words.command->options[i].name[0] != '-' && !words.values[i].p)
			return i;
	return -1;
}

static void parse_options(int argc, char **argv)
{
	for (int n = 0; n < argc; n++) {
		int i = argv[n][0] == '-' ? option_index(argv[n]) : next_word();

		if (i < 0)
			usage_error(argv[n], "is not known here", "");
		if (argv[n][0] != '-')
			parse_value(i, argv[n]);
		else if (words.command->options[i].type == OPTION_FLAG)
			words.values[i] = STR("true");
		else if (++n < argc)
			parse_value(i, argv[n]);
		else
			usage_error(argv[n - 1], "needs a value", "");
	}
	for (int i = 0; i < CTL_OPTIONS && words.command->options[i].name; i++)
		if (words.command->options[i].required && !words.values[i].p)
			usage_error(words.command->options[i].name, "is required", "");
}

static _Noreturn void print_and_exit(struct buf *out, int code)
{
	fwrite(out->p, 1, out->n, stdout);
	buf_free(out);
	exit(ctl_printed() ? code : EXIT_FAILED);
}

/* Takes the options that every command has out of argv; returns what is left of argc. */
static int parse_common(int argc, char **argv, bool *wants_help)
{
	struct buf out = {0};
	int left = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			words.json = true;
		} else if (strcmp(argv[i], "--yes") == 0) {
			words.yes = true;
		} else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			*wants_help = true;
		} else if (strcmp(argv[i], "--man") == 0) {
			describe_man(&out);
			print_and_exit(&out, EXIT_DONE);
		} else if (strcmp(argv[i], "--version") == 0) {
			buf_lit(&out, "portalctl " PORTAL_VERSION " (" PORTAL_COMMIT ")\n");
			print_and_exit(&out, EXIT_DONE);
		} else {
			argv[left++] = argv[i];
		}
	}
	return left;
}

const struct ctl_command *ctl_words(int argc, char **argv)
{
	bool wants_help = false;
	int used = 0, left = parse_common(argc, argv, &wants_help);
	struct buf out = {0};

	words.command = find_command(left, argv, &used);
	if (wants_help || left == 0) {
		describe_help(&out, words.command);
		print_and_exit(&out, wants_help ? EXIT_DONE : EXIT_USAGE);
	}
	if (!words.command)
		usage_error(argv[0], "is no command, or half of one", "");
	parse_options(left - used, argv + used);
	if (words.command->destructive && !ctl_sure(words.command->name))
		exit(EXIT_FAILED);
	return words.command;
}
