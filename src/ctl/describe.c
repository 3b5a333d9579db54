/* What is told of the commands: --help, the manual page, completion in shells. All of it comes from
 * the table in commands.c; nothing is kept.
 *
 * To tell something else of a command: a field in its row, and here. */
#include "base/roff.h"
#include "ctl/ctl.h"
#include "gen/version.h"

static const struct {
	const char *name, *help;
} common[] = {
	{"--json", "print JSON"},
	{"--yes", "do not ask before something destructive"},
	{"--help", "this, or one command's options"},
	{"--man", "the manual page, as man(1) reads it"},
	{"--version", "what this is"},
};
static const struct {
	const char *code, *meaning;
} exits[] = {
	{"0", "done"},
	{"1", "refused, not found, or it did not work; a sentence on stderr says why"},
	{"2", "called wrongly, or a setting is wrong"},
	{"3", "PostgreSQL or Redis does not answer"},
};
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* ---- the usage of one command ---- */

static bool option_is_word(const struct ctl_option *o)
{
	return o->name[0] != '-';
}

static void put_usage(struct buf *b, const struct ctl_command *c)
{
	buf_printf(b, "portalctl %s", c->name);
	for (int i = 0; i < CTL_OPTIONS && c->options[i].name; i++) {
		const struct ctl_option *o = &c->options[i];
		bool bare = option_is_word(o) || o->type == OPTION_FLAG;

		buf_printf(b, o->required ? " %s%s" : " [%s%s]", o->name, bare ? "" : " …");
	}
}

static void put_option_help(struct buf *b, const struct ctl_option *o)
{
	struct str rest = str_of(o->words);

	buf_printf(b, "%s", o->help);
	for (const char *between = ": "; rest.p; between = ", ") {
		struct str word = str_cut(&rest, ' ');

		buf_printf(b, "%s" STR_FMT, between, STR_ARG(word));
	}
}

/* ---- --help ---- */

static void help_command(struct buf *b, const struct ctl_command *c, bool options)
{
	buf_lit(b, "  ");
	put_usage(b, c);
	buf_printf(b, "\n      %s\n", c->help);
	for (int i = 0; options && i < CTL_OPTIONS && c->options[i].name; i++) {
		buf_printf(b, "      %-15s ", c->options[i].name);
		put_option_help(b, &c->options[i]);
		buf_char(b, '\n');
	}
}

void describe_help(struct buf *out, const struct ctl_command *only)
{
	buf_lit(out, "portalctl " PORTAL_VERSION
		     ": operates Portal through its stores (DATABASE_URL, REDIS_URL)\n\n");
	for (size_t i = 0; i < ctl_command_count; i++)
		if (!only || only == &ctl_commands[i])
			help_command(out, &ctl_commands[i], only != NULL);
	buf_char(out, '\n');
	for (size_t i = 0; i < COUNT(common); i++)
		buf_printf(out, "  %-10s %s\n", common[i].name, common[i].help);
	buf_lit(out, "\nIt ends with\n");
	for (size_t i = 0; i < COUNT(exits); i++)
		buf_printf(out, "  %s  %s\n", exits[i].code, exits[i].meaning);
}

/* ---- the manual page ---- */

static void man_command(struct buf *out, const struct ctl_command *c)
{
	struct buf text = {0};

	put_usage(&text, c);
	roff_item(out, buf_view(&text));
	roff_line(out, str_of(c->help));
	for (int i = 0; i < CTL_OPTIONS && c->options[i].name; i++) {
		text.n = 0;
		put_option_help(&text, &c->options[i]);
		buf_lit(out, ".RS\n");
		roff_item(out, str_of(c->options[i].name));
		roff_line(out, buf_view(&text));
		buf_lit(out, ".RE\n");
	}
	buf_free(&text);
}

void describe_man(struct buf *out)
{
	roff_page(out, "portalctl", 1, PORTAL_VERSION, "operates a Portal chat server");
	roff_section(out, "SYNOPSIS");
	roff_text(out, STR("portalctl COMMAND [OPTION …]"));
	roff_section(out, "DESCRIPTION");
	roff_text(out, STR("Works on Portal's stores, PostgreSQL and Redis, with the settings of "
			   "portald(8) (DATABASE_URL, REDIS_URL, SECRET_KEY, PORTAL_CONFIG): also "
			   "when no server runs. Servers that run are told what changed."));
	roff_text(
		out, STR("On a terminal results are tables; --json prints them for scripts. What "
			 "destroys something asks first on a terminal and wants --yes elsewhere."));
	roff_section(out, "COMMANDS");
	for (size_t i = 0; i < ctl_command_count; i++)
		man_command(out, &ctl_commands[i]);
	roff_section(out, "OPTIONS");
	for (size_t i = 0; i < COUNT(common); i++) {
		roff_item(out, str_of(common[i].name));
		roff_line(out, str_of(common[i].help));
	}
	roff_section(out, "EXIT STATUS");
	for (size_t i = 0; i < COUNT(exits); i++) {
		roff_item(out, str_of(exits[i].code));
		roff_line(out, str_of(exits[i].meaning));
	}
	roff_section(out, "SEE ALSO");
	roff_text(out, STR("portald(8)"));
}

