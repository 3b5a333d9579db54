/* portalctl: the operator's command line. A command is a row of the table in commands.c; `--help`
 * comes from it. Commands work against the stores, also when no server runs.
 *
 * A command is a task. It writes one JSON value; --json prints it as it is, else an array of
 * objects becomes a table and an object a list of names and values (print.c). */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "base/json.h"
#include "io/task.h"

enum ctl_needs {
	NEEDS_NOTHING = 0,
	NEEDS_PG = 1,
	NEEDS_REDIS = 2,
	WANTS_REDIS = 4 /* told when it is there; a server that comes back to it catches up */
};

enum ctl_option_type {
	OPTION_FLAG,
	OPTION_STR,
	OPTION_INT,
	OPTION_LEVEL,       /* user moderator admin owner */
	OPTION_SUBSCRIPTION /* trial premium lifetime */
};
struct ctl_option {
	const char *name; /* "--limit", or "USER": a word in its place; NULL ends the list */
	enum ctl_option_type type;
	bool required;
	const char *help;
};

#define CTL_OPTIONS 8
struct ctl_command {
	const char *name; /* "user list" */
	unsigned needs;   /* of enum ctl_needs */
	bool destructive; /* asks on a terminal, wants --yes elsewhere */
	task_fn *begin;
	const char *help;
	struct ctl_option options[CTL_OPTIONS];
};
extern const struct ctl_command ctl_commands[];
extern const size_t ctl_command_count;

/* Inside a command: its options by name. */
bool ctl_has(const char *name);
struct str ctl_str(const char *name); /* STR_NULL when absent */
int64_t ctl_int(const char *name, int64_t absent);
const char *ctl_level_name(int level);        /* "admin" */
const char *ctl_subscription_name(int level); /* "premium" */

/* The result. ctl_done ends the task and the program with exit code 0. */
struct json_out *ctl_json(void);
void ctl_done(struct task *t);
/* Ends with a sentence on stderr and exit code 1. */
void ctl_fail(struct task *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line of progress on stderr, only on a terminal or when nothing else tells. */
void ctl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* For commands that go on until Ctrl-C (demo): prints at once to stdout. */
void ctl_print_line(struct str line);

/* print.c: `text` is JSON. */
void ctl_print(struct str text, bool as_json);

bool ctl_is_json(void);

/* The commands, one file a noun. */
task_fn ctl_migrate, ctl_user_list, ctl_user_show, ctl_user_promote, ctl_bot_register, ctl_bot_list,
	ctl_bot_regenerate_key, ctl_session_list, ctl_session_end, ctl_subscription_grant,
	ctl_subscription_revoke, ctl_doctor, ctl_demo;

#endif
