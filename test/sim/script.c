/* Runs the scripts of schema/redis/ as Redis does: Lua 5.1, KEYS and ARGV, redis.call (redis.h).
 * Owns the one interpreter. To run another script: enum script and `script_names`. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis.h"
#include "sim.h"

#define WORDS 64

const char *const script_names[SCRIPTS] = {"match_try", "match_drop", "match_due", "match_end",
	"match_started", "match_block", "room_join", "room_leave", "socket_count", "process_sweep"};

static lua_State *lua;
static int compiled[SCRIPTS]; /* references */
static int result = LUA_NOREF;

static int redis_call(lua_State *l)
{
	const char *argv[WORDS];
	char numbers[WORDS][40];
	int n = lua_gettop(l);

	if (n == 0 || n > WORDS)
		die("redis.call with %d words", n);
	for (int i = 0; i < n; i++) {
		if (lua_type(l, i + 1) == LUA_TNUMBER) {
			snprintf(numbers[i], sizeof(numbers[i]), "%.17g", lua_tonumber(l, i + 1));
			argv[i] = numbers[i];
		} else if (lua_type(l, i + 1) == LUA_TSTRING) {
			argv[i] = lua_tostring(l, i + 1);
		} else {
			return luaL_error(
				l, "redis.call: word %d is a %s", i + 1, luaL_typename(l, i + 1));
		}
	}
	redis_run(l, n, argv);
	return 1;
}

static int no_global(lua_State *l)
{
	return luaL_error(l, "a global variable: %s", lua_tostring(l, 2));
}

static void machine_open(void)
{
	lua = must(luaL_newstate());
	luaL_openlibs(lua);
	lua_newtable(lua);
	lua_pushcfunction(lua, redis_call);
	lua_setfield(lua, -2, "call");
	lua_setglobal(lua, "redis");
	lua_newtable(lua);
	lua_setglobal(lua, "KEYS");
	lua_newtable(lua);
	lua_setglobal(lua, "ARGV");
	lua_newtable(lua);
	lua_pushcfunction(lua, no_global);
	lua_setfield(lua, -2, "__index");
	lua_pushcfunction(lua, no_global);
	lua_setfield(lua, -2, "__newindex");
	lua_setmetatable(lua, LUA_GLOBALSINDEX);
}

/* Its memory is lost: it cannot be closed from inside a call. */
void script_forget(void)
{
	lua = NULL;
}

static char *source_of(const char *name)
{
	static char text[65536];
	char path[128];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "schema/redis/%s.lua", name);
	f = fopen(path, "r");
	if (!f)
		die("%s: run it from the root of the tree", path);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

static void compile(enum script s, const char *source)
{
	if (luaL_loadbuffer(lua, source, strlen(source), script_names[s]) != 0)
		die("%s", lua_tostring(lua, -1));
	compiled[s] = luaL_ref(lua, LUA_REGISTRYINDEX);
}

void script_load_plain(void)
{
	if (lua)
		lua_close(lua);
	result = LUA_NOREF;
	machine_open();
	for (int s = 0; s < SCRIPTS; s++)
		compile((enum script)s, source_of(script_names[s]));
}

void script_load(enum script faulty, const char *from, const char *to)
{
	static char changed[66000];
	const char *source, *at;

	script_load_plain();
	source = source_of(script_names[faulty]);
	at = strstr(source, from);
	if (!at || strstr(at + 1, from))
		die("%s.lua: not there, or more than once: %s", script_names[faulty], from);
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - source), source, to,
		at + strlen(from));
	luaL_unref(lua, LUA_REGISTRYINDEX, compiled[faulty]);
	compile(faulty, changed);
}

static void words_set(const char *name, const char **words, int n)
{
	lua_createtable(lua, n, 0);
	for (int i = 0; i < n; i++) {
		lua_pushstring(lua, words[i]);
		lua_rawseti(lua, -2, i + 1);
	}
	lua_pushstring(lua, name);
	lua_insert(lua, -2);
	lua_rawset(lua, LUA_GLOBALSINDEX);
}

void script_run(enum script s, const char **words)
{
	int keys = 0, n;

	while (strcmp(words[keys], "|") != 0)
		keys++;
	for (n = keys + 1; words[n];)
		n++;
	words_set("KEYS", words, keys);
	words_set("ARGV", words + keys + 1, n - keys - 1);
	luaL_unref(lua, LUA_REGISTRYINDEX, result);
	result = LUA_NOREF;
	lua_rawgeti(lua, LUA_REGISTRYINDEX, compiled[s]);
	if (lua_pcall(lua, 0, 1, 0) != 0)
		die("%s", lua_tostring(lua, -1));
	result = luaL_ref(lua, LUA_REGISTRYINDEX);
}

/* Pushes the list at a place of the answer, -1: the answer. */
static void push_list(int at)
{
	lua_rawgeti(lua, LUA_REGISTRYINDEX, result);
	if (at >= 0 && lua_istable(lua, -1)) {
		lua_rawgeti(lua, -1, at + 1);
		lua_remove(lua, -2);
	}
}

int answer_n(int at)
{
	int n;

	push_list(at);
	n = lua_istable(lua, -1) ? (int)lua_objlen(lua, -1) : 0;
	lua_pop(lua, 1);
	return n;
}

const char *answer_text(int at, int i)
{
	const char *text = NULL;

	push_list(at);
	if (lua_istable(lua, -1)) {
		lua_rawgeti(lua, -1, i + 1);
		if (lua_type(lua, -1) == LUA_TSTRING)
			text = lua_tostring(lua, -1); /* the table keeps it */
		lua_pop(lua, 1);
	}
	lua_pop(lua, 1);
	return text ? text : "";
}

int64_t answer(int at)
{
	int64_t n = 0;

	push_list(-1);
	if (lua_istable(lua, -1)) {
		lua_rawgeti(lua, -1, at + 1);
		n = (int64_t)lua_tonumber(lua, -1);
		lua_pop(lua, 1);
	}
	lua_pop(lua, 1);
	return n;
}

void redis_do(const char *fmt, ...)
{
	static char line[512];
	const char *argv[WORDS];
	char *save = NULL;
	int n = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *w = strtok_r(line, " ", &save); w && n < WORDS; w = strtok_r(NULL, " ", &save)) {
		argv[n++] = w;
		while ((w = strchr(w, '~')) != NULL)
			*w = ' ';
	}
	redis_run(lua, n, argv);
	lua_pop(lua, 1);
}
