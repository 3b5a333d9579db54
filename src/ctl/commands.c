/* The table of commands; see ctl.h. To add a command: add a row beside those of its noun, declare
 * its handler in ctl.h and write it in the file of its noun. */
#include "ctl/ctl.h"

#define WHO                                                                                        \
	{                                                                                          \
		"USER", OPTION_STR, true, "id or username (@name for a name of digits)", NULL      \
	}
#define LIMIT                                                                                      \
	{                                                                                          \
		"--limit", OPTION_INT, false, "how many to show (100)", NULL                       \
	}
#define CHAT                                                                                       \
	{                                                                                          \
		"CHAT", OPTION_INT, true, "id of the chat", NULL                                   \
	}
#define BOT                                                                                        \
	{                                                                                          \
		"BOT", OPTION_INT, true, "id of the bot", NULL                                     \
	}
#define REASON                                                                                     \
	{                                                                                          \
		"--reason", OPTION_STR, false, "for the records and the person", NULL              \
	}
#define WORDS                                                                                      \
	{"--title", OPTION_STR, true, "at most 100 characters", NULL},                             \
		{"--body", OPTION_STR, true, "at most 1000 characters", NULL},                     \
	{                                                                                          \
		"--type", OPTION_WORD, false, "one of", "info success warning error"               \
	}
#define LEVELS     "user moderator admin owner"
#define BOTH       (NEEDS_PG | NEEDS_REDIS)
#define PG_TO_TELL (NEEDS_PG | WANTS_REDIS)

