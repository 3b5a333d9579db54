/* portalctl: the operator's command line. A command is a row of the table in commands.c; `--help`,
 * the manual page and the completion of shells come from it. Commands work against the stores, also
 * when no server runs.
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
	WANTS_REDIS = 4,   /* told when it is there; a server that comes back to it catches up */
	NO_SETTINGS = 8,   /* begins without settings and stores */
	UNTIL_STOPPED = 16 /* Ctrl-C is its end; for others it is a failure */
};

/* What the program ends with. */
enum ctl_exit {
	EXIT_DONE,
	EXIT_FAILED, /* refused, not found, or it did not work */
	EXIT_USAGE,  /* called wrongly, or a setting is wrong */
	EXIT_STORES  /* a store does not answer */
};

enum ctl_option_type {
	OPTION_FLAG,
	OPTION_STR,
	OPTION_INT,
	OPTION_WORD, /* one of `words` */
	OPTION_SPAN, /* seconds: 90, 15m, 2h, 7d */
	OPTION_TIME, /* RFC 3339, or a day */
	OPTION_FILE
};
struct ctl_option {
	const char *name; /* "--limit", or "USER": a word in its place; NULL ends the list */
	enum ctl_option_type type;
	bool required;
	const char *help;
	const char *words; /* "user moderator admin owner" */
};

#define CTL_OPTIONS 10
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

/* ---- the words of this call (words.c) ---- */
/* Fills what the functions below answer; ends the program for --help and for what is wrong. */
const struct ctl_command *ctl_words(int argc, char **argv);
/* The command's options by name. */
bool ctl_has(const char *name);
struct str ctl_str(const char *name); /* STR_NULL when absent */
/* Of OPTION_WORD: its place in `words`; of OPTION_SPAN: seconds; of OPTION_TIME: us. */
int64_t ctl_int(const char *name, int64_t absent);
bool ctl_is_json(void);
/* May this be done? --yes says so, else the person at the terminal; without one the program ends
 * with EXIT_USAGE. `what`: "session end", "restore over …". */
bool ctl_sure(const char *what);

const char *ctl_level_name(int level);        /* "admin" */
const char *ctl_subscription_name(int level); /* "premium" */

/* ---- the result (main.c) ---- */
/* ctl_done ends the task and the program with EXIT_DONE. */
struct json_out *ctl_json(void);
void ctl_done(struct task *t);
/* Ends with a sentence on stderr and EXIT_FAILED. */
void ctl_fail(struct task *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* False, and the command fails: the option is there and not UTF-8 of so many characters. */
bool ctl_length_ok(struct task *t, const char *name, size_t least, size_t most);
/* A line on stderr, not with --json. */
void ctl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* How far it has come: one line that is written anew, on a terminal only. */
void ctl_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* For commands that go on until Ctrl-C (demo) and for text: prints at once to stdout. */
void ctl_print_line(struct str line);

/* health.c: where portald serves: --url, else LISTEN as seen from this machine. STR_NULL: a setting
 * is wrong, and the command has failed. */
struct str ctl_server(struct task *t);

/* print.c: `text` is JSON. */
void ctl_print(struct str text, bool as_json);
/* All that was printed has arrived; else says so on stderr. */
bool ctl_printed(void);

/* ---- from the table (describe.c) ---- */
void describe_help(struct buf *out, const struct ctl_command *only); /* NULL: all */
void describe_man(struct buf *out);
void describe_bash(struct buf *out);

/* The commands, one file a noun. */
task_fn ctl_migrate, ctl_user_list, ctl_user_show, ctl_user_promote, ctl_user_warn,
	ctl_user_timeout, ctl_user_ban, ctl_user_unban, ctl_user_mute, ctl_user_unmute,
	ctl_bot_register, ctl_bot_list, ctl_bot_update, ctl_bot_regenerate_key, ctl_bot_reset_stats,
	ctl_bot_delete, ctl_chat_list, ctl_chat_show, ctl_chat_create, ctl_chat_update,
	ctl_chat_delete, ctl_chat_kick, ctl_chat_transfer, ctl_session_list, ctl_session_end,
	ctl_subscription_grant, ctl_subscription_revoke, ctl_subscription_active, ctl_audit_list,
	ctl_audit_verify, ctl_audit_export, ctl_audit_prune, ctl_notification_send,
	ctl_announcement_create, ctl_announcement_list, ctl_announcement_delete, ctl_match_status,
	ctl_config_check, ctl_backup, ctl_restore, ctl_top, ctl_health, ctl_completion, ctl_doctor,
	ctl_demo;

#endif
