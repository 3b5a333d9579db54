/* The table of commands; see ctl.h. To add a command: add a row, declare its handler in ctl.h and
 * write it in the file of its noun. */
#include "ctl/ctl.h"

#define WHO                                                                                        \
	{                                                                                          \
		"USER", OPTION_STR, true, "id or username (@name for a name of digits)"            \
	}
#define LIMIT                                                                                      \
	{                                                                                          \
		"--limit", OPTION_INT, false, "how many to show (100)"                             \
	}

const struct ctl_command ctl_commands[] = {
	{"migrate", NEEDS_PG, false, ctl_migrate, "bring the database schema up to date", {{0}}},
	{"user list", NEEDS_PG, false, ctl_user_list, "people, by id",
		{{"--search", OPTION_STR, false, "part of a name, or an id"}, LIMIT}},
	{"user show", NEEDS_PG, false, ctl_user_show, "one person's record", {WHO}},
	{"user promote", NEEDS_PG | WANTS_REDIS, false, ctl_user_promote,
		"set a permission level, up or down; makes the first Owner",
		{WHO, {"--level", OPTION_LEVEL, true, "user, moderator, admin or owner"}}},
	{"bot register", NEEDS_PG, false, ctl_bot_register,
		"register a bot that can sign people in; prints its key, once",
		{{"--name", OPTION_STR, true, "2 to 32 characters"},
			{"--platform", OPTION_STR, true, "one of PLATFORMS"},
			{"--owner", OPTION_STR, false,
				"id or username of the person it belongs to"},
			{"--no-login", OPTION_FLAG, false, "it may not sign people in"},
			{"--rate-limit", OPTION_INT, false,
				"reports and look-ups an hour (1000)"}}},
	{"bot list", NEEDS_PG, false, ctl_bot_list, "registered bots", {{0}}},
	{"bot regenerate-key", NEEDS_PG | WANTS_REDIS, true, ctl_bot_regenerate_key,
		"a new key for a bot; the old one is dead at once",
		{{"BOT", OPTION_INT, true, "id of the bot"}}},
	{"session list", NEEDS_PG, false, ctl_session_list, "a person's live sessions", {WHO}},
	{"session end", NEEDS_PG | WANTS_REDIS, true, ctl_session_end,
		"end one session of a person, or all of them",
		{{"--user", OPTION_STR, true, "id or username"},
			{"--suffix", OPTION_STR, false, "last 6 characters, as session list shows"},
			{"--all", OPTION_FLAG, false, "every session of the person"}}},
	{"subscription grant", NEEDS_PG, false, ctl_subscription_grant,
		"give a person a subscription",
		{WHO, {"--level", OPTION_SUBSCRIPTION, true, "trial, premium or lifetime"},
			{"--days", OPTION_INT, false, "of premium, 1 to 3650 (30); a trial has 7"},
			{"--reason", OPTION_STR, false, "kept in the history"}}},
	{"subscription revoke", NEEDS_PG, true, ctl_subscription_revoke, "take a subscription away",
		{WHO, {"--reason", OPTION_STR, true, "kept in the history"}}},
	{"doctor", NEEDS_NOTHING, false, ctl_doctor,
		"check settings, stores, clock and limits, and say how to mend what is wrong",
		{{0}}},
	{"demo", NEEDS_PG | NEEDS_REDIS, false, ctl_demo,
		"show the pending login codes as the bots would send them (local mode; Ctrl-C ends "
		"it)",
		{{0}}},
};
const size_t ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);
