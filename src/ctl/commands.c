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

const struct ctl_command ctl_commands[] = {
	{"migrate", NEEDS_PG, false, ctl_migrate, "bring the database schema up to date", {{0}}},
	{"user list", NEEDS_PG, false, ctl_user_list, "people, by id",
		{{"--search", OPTION_STR, false, "part of a name, or an id", NULL}, LIMIT}},
	{"user show", NEEDS_PG, false, ctl_user_show, "one person's record", {WHO}},
	{"user promote", NEEDS_PG | WANTS_REDIS, false, ctl_user_promote,
		"set a permission level, up or down; makes the first Owner",
		{WHO, {"--level", OPTION_WORD, true, "one of", "user moderator admin owner"}}},
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
	{"bot regenerate-key", NEEDS_PG | WANTS_REDIS, true, ctl_bot_regenerate_key,
		"a new key for a bot; the old one is dead at once",
		{{"BOT", OPTION_INT, true, "id of the bot", NULL}}},
	{"chat list", NEEDS_PG | NEEDS_REDIS, false, ctl_chat_list,
		"official, public and private chats, by id",
		{{"--search", OPTION_STR, false, "part of a name or slug", NULL}, LIMIT}},
	{"chat show", NEEDS_PG | NEEDS_REDIS, false, ctl_chat_show, "one chat and its people",
		{CHAT, LIMIT}},
	{"chat create", NEEDS_PG | NEEDS_REDIS, false, ctl_chat_create,
		"make a chat: official, public with a slug, else private",
		{{"--name", OPTION_STR, true, "2 to 64 characters", NULL},
			{"--owner", OPTION_STR, true, "id or username of the person it belongs to",
				NULL},
			{"--slug", OPTION_STR, false, "2 to 32 of a-z0-9-", NULL},
			{"--description", OPTION_STR, false, "at most 500 characters", NULL},
			{"--official", OPTION_FLAG, false, "listed first, for everyone", NULL}}},
	{"chat delete", NEEDS_PG | NEEDS_REDIS, true, ctl_chat_delete,
		"destroy a chat with its messages; who is in it is told", {CHAT}},
	{"session list", NEEDS_PG, false, ctl_session_list, "a person's live sessions", {WHO}},
	{"session end", NEEDS_PG | WANTS_REDIS, true, ctl_session_end,
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
	{"config check", NO_SETTINGS, false, ctl_config_check,
		"read the settings as portald would, and start nothing",
		{{"FILE", OPTION_FILE, false, "instead of the one PORTAL_CONFIG names", NULL}}},
	{"backup", NEEDS_PG | NEEDS_REDIS, false, ctl_backup,
		"write people, chats and messages to one file, also while servers run",
		{{"FILE", OPTION_FILE, true, "a new file, or a folder to make one in", NULL}}},
	{"restore", NEEDS_PG | NEEDS_REDIS, false, ctl_restore,
		"bring a backup back, while no server runs; asks before stores that are in use go",
		{{"FILE", OPTION_FILE, true, "of portalctl backup", NULL},
			{"--keep-sessions", OPTION_FLAG, false,
				"people stay signed in, also those who were signed out since",
				NULL}}},
	{"doctor", NEEDS_NOTHING, false, ctl_doctor,
		"check settings, stores, clock and limits, and say how to mend what is wrong",
		{{0}}},
	{"demo", NEEDS_PG | NEEDS_REDIS, false, ctl_demo,
		"show the pending login codes as the bots would send them (local mode; Ctrl-C ends "
		"it)",
		{{0}}},
	{"completion", NO_SETTINGS, false, ctl_completion,
		"what a shell needs to complete these commands",
		{{"SHELL", OPTION_WORD, true, "one of", "bash zsh"}}},
};
const size_t ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);
