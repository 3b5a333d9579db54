/* Faults to plant: a line of a script, changed. Each must be found by the simulator (main.c: --faults).
 * To plant another, add a row; `from` must stand in the script exactly once. */
#include "sim.h"

const struct planted planted[] = {
	{"who is paired stays in the queues", MATCH_TRY, "  unqueue(who, t)\n  redis.call('DEL', ticket_key(who))",
		"  redis.call('DEL', ticket_key(who))"},
	{"a queue is left out when somebody goes", MATCH_DROP, "  redis.call('ZREM', 'portal:match:queue:' .. tag, user)",
		"  if tag ~= 'music' then redis.call('ZREM', 'portal:match:queue:' .. tag, user) end"},
	{"the ticket stays", MATCH_TRY, "  redis.call('DEL', ticket_key(who))\n", ""},
	{"only the own blocks are looked at", MATCH_TRY, " or t.blocked:find(' ' .. user .. ' ', 1, true)", ""},
	{"a block that was just made is not read", MATCH_TRY, "late[i + 1] == '1' and", "false and"},
	{"newest first", MATCH_TRY, "if who and place < least then", "if who and (not found or place > least) then"},
	{"only ten seconds for one of the two", MATCH_TRY, "math.max(me.since, t.since)", "math.min(me.since, t.since)"},
	{"recent partners are never met again", MATCH_TRY, "      late = late or {who, t}", ""},
	{"nobody looks again at recent partners", MATCH_TRY, "    redis.call('ZADD', 'portal:match:retry', ms(retry), user)", ""},
	{"who went away is paired", MATCH_TRY, "  if t.had and not connected(who) then\n    go_away(who, t)\n  else",
		"  "},
	{"in a chat and yet begins a search", MATCH_TRY, "if in_chat then", "if in_chat and ARGV[4] ~= '1' then"},
	{"a search of a closed account begins", MATCH_TRY, "EXISTS', 'portal:match:closed:'", "EXISTS', 'portal:match:close:'"},
	{"the chat ends though nothing is due", MATCH_END, "  if not due or tonumber(due) > now then", "  if not due then"},
	{"a grace stays behind", MATCH_END, "  redis.call('ZREM', 'portal:match:graces', chat .. ':' .. user)\n", ""},
	{"partners are not remembered", MATCH_END, "redis.call('ZADD', recent, string.format('%.0f', now + ARGV[5]), peer)", ""},
	{"a place is lost at once", MATCH_DROP, "t[3] and tonumber(t[3]) <= now", "t[3]"},
	{"a socket does not keep a search alive", MATCH_DROP, "if here or not (over or lost) then", "if not (over or lost) then"},
	{"a grace goes on when they are back", ROOM_JOIN,
		"if redis.call('ZREM', 'portal:match:graces', chat .. ':' .. user) == 1 and",
		"if redis.call('ZSCORE', 'portal:match:graces', chat .. ':' .. user) and"},
	{"nobody hears that they are back", ROOM_JOIN, "'r room:peer_back - -", "'r room:peer_here - -"},
	{"a session of two ends the presence", ROOM_LEAVE, "if redis.call('HINCRBY', KEYS[3], user, -1) <= 0 then",
		"if redis.call('HINCRBY', KEYS[3], user, -1) <= 1 then"},
	{"the dead process' people are not looked at", PROCESS_SWEEP,
		"      redis.call('SADD', 'portal:match:look', user)", ""},
	{"a start shortens graces", MATCH_STARTED, "'-inf', '(' .. least)", "'-inf', '+inf')"},
};
const int planted_n = sizeof(planted) / sizeof(*planted);