const struct ctl_command ctl_commands[] = {
	{"migrate", NEEDS_PG, false, ctl_migrate, "bring the database schema up to date", {{0}}},
	{"user list", NEEDS_PG, false, ctl_user_list, "people, by id",
		{{"--search", OPTION_STR, false, "part of a name, or an id", NULL},
			{"--state", OPTION_WORD, false, "one of", "active timeout banned"},
			{"--level", OPTION_WORD, false, "one of", LEVELS}, LIMIT}},
	{"user show", NEEDS_PG, false, ctl_user_show, "everything about one person", {WHO}},
	{"user promote", PG_TO_TELL, false, ctl_user_promote,
		"set a permission level, up or down; makes the first Owner",
		{WHO, {"--level", OPTION_WORD, true, "one of", LEVELS}}},
	{"user warn", PG_TO_TELL, false, ctl_user_warn, "warn a person, who is notified",
		{WHO, REASON}},
	{"user timeout", PG_TO_TELL, false, ctl_user_timeout,
		"sign a person out, who cannot sign in until it is over",
		{WHO, {"--for", OPTION_SPAN, true, "a minute to 30d", NULL}, REASON}},
	{"user ban", PG_TO_TELL, true, ctl_user_ban,
		"sign a person out for good; searches and direct chats end",
		{WHO, {"--for", OPTION_SPAN, false, "for ever without it", NULL}, REASON}},
	{"user unban", PG_TO_TELL, false, ctl_user_unban, "lift a ban, or a timeout",
		{WHO, REASON}},
	{"user mute", PG_TO_TELL, false, ctl_user_mute, "a person may not write anywhere",
		{WHO, {"--for", OPTION_SPAN, false, "until it is lifted without it", NULL},
			REASON}},
	{"user unmute", PG_TO_TELL, false, ctl_user_unmute, "lift a mute that holds everywhere",
		{WHO, REASON}},
	{"bot register", NEEDS_PG, false, ctl_bot_register,
		"register a bot that can sign people in; prints its key, once",
		{{"--name", OPTION_STR, true, "2 to 32 characters", NULL},
			{"--platform", OPTION_STR, true, "one of PLATFORMS", NULL},
			{"--owner", OPTION_STR, false, "id or username of the person it belongs to",
				NULL},
			{"--no-login", OPTION_FLAG, false, "it may not sign people in", NULL},
			{"--rate-limit", OPTION_INT, false, "reports and look-ups an hour (1000)",
				NULL}}},
	{"bot list", NEEDS_PG, false, ctl_bot_list, "registered bots", {{0}}},
	{"bot update", PG_TO_TELL, false, ctl_bot_update, "change a bot",
		{BOT, {"--name", OPTION_STR, false, "2 to 32 characters", NULL},
			{"--owner", OPTION_STR, false, "id or username of the new owner", NULL},
			{"--rate-limit", OPTION_INT, false, "reports and look-ups an hour", NULL},
			{"--type", OPTION_WORD, false, "one of", "official verified community"},
			{"--active", OPTION_WORD, false, "one of", "no yes"},
			{"--login", OPTION_WORD, false, "may it sign people in", "no yes"}}},
	{"bot regenerate-key", PG_TO_TELL, true, ctl_bot_regenerate_key,
		"a new key for a bot; the old one is dead at once", {BOT}},
	{"bot reset-stats", PG_TO_TELL, false, ctl_bot_reset_stats,
		"forget what a bot has reported", {BOT}},
	{"bot delete", PG_TO_TELL, true, ctl_bot_delete, "a bot and its key are gone", {BOT}},
	{"chat list", BOTH, false, ctl_chat_list, "official, public and private chats, by id",
		{{"--search", OPTION_STR, false, "part of a name or slug", NULL}, LIMIT}},
	{"chat show", BOTH, false, ctl_chat_show, "one chat and its people", {CHAT, LIMIT}},
	{"chat create", BOTH, false, ctl_chat_create,
		"make a chat: official, public with a slug, else private",
		{{"--name", OPTION_STR, true, "2 to 64 characters", NULL},
			{"--owner", OPTION_STR, true, "id or username of the person it belongs to",
				NULL},
			{"--slug", OPTION_STR, false, "2 to 32 of a-z0-9-", NULL},
			{"--description", OPTION_STR, false, "at most 500 characters", NULL},
			{"--official", OPTION_FLAG, false, "listed first, for everyone", NULL}}},
	{"chat update", BOTH, false, ctl_chat_update, "change a chat; who is in it is told",
		{CHAT, {"--name", OPTION_STR, false, "2 to 64 characters", NULL},
			{"--description", OPTION_STR, false, "at most 500 characters", NULL},
			{"--slug", OPTION_STR, false, "makes it public", NULL},
			{"--private", OPTION_FLAG, false, "takes the slug away", NULL},
			{"--label", OPTION_STR, false, "shown beside the name; '': none", NULL},
			{"--wipe", OPTION_WORD, false, "messages are wiped after",
				"1m 15m 1h 4h 24h off"},
			{"--history", OPTION_WORD, false, "do who join see what was before",
				"no yes"}}},
	{"chat delete", BOTH, true, ctl_chat_delete,
		"destroy a chat with its messages; who is in it is told", {CHAT}},
	{"chat kick", BOTH, false, ctl_chat_kick, "put a person out of a chat",
		{CHAT, WHO, REASON}},
	{"chat transfer", BOTH, false, ctl_chat_transfer, "give a chat to another person",
		{CHAT, WHO}},
	{"session list", NEEDS_PG, false, ctl_session_list, "a person's live sessions", {WHO}},
	{"session end", PG_TO_TELL, true, ctl_session_end,
		"end one session of a person, or all of them",
		{{"--user", OPTION_STR, true, "id or username", NULL},
			{"--suffix", OPTION_STR, false, "last 6 characters, as session list shows",
				NULL},
			{"--all", OPTION_FLAG, false, "every session of the person", NULL}}},
	{"subscription grant", NEEDS_PG, false, ctl_subscription_grant,
		"give a person a subscription",
		{WHO, {"--level", OPTION_WORD, true, "one of", "trial premium lifetime"},
			{"--days", OPTION_INT, false, "of premium, 1 to 3650 (30); a trial has 7",
				NULL},
			{"--reason", OPTION_STR, false, "kept in the history", NULL}}},
	{"subscription revoke", NEEDS_PG, true, ctl_subscription_revoke, "take a subscription away",
		{WHO, {"--reason", OPTION_STR, true, "kept in the history", NULL}}},
	{"subscription active", NEEDS_PG, false, ctl_subscription_active,
		"subscriptions that count; those that end first come first", {LIMIT}},
	{"notification send", PG_TO_TELL, false, ctl_notification_send,
		"tell people something, or everyone",
		{{"--to", OPTION_STR, true, "all, or ids and usernames: anna,17,bert", NULL},
			WORDS}},
	{"announcement create", PG_TO_TELL, false, ctl_announcement_create,
		"tell everyone, signed in or not, until it expires",
		{WORDS, {"--for", OPTION_SPAN, false, "until it is deleted without it", NULL}}},
	{"announcement list", NEEDS_PG, false, ctl_announcement_list,
		"those that are shown now, newest first", {LIMIT}},
	{"announcement delete", NEEDS_PG, false, ctl_announcement_delete, "show it no longer",
		{{"ANNOUNCEMENT", OPTION_INT, true, "id of the announcement", NULL}}},
	{"match status", NEEDS_REDIS, false, ctl_match_status,
		"who searches, for what, how long; direct chats and graces that run", {{0}}},
	{"audit list", NEEDS_PG, false, ctl_audit_list, "the audit log, newest first",
		{{"--event", OPTION_STR, false, "as platform.ban", NULL},
			{"--actor", OPTION_STR, false, "who did it", NULL},
			{"--target", OPTION_STR, false, "to whom", NULL},
			{"--from", OPTION_TIME, false, "a day or a time", NULL},
			{"--to", OPTION_TIME, false, "before this day or time", NULL}, LIMIT}},
	{"audit verify", NEEDS_PG, false, ctl_audit_verify,
		"find the first entry that was altered or is missing; prints a mark to keep",
		{{"--mark", OPTION_STR, false, "of an earlier run: what was then must still be so",
			NULL}}},
	{"audit export", NEEDS_PG, false, ctl_audit_export,
		"write the log to a new file, an entry a line; prints the mark of the last",
		{{"FILE", OPTION_FILE, true, "to write", NULL},
			{"--before", OPTION_TIME, false, "only what is older than this day or time",
				NULL}}},
	{"audit prune", NEEDS_PG, true, ctl_audit_prune,
		"delete what was exported; the rest of the chain stays provable",
		{{"MARK", OPTION_STR, true, "ID:HASH of the last to go, as audit export prints it",
			NULL}}},
	{"config check", NO_SETTINGS, false, ctl_config_check,
		"read the settings as portald would, and start nothing",
		{{"FILE", OPTION_FILE, false, "instead of the one PORTAL_CONFIG names", NULL}}},
	{"backup", BOTH, false, ctl_backup,
		"write people, chats and messages to one file, also while servers run",
		{{"FILE", OPTION_FILE, true, "a new file, or a folder to make one in", NULL}}},
	{"restore", BOTH, false, ctl_restore,
		"bring a backup back, while no server runs; asks before stores that are in use go",
		{{"FILE", OPTION_FILE, true, "of portalctl backup", NULL},
			{"--keep-sessions", OPTION_FLAG, false,
				"people stay signed in, also those who were signed out since",
				NULL}}},
	{"top", NO_SETTINGS | UNTIL_STOPPED, false, ctl_top,
		"what a server is doing: requests, sockets, rooms, stores, loop; each second",
		{{"--url", OPTION_STR, false, "http://host:port or unix:/socket (from LISTEN)",
			 NULL},
			{"--once", OPTION_FLAG, false, "the figures of one second, then ends",
				NULL}}},
	{"health", NO_SETTINGS, false, ctl_health,
		"does the server here answer? for health checks; asks /livez",
		{{"--url", OPTION_STR, false, "http://host:port or unix:/socket (from LISTEN)",
			 NULL},
			{"--ready", OPTION_FLAG, false, "asks /readyz: has it both stores, too?",
				NULL}}},
	{"doctor", NEEDS_NOTHING, false, ctl_doctor,
		"check settings, stores, clock and limits, and say how to mend what is wrong",
		{{0}}},
	{"demo", BOTH | UNTIL_STOPPED, false, ctl_demo,
		"show the pending login codes as the bots would send them (local mode; Ctrl-C ends "
		"it)",
		{{0}}},
	{"completion", NO_SETTINGS, false, ctl_completion,
		"what a shell needs to complete these commands",
		{{"SHELL", OPTION_WORD, true, "one of", "bash zsh"}}},
};
const size_t ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);