/* ---- completion: what may follow, by the command's words and the one before ---- */

/* "user/list", "backup/<star>": as the script sees the words so far. */
static void put_path(struct buf *b, const struct ctl_command *c)
{
	struct str second = str_of(c->name);
	struct str first = str_cut(&second, ' ');

	buf_str(b, first);
	buf_char(b, '/');
	buf_str(b, second.p ? second : STR("*"));
}

static bool option_has_file(const struct ctl_command *c)
{
	for (int i = 0; i < CTL_OPTIONS && c->options[i].name; i++)
		if (c->options[i].type == OPTION_FILE && option_is_word(&c->options[i]))
			return true;
	return false;
}

/* Values of the option that stands before the cursor. */
static void bash_values(struct buf *b, const struct ctl_command *c)
{
	for (int i = 0; i < CTL_OPTIONS && c->options[i].name; i++) {
		const struct ctl_option *o = &c->options[i];

		if (option_is_word(o) || o->type == OPTION_FLAG)
			continue;
		buf_lit(b, "\t");
		put_path(b, c);
		buf_printf(b, "/%s) words='%s'%s ;;\n", o->name, o->words ? o->words : "",
			o->type == OPTION_FILE ? " files=yes" : "");
	}
}

/* Its options, and the words that stand in their place. */
static void bash_command(struct buf *b, const struct ctl_command *c)
{
	buf_lit(b, "\t");
	put_path(b, c);
	buf_lit(b, "/*) words='");
	for (int i = 0; i < CTL_OPTIONS && c->options[i].name; i++) {
		const struct ctl_option *o = &c->options[i];

		if (!option_is_word(o))
			buf_printf(b, "%s ", o->name);
		else if (o->words)
			buf_printf(b, "%s ", o->words);
	}
	buf_printf(b, "--json --yes --help'%s ;;\n", option_has_file(c) ? " files=yes" : "");
}

static struct str first_word(size_t i)
{
	struct str rest = str_of(ctl_commands[i].name);

	return str_cut(&rest, ' ');
}

/* After nothing: the first words. After "user": list show promote. Rows of a noun stand together.
 */
static void bash_words(struct buf *b)
{
	buf_lit(b, "\t//*) words='");
	for (size_t i = 0; i < ctl_command_count; i++)
		if (i == 0 || !str_eq(first_word(i), first_word(i - 1)))
			buf_printf(b, STR_FMT " ", STR_ARG(first_word(i)));
	buf_lit(b, "--help --man --version' ;;\n");
	for (size_t i = 0; i < ctl_command_count; i++) {
		struct str second = str_of(ctl_commands[i].name);
		struct str first = str_cut(&second, ' ');

		if (!second.p)
			continue;
		if (i == 0 || !str_eq(first, first_word(i - 1)))
			buf_printf(b, "\t" STR_FMT "//*) words='", STR_ARG(first));
		buf_str(b, second);
		if (i + 1 < ctl_command_count && str_eq(first, first_word(i + 1)))
			buf_char(b, ' ');
		else
			buf_lit(b, "' ;;\n");
	}
}

void describe_bash(struct buf *out)
{
	buf_lit(out, "_portalctl() {\n"
		     "\tlocal first= second= words= files= i\n"
		     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		     "\t\tcase ${COMP_WORDS[i]} in\n"
		     "\t\t-*) ;;\n"
		     "\t\t*)\n"
		     "\t\t\tif [ -z \"$first\" ]; then first=${COMP_WORDS[i]};\n"
		     "\t\t\telif [ -z \"$second\" ]; then second=${COMP_WORDS[i]}; fi ;;\n"
		     "\t\tesac\n"
		     "\tdone\n"
		     "\tcase $first/$second/${COMP_WORDS[COMP_CWORD - 1]} in\n");
	bash_words(out);
	for (size_t i = 0; i < ctl_command_count; i++)
		bash_values(out, &ctl_commands[i]);
	for (size_t i = 0; i < ctl_command_count; i++)
		bash_command(out, &ctl_commands[i]);
	buf_lit(out, "\tesac\n"
		     "\tCOMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
		     "\tif [ -n \"$files\" ]; then\n"
		     "\t\tlocal IFS=$'\\n'\n"
		     "\t\tCOMPREPLY+=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
		     "\tfi\n"
		     "}\n"
		     "complete -o filenames -F _portalctl portalctl\n");
}
