/* The table of endpoints, their fields and the shapes of their answers. Nothing but data: the
 * router, the gate, the validator, /openapi.json, /docs and docs/api.md read it (api/route.h).
 *
 * To add an endpoint: add its row here, its first step to api/handlers.h, and write that step in
 * the file of its noun. A shape that two endpoints share gets a name in shape_names. */
#include "api/route.h"
#include "api/handlers.h"
#include "api/rows.h"
#include "rules/subscription.h"

#define PLATFORM_FIELDS                                                                            \
	NEED_STR("platform", CHARS_PLATFORM, 1, 64, "where the account is"),                       \
		NEED_STR("platform_user_id", CHARS_PLATFORM_ID, 1, 64,                             \
			"the person's id there; digits for discord and telegram")
#define BOT_CODE_FIELDS                                                                            \
	PLATFORM_FIELDS,                                                                           \
		NEED_STR("platform_username", CHARS_ANY, 0, 128, "the person's name there"),       \
		NEED_STR("platform_avatar_url", CHARS_HTTPS_URL, 0, 512,                           \
			"the person's picture there, \"\": none")
#define CODE_FIELD NEED_STR("code", CHARS_CODE, 8, 8, "case-sensitive")

#define CHAT_ID     PATH_ID("of the chat")
#define INVITE_CODE PATH_STR("code", CHARS_ANY, 1, 64, "of an invite, or a slug")
#define SLUG_FIELD  MAY_STR("slug", CHARS_SLUG, 2, 32, "its address; makes it public")
#define CHAT_FIELDS                                                                                \
	MAY_STR("name", CHARS_ANY, 2, 64, "shown to people"),                                      \
		MAY_STR("description", CHARS_TEXT, 0, 500, "shown to people"),                     \
		MAY_STR("slug", CHARS_SLUG, 2, 32, "makes it public; null: private"),              \
		MAY_WORD("wipe_preset", IN_BODY, "1m 15m 1h 4h 24h off",                           \
			"how long after its first message a chat is emptied"),                     \
		MAY_BOOL("history_visible", "may those who join read what was before")

#define MESSAGE_FIELDS                                                                             \
	NEED_STR("content", CHARS_RAW, 0, 65536,                                                   \
		"a CiphertextV2 bundle: {\"v\":2,\"epoch\":N,\"ct\":\"<base64>\"}, at most 4096 "  \
		"characters"),                                                                     \
		MAY_STR("client_id", CHARS_CLIENT_ID, 1, 36, "names the message to its sender")
#define MESSAGE_ERRORS                                                                             \
	"BAD_CIPHERTEXT CHAT_NOT_FOUND BANNED MUTED NOT_JOINED EPOCH_MISMATCH NO_ROOM_KEY "        \
	"MESSAGE_RATE"

#define INTEREST_FIELDS                                                                            \
	MAY_STR("interest", CHARS_ANY, 3, 12, "a tag, or \"any\""),                                \
	{                                                                                          \
		.name = "interests", .in = IN_BODY, .type = FIELD_STRS, .nullable = true,          \
		.min = 1, .max = 3,                                                                \
		.help = "tags: \"any\", or 3 to 12 characters of a-z and 0-9; this or "            \
			"`interest`"                                                               \
	}

/* clang-format off */
const struct shape_name shape_names[] = {
	{"person", "{id:int, username:str, avatar_url:str?}", "A person in a list."},
	{"profile", "{id:int, username:str, avatar_url:str?, subscription_level:int}", "What everyone may see of a person."},
	{"identity",
	 "{platform:str, platform_user_id:str, platform_username:str, platform_avatar_url:str,"
	 " linked_at:time, last_authenticated_at:time?}",
	 "A person's account on a platform."},
	{"user",
	 "{id:int, username:str, avatar_url:str?, permission_level:int, subscription_level:int,"
	 " subscription_expires_at:time?, subscription_granted_by:int?, state:(active|timeout|banned),"
	 " last_activity_at:time?, permission_since:time?, avatar_source:str, linked_platforms:[@identity],"
	 " created_at:time, updated_at:time}",
	 "What a person sees of the own account."},
	{"bot",
	 "{id:int, name:str, platform:str, avatar_url:str?, groups:int, users:int, latency_ms:int?,"
	 " is_verified:bool, last_activity_at:time?, created_at:time, updated_at:time,"
	 " owner_id?:int?, bot_type?:int, is_active?:bool, rate_limit_per_hour?:int}",
	 "A bot; the last four only for Admins and above."},
	{"bot_full",
	 "{id:int, name:str, platform:str, avatar_url:str?, groups:int, users:int, latency_ms:int?,"
	 " is_verified:bool, last_activity_at:time?, created_at:time, updated_at:time,"
	 " owner_id:int?, bot_type:int, is_active:bool, rate_limit_per_hour:int, login:bool, group_ids:[str]}",
	 "A bot with everything that is kept of it."},
	{"chat",
	 "{id:int, chat_type:(group|direct), name:str, owner:@person?, visibility:(official|public|private|direct),"
	 " label:str?, slug:str?, description:str, avatar_url:str?, archived:bool, member_count:int, online:int,"
	 " created_at:time, last_activity_at:time, config?:{wipe_preset:str, history_visible:bool}}",
	 "A chat; `config` only for those who manage it."},
	{"chat_person", "{id:int, username:str, avatar_url:str?, permission_level:int}", "A person as chats show them."},
	{"match",
	 "{state:(idle|searching|matched), interests:[str], queued_at:time?, expires_at:time?,"
	 " chat:{chat:@chat, peer:{user:@chat_person}, expires_at:time}?}",
	 "Where a person stands with the matcher; `interests`: of the search, or those that matched."},
	{"invite",
	 "{code:str, chat_id:int, created_by_id:int, created_at:time, expires_at:time?, uses:int, max_uses:int?}",
	 "An invite to a chat; `max_uses` null: any number."},
	{"history_item",
	 "{chat_id:int, chat_name:str, id:str, sender:@chat_person?, permission_level:int, content:str, type:(user|system),"
	 " epoch:int, timestamp:time, client_id:str?}",
	 "A message; those of the system are plaintext, of epoch 0."},
	{"notification",
	 "{id:int, title:str, body:str, type:(info|success|warning|error), read_at:time?, created_at:time, created_by:int?}",
	 "A notification; `created_by` null: the server."},
	{"announcement", "{@notification, expires_at:time?}", "An announcement, which nobody reads; `expires_at` null: never."},
	{"user_counts",
	 "{total_count:int, basic_count:int, trial_count:int, premium_count:int, lifetime_count:int, online_count:int}",
	 "People by what their subscription amounts to now; `online_count`: with a socket."},
	{"bot_counts", "{total_count:int, official_count:int, verified_count:int, community_count:int}", "Bots by type."},
	{"chat_counts", "{total_count:int, public_count:int, private_count:int, direct_count:int}",
	 "Chats; official ones count as public."},
	{"health",
	 "{status:(healthy|degraded|unhealthy), database:str, cache:str, started_at:time, version:str, commit:str,"
	 " database_statistics:{latency_ms:num?, ...}, cache_statistics:{latency_ms:num?, ...}, errors:[str]}",
	 "How the server and its stores are."},
	{"message", "{message:str}", "A sentence."},
};
const size_t shape_name_count = sizeof(shape_names) / sizeof(*shape_names);

#define LOGIN_ROW(path_, begin_)   .method = HTTP_POST, .path = "/v1/authentication/" path_, .tier = TIER_LOGIN, .cred = CRED_PUBLIC, .begin = (begin_), .status = 200
#define BOT_ROW(method_, path_, begin_) .method = (method_), .path = (path_), .tier = TIER_BOT, .cred = CRED_BOT, .begin = (begin_), .status = 200
#define MY_ROW(method_, path_, begin_)  .method = (method_), .path = (path_), .tier = TIER_AUTH, .cred = CRED_SESSION, .begin = (begin_), .status = 200
#define OPEN_ROW(path_, begin_)    .method = HTTP_GET, .path = (path_), .tier = TIER_PUBLIC, .cred = CRED_PUBLIC | CRED_SESSION, .begin = (begin_), .status = 200
#define ADMIN_ROW(method_, path_, begin_) .method = (method_), .path = "/v1/admin/" path_, .tier = TIER_ADMIN, .cred = CRED_SESSION, .level = 2, .begin = (begin_), .status = 200
#define STATISTICS_ROW(path_, begin_) .method = HTTP_GET, .path = "/v1/statistics/" path_, .tier = TIER_PUBLIC, .cred = CRED_PUBLIC, .begin = (begin_), .status = 200
#define PAGE_ROW(path_, tier_, begin_)  .method = HTTP_GET, .path = (path_), .tier = (tier_), .cred = CRED_NONE, .begin = (begin_), .status = 200

#define MODERATION_ROW(path_, begin_) MY_ROW(HTTP_POST, "/v1/portal/" path_, begin_), .reply = "{ok:bool}"
#define WHOM NEED_INT("user_id", 1, ID_MAX, "whom; not the caller")
#define WHY MAY_STR("reason", CHARS_TEXT, 0, 500, "for the records and the person")
#define DAYS_30 2592000
#define NOTICE_FIELDS \
	NEED_STR("title", CHARS_ANY, 1, 100, "one line"), NEED_STR("body", CHARS_TEXT, 0, 1000, "more of it"), \
	MAY_WORD("type", IN_BODY, "info success warning error", "default: info")
#define YEARS_10 315360000
#define MATCH_ROW(method_, path_, begin_) MY_ROW(method_, "/v1/portal/match" path_, begin_), .reply = "@match"

const struct route routes[] = {
	/* ---- signing in (contract section 1) ---- */
	{LOGIN_ROW("lookup", authentication_lookup),
	 .fields = FIELDS(NEED_STR("username", CHARS_USERNAME, 3, 32, "in any case")),
	 .reply = "{id:int, username:str, avatar_url:str?, permission_level:int, subscription_level:int,"
		  " platforms:[{platform:str, platform_user_id:str}]}",
	 .errors = "USER_NOT_FOUND", .help = "The platforms a person can sign in with."},
	{LOGIN_ROW("request", authentication_request), .fields = FIELDS(PLATFORM_FIELDS),
	 .reply = "{message:str, expires_at:time}", .errors = "TOO_MANY_PENDING_CODES",
	 .help = "Makes a web login code, bound to the client's address; the platform's bot hands it over."},
	{LOGIN_ROW("verify", authentication_verify), .fields = FIELDS(CODE_FIELD),
	 .reply = "{@user, user_created:bool}",
	 .errors = "INVALID_CODE USER_NOT_FOUND ACCOUNT_BANNED ACCOUNT_TIMEOUT WEB_LOGIN_REQUIRED",
	 .help = "Consumes a code, signs in and sets the cookie psession."},
	{BOT_ROW(HTTP_POST, "/v1/authentication/bot/send-code", authentication_send_code),
	 .fields = FIELDS(BOT_CODE_FIELDS), .reply = "{code:str?, expires_at:time?}",
	 .errors = "ACCESS_DENIED USER_NOT_FOUND ACCOUNT_BANNED ACCOUNT_TIMEOUT WEB_LOGIN_REQUIRED",
	 .help = "The bot login code of an existing account, for a bot with `login`."},
	{BOT_ROW(HTTP_POST, "/v1/authentication/bot/login-code", authentication_login_code),
	 .fields = FIELDS(BOT_CODE_FIELDS),
	 .reply = "{code:str?, expires_at:time?, codes:[{code:str, expires_at:time}]}",
	 .errors = "ACCESS_DENIED", .help = "The newest pending web codes of an identity, for a bot with `login`."},
	{.method = HTTP_POST, .path = "/v1/authentication/logout", .tier = TIER_LOGIN, .cred = CRED_SESSION,
	 .begin = authentication_logout, .status = 200, .reply = "@message",
	 .help = "Ends this session and clears the cookie."},

	/* ---- people (section 2) ---- */
	{MY_ROW(HTTP_GET, "/v1/users/me", me_get), .reply = "@user", .help = "The caller's own account."},
	{MY_ROW(HTTP_POST, "/v1/users/me/update", me_update),
	 .fields = FIELDS(MAY_STR("username", CHARS_RAW, 0, 65536, "3-32 letters, digits and . _ -; unique without regard to case"),
		MAY_STR("avatar_source", CHARS_RAW, 0, 65536, "a linked platform, discord_0 to discord_5, or \"\": the earliest linked")),
	 .reply = "{user:@user, errors:map?}",
	 .help = "Changes name and picture; each field stands alone, `errors` has a sentence for each that failed."},
	{MY_ROW(HTTP_GET, "/v1/users/me/sessions", me_sessions),
	 .reply = "{sessions:[{token_suffix:str, created_at:time, expires_at:time, client_ip:str, user_agent:str,"
		  " geo:map?, is_current:bool}],"
		  " history:[{token_suffix:str, created_at:time, client_ip:str, user_agent:str, geo:map?}]}",
	 .help = "Live sessions, and those that have ended."},
	{MY_ROW(HTTP_POST, "/v1/users/me/sessions/{token_suffix}/destroy", me_session_destroy),
	 .fields = FIELDS(PATH_STR("token_suffix", CHARS_ANY, 1, 64, "the last 6 characters of the token")),
	 .reply = "{destroyed:bool}", .errors = "SESSION_NOT_FOUND", .help = "Ends another session of the caller."},
	{MY_ROW(HTTP_POST, "/v1/users/me/sessions/destroy-others", me_sessions_destroy_others),
	 .reply = "{destroyed:int}", .help = "Ends all sessions of the caller but this one."},
	{MY_ROW(HTTP_GET, "/v1/users/me/punishments", me_punishments),
	 .reply = "[{id:int, action_type:(PLATFORM_WARNING|PLATFORM_TIMEOUT|PLATFORM_BAN|CHAT_BAN|CHAT_MUTE|CHAT_KICK),"
		  " reason:str, is_lifted:bool, expires_at:time?, lifted_at:time?, created_at:time}]",
	 .help = "What was done to the caller, newest first."},
	{MY_ROW(HTTP_GET, "/v1/users/me/subscription", me_subscription),
	 .reply = "{subscription_level:int, expires_at:time?, is_active:bool,"
		  " history:[{id:int, old_level:int, new_level:int, reason:str, granted_by_id:int?, created_at:time}],"
		  " created_at:time?, updated_at:time?}",
	 .help = "The caller's subscription."},
	{MY_ROW(HTTP_GET, "/v1/users/me/chats", me_chats), .reply = "[@chat]",
	 .help = "The caller's own chats and the private ones joined."},
	{MY_ROW(HTTP_GET, "/v1/users/me/preferences", me_preferences_get), .reply = "map",
	 .help = "The client's own settings."},
	{MY_ROW(HTTP_POST, "/v1/users/me/preferences", me_preferences_set),
	 .fields = FIELDS({.name = "*", .in = IN_BODY, .type = FIELD_OBJECT, .required = true, .max = 100,
		.help = "the client's own settings, at most 16 KiB"}),
	 .reply = "map", .help = "Replaces the client's own settings as a whole."},
	{MY_ROW(HTTP_POST, "/v1/users/me/platforms/link", me_platform_link), .fields = FIELDS(CODE_FIELD),
	 .reply = "@message", .errors = "INVALID_CODE PLATFORM_TAKEN",
	 .help = "Links the identity of a web code, requested from this address, to the account."},
	{MY_ROW(HTTP_POST, "/v1/users/me/platforms/{platform}/unlink", me_platform_unlink),
	 .fields = FIELDS(PATH_STR("platform", CHARS_ANY, 1, 64, "a linked platform")),
	 .reply = "@message", .errors = "PLATFORM_NOT_FOUND LAST_PLATFORM", .help = "Unlinks a platform."},
	{MY_ROW(HTTP_GET, "/v1/users/me/export", me_export), .reply = "map",
	 .help = "Everything stored about the caller."},
	{MY_ROW(HTTP_POST, "/v1/users/me/delete", me_delete),
	 .fields = FIELDS(NEED_STR("username", CHARS_ANY, 1, 64, "the caller's own, as a confirmation")),
	 .reply = "@message", .errors = "LAST_OWNER", .help = "Deletes the account and ends its sessions."},
	{MY_ROW(HTTP_GET, "/v1/users/search", user_search),
	 .fields = FIELDS({.name = "q", .in = IN_QUERY, .type = FIELD_STR, .required = true, .min = 1, .max = 50,
		.help = "part of a name, or an exact id"}, PAGE(25)),
	 .reply = "{users:[@person], total:int, offset:int, limit:int}", .help = "Finds people."},
	{OPEN_ROW("/v1/users/profile/{username}", user_profile),
	 .fields = FIELDS(PATH_STR("username", CHARS_ANY, 1, 64, "in any case")),
	 .reply = "@profile", .errors = "USER_NOT_FOUND", .help = "A person's public profile, by name."},
	{MY_ROW(HTTP_GET, "/v1/users/me/blocks", me_blocks), .reply = "[@person]",
	 .help = "Whom the caller has blocked, the latest first."},
	{MY_ROW(HTTP_POST, "/v1/users/{id}/block", user_block), .fields = FIELDS(PATH_ID("of the person")), .reply = "{ok:bool}",
	 .errors = "USER_NOT_FOUND", .help = "The matcher pairs the caller and the person no more. A running chat goes on."},
	{MY_ROW(HTTP_POST, "/v1/users/{id}/unblock", user_unblock), .fields = FIELDS(PATH_ID("of the person")), .reply = "{ok:bool}",
	 .errors = "USER_NOT_FOUND", .help = "Lifts a block."},
	{OPEN_ROW("/v1/users/{id}", user_get), .fields = FIELDS(PATH_ID("of the person")),
	 .reply = "@profile", .errors = "USER_NOT_FOUND", .help = "A person's public profile."},

	/* ---- moderation (section 3.4) ---- */
	{MODERATION_ROW("chats/{id}/kick", chats_kick), .fields = FIELDS(CHAT_ID, WHOM, WHY),
	 .errors = "CHAT_NOT_FOUND USER_NOT_FOUND ACCESS_DENIED", .help = "Puts a person out of a chat, on every device."},
	{MODERATION_ROW("chats/{id}/ban", chats_ban),
	 .fields = FIELDS(CHAT_ID, WHOM, MAY_INT("duration", 0, DAYS_30, "seconds; 0, the default: for ever"), WHY),
	 .errors = "CHAT_NOT_FOUND USER_NOT_FOUND ACCESS_DENIED", .help = "Puts a person out of a chat, who may not come back."},
	{MODERATION_ROW("chats/{id}/unban", chats_unban), .fields = FIELDS(CHAT_ID, WHOM, WHY),
	 .errors = "CHAT_NOT_FOUND USER_NOT_FOUND ACCESS_DENIED", .help = "Lifts a ban."},
	{MODERATION_ROW("chats/{id}/mute", chats_mute),
	 .fields = FIELDS(CHAT_ID, WHOM, MAY_INT("duration", 0, 86400, "seconds; 0: until lifted; default 300"), WHY),
	 .errors = "CHAT_NOT_FOUND USER_NOT_FOUND ACCESS_DENIED", .help = "A person may read, but not write, in a chat."},
	{MODERATION_ROW("chats/{id}/unmute", chats_unmute), .fields = FIELDS(CHAT_ID, WHOM),
	 .errors = "CHAT_NOT_FOUND USER_NOT_FOUND ACCESS_DENIED", .help = "Lifts a mute of the chat; a hard mute stays."},
	{MODERATION_ROW("chats/{id}/warn", chats_warn), .fields = FIELDS(CHAT_ID, WHOM, WHY),
	 .errors = "CHAT_NOT_FOUND USER_NOT_FOUND ACCESS_DENIED", .help = "Warns a person; for Moderators and above."},
	{MODERATION_ROW("chats/{id}/timeout", chats_timeout),
	 .fields = FIELDS(CHAT_ID, WHOM, NEED_INT("duration", 60, DAYS_30, "seconds"), WHY),
	 .errors = "CHAT_NOT_FOUND USER_NOT_FOUND ACCESS_DENIED",
	 .help = "Ends a person's sessions and refuses their logins for a while; for Moderators and above."},
	{MODERATION_ROW("hard-mute", hard_mute), .level = 2,
	 .fields = FIELDS(WHOM, MAY_INT("duration", 0, DAYS_30, "seconds; 0, the default: until lifted"), WHY),
	 .errors = "USER_NOT_FOUND ACCESS_DENIED", .help = "A person may not write anywhere."},
	{MODERATION_ROW("hard-unmute", hard_unmute), .level = 2, .fields = FIELDS(WHOM, WHY),
	 .errors = "USER_NOT_FOUND ACCESS_DENIED", .help = "Lifts a hard mute."},

	{MY_ROW(HTTP_POST, "/v1/portal/keys", key_register),
	 .fields = FIELDS(NEED_STR("public_key", CHARS_RAW, 44, 44, "X25519, base64")),
	 .reply = "{status:(registered|unchanged)}",
	 .help = "Registers this session's public key. Another than before drops every blob kept for it."},
	{MY_ROW(HTTP_GET, "/v1/portal/chats/{id}/key", key_get), .fields = FIELDS(PATH_ID("of the chat")),
	 .reply = "{epoch:int, blob:str?, from_public_key:str?}", .errors = "CHAT_NOT_FOUND",
	 .help = "The chat's current epoch, and the blob of its key for this session."},

	/* ---- matchmaking (section 5) ---- */
	{MATCH_ROW(HTTP_POST, "/enqueue", match_enqueue_begin), .fields = FIELDS(INTEREST_FIELDS),
	 .errors = "MATCH_ALREADY_SEARCHING MATCH_SLOT_LIMIT",
	 .help = "Begins a search for somebody with one of these interests; may answer `matched` at once."},
	{MATCH_ROW(HTTP_POST, "", match_enqueue_begin), .fields = FIELDS(INTEREST_FIELDS),
	 .errors = "MATCH_ALREADY_SEARCHING MATCH_SLOT_LIMIT", .help = "The same."},
	{MATCH_ROW(HTTP_GET, "/status", match_status_get), .help = "Whether the caller searches, or whom they met."},
	{MATCH_ROW(HTTP_POST, "/dequeue", match_dequeue_begin), .help = "Ends the search, if there is one. A chat goes on."},
	{MATCH_ROW(HTTP_POST, "/leave", match_leave_begin), .errors = "MATCH_NO_ACTIVE_DIRECT",
	 .help = "Ends the direct chat for both, now; while searching: the search."},

	/* ---- notifications (section 7) ---- */
	{MY_ROW(HTTP_GET, "/v1/notifications", notifications_list), .fields = FIELDS(PAGE(50)),
	 .reply = "{notifications:[@notification], total:int, unread:int, offset:int, limit:int}",
	 .help = "The caller's own and those for everyone since the account exists, newest first."},
	{MY_ROW(HTTP_GET, "/v1/notifications/unread-count", notifications_unread_count), .with = "unread",
	 .reply = "{unread:int}", .help = "How many notifications are unread."},
	{MY_ROW(HTTP_POST, "/v1/notifications/{id}/read", notifications_read_one),
	 .fields = FIELDS(PATH_ID("of the notification")), .reply = "@notification",
	 .errors = "NOTIFICATION_NOT_FOUND NOTIFICATION_ALREADY_READ", .help = "Marks a notification as read."},
	{MY_ROW(HTTP_POST, "/v1/notifications/read-all", notifications_read_each), .reply = "{read:int}",
	 .help = "Marks all as read; `read`: how many were not."},
	{OPEN_ROW("/v1/announcements", announcements_list), .fields = FIELDS(PAGE(50)),
	 .reply = "{announcements:[@announcement], total:int, offset:int, limit:int}",
	 .help = "The announcements that have not expired, newest first."},

	/* ---- chats (section 3.1) ---- */
	{OPEN_ROW("/v1/portal/directory", chats_directory),
	 .fields = FIELDS(QUERY_STR("q", CHARS_ANY, 0, 64, "part of a name or slug"), PAGE(50)),
	 .reply = "{chats:[@chat], total:int, offset:int, limit:int}",
	 .help = "Official chats, then public ones, the busiest first."},
	{OPEN_ROW("/v1/portal/chats", chats_list),
	 .fields = FIELDS(QUERY_INT("offset", 0, 10000, 0, "how many to skip"),
		QUERY_INT("limit", 1, 500, 100, "how many at most")),
	 .reply = "[@chat]", .help = "The caller's direct and private chats, then those of the directory."},
	{.method = HTTP_POST, .path = "/v1/portal/chats", .tier = TIER_AUTH, .cred = CRED_SESSION, .begin = chats_create,
	 .status = 201, .fields = FIELDS(NEED_STR("name", CHARS_ANY, 2, 64, "shown to people"), SLUG_FIELD,
		MAY_STR("description", CHARS_TEXT, 0, 500, "shown to people")),
	 .reply = "@chat", .errors = "PREMIUM_REQUIRED CHAT_SLOTS SLUG_TAKEN",
	 .help = "Makes a chat: public with a slug, else private. Needs a subscription and a free slot."},
	{MY_ROW(HTTP_GET, "/v1/portal/chats/{id}", chats_get), .fields = FIELDS(CHAT_ID), .reply = "@chat",
	 .errors = "CHAT_NOT_FOUND", .help = "One chat; those of others that are private look absent."},
	{MY_ROW(HTTP_GET, "/v1/portal/chats/{id}/members", chats_members), .fields = FIELDS(CHAT_ID, PAGE(50)),
	 .reply = "{members:[{user:@chat_person, is_owner:bool, is_online:bool, joined_at:time?}], total:int, offset:int, limit:int}",
	 .errors = "CHAT_NOT_FOUND", .help = "Owner and members; of official and public chats those present."},
	{MY_ROW(HTTP_POST, "/v1/portal/chats/{id}/config/update", chats_config), .fields = FIELDS(CHAT_ID, CHAT_FIELDS),
	 .reply = "@message", .errors = "CHAT_NOT_FOUND ACCESS_DENIED SLUG_TAKEN",
	 .help = "Changes a chat; for its managers. A slug makes it public, null private."},
	{MY_ROW(HTTP_POST, "/v1/portal/chats/{id}/delete", chats_delete), .fields = FIELDS(CHAT_ID),
	 .reply = "@message", .errors = "CHAT_NOT_FOUND ACCESS_DENIED",
	 .help = "Destroys a chat and everything about it; for its owner and Owners of the platform."},
	{MY_ROW(HTTP_POST, "/v1/portal/chats/{id}/leave", chats_leave), .fields = FIELDS(CHAT_ID),
	 .reply = "@message", .errors = "CHAT_NOT_FOUND ACCESS_DENIED CONFLICT", .help = "Ends the caller's membership."},
	{MY_ROW(HTTP_POST, "/v1/portal/chats/{id}/invites", invites_create),
	 .fields = FIELDS(CHAT_ID, {.name = "expires_at", .in = IN_BODY, .type = FIELD_TIME, .nullable = true,
			.help = "default: never"},
		MAY_INT("max_uses", 1, ID_MAX, "default: any number")),
	 .reply = "@invite", .errors = "CHAT_NOT_FOUND ACCESS_DENIED INVITE_QUOTA",
	 .help = "Makes an invite; for the chat's managers."},
	{MY_ROW(HTTP_GET, "/v1/portal/chats/{id}/invites", invites_list), .fields = FIELDS(CHAT_ID),
	 .reply = "{invites:[@invite]}", .errors = "CHAT_NOT_FOUND ACCESS_DENIED",
	 .help = "The chat's live invites; for its managers."},
	{MY_ROW(HTTP_POST, "/v1/portal/chats/{id}/invites/{code}/delete", invites_delete),
	 .fields = FIELDS(CHAT_ID, INVITE_CODE), .reply = "@message",
	 .errors = "CHAT_NOT_FOUND ACCESS_DENIED INVITE_NOT_FOUND", .help = "Revokes an invite; for the chat's managers."},
	{MY_ROW(HTTP_GET, "/v1/portal/chats/{id}/activity", chats_activity), .fields = FIELDS(CHAT_ID, PAGE(50)),
	 .reply = "{events:[{user:@chat_person, action:(join|leave|kick|ban|unban|mute|unmute|warn|timeout|clear),"
		  " method:(direct|vanity|invite)?, invite_code:str?, created_at:time}], total:int, offset:int, limit:int}",
	 .errors = "CHAT_NOT_FOUND ACCESS_DENIED", .help = "What happened in a chat, newest first; for its managers."},
	/* ---- messages (3.2) ---- */
	{MY_ROW(HTTP_POST, "/v1/portal/chats/{id}/messages", messages_send), .fields = FIELDS(CHAT_ID, MESSAGE_FIELDS),
	 .reply = "{id:str}", .errors = MESSAGE_ERRORS,
	 .help = "Sends a message, when this session is in the room. With `client_id` a retry is safe for 10 minutes."},
	{MY_ROW(HTTP_GET, "/v1/portal/chats/{id}/history", messages_history),
	 .fields = FIELDS(CHAT_ID, QUERY_STR("before", CHARS_ANY, 1, 41, "a message id: the newest before it"),
		QUERY_STR("after", CHARS_ANY, 1, 41, "a message id: the oldest after it"),
		QUERY_INT("limit", 1, 500, 100, "how many at most")),
	 .reply = "[@history_item]", .errors = "CHAT_NOT_FOUND BANNED", .help = "Messages, oldest first; without an id the newest."},
	{MY_ROW(HTTP_POST, "/v1/portal/chats/{id}/messages/delete", messages_delete),
	 .fields = FIELDS(CHAT_ID, {.name = "ids", .in = IN_BODY, .type = FIELD_STRS, .required = true, .min = 1, .max = 100,
		.help = "of messages"}),
	 .reply = "{deleted:int}", .errors = "CHAT_NOT_FOUND BANNED ACCESS_DENIED",
	 .help = "Deletes messages: one's own, moderators any. Ids that are not there are passed over."},
	{MY_ROW(HTTP_POST, "/v1/portal/chats/{id}/messages/delete-mine", messages_delete_mine), .fields = FIELDS(CHAT_ID),
	 .reply = "{deleted:int}", .errors = "CHAT_NOT_FOUND BANNED", .help = "Deletes all of the caller's messages in a chat."},
	{MY_ROW(HTTP_POST, "/v1/portal/chats/{id}/messages/delete-last", messages_delete_last),
	 .fields = FIELDS(CHAT_ID, NEED_INT("count", 1, 100, "how many")), .reply = "{deleted:int}",
	 .errors = "CHAT_NOT_FOUND BANNED ACCESS_DENIED", .help = "Deletes the newest messages; for those who moderate the chat."},
	{MY_ROW(HTTP_POST, "/v1/portal/chats/{id}/clear", messages_clear), .fields = FIELDS(CHAT_ID),
	 .reply = "{ok:bool, cleared:int}", .errors = "CHAT_NOT_FOUND BANNED ACCESS_DENIED",
	 .help = "Deletes all messages and starts a new epoch; for the chat's owner, Admins and above."},

	/* ---- ways in ---- */
	{MY_ROW(HTTP_GET, "/v1/portal/resolve/{code}", resolve_get), .fields = FIELDS(INVITE_CODE),
	 .reply = "{chat:@chat, method:(invite|vanity)}", .errors = "INVITE_NOT_FOUND",
	 .help = "What an invite or a slug leads to, without joining."},
	{MY_ROW(HTTP_POST, "/v1/portal/resolve/{code}", resolve_join), .fields = FIELDS(INVITE_CODE),
	 .reply = "{chat:@chat, method:(invite|vanity), joined:bool}", .errors = "INVITE_NOT_FOUND BANNED",
	 .help = "Joins what an invite or a slug leads to; `joined`: a membership was made."},
	{MY_ROW(HTTP_GET, "/v1/portal/status", chats_status), .fields = FIELDS(PAGE(50)),
	 .reply = "{online:int, users:[{user:@chat_person, session_id:str}], muted:{until:time?}?}",
	 .help = "Who is connected, and whether the caller is muted everywhere."},

	/* ---- bots (section 6) ---- */
	{OPEN_ROW("/v1/bots", bots_list), .fields = FIELDS(PAGE(50)), .reply = "[@bot]", .help = "All bots."},
	{OPEN_ROW("/v1/bots/search", bots_search),
	 .fields = FIELDS(QUERY_STR("q", CHARS_ANY, 0, 50, "part of a name"),
		QUERY_INT("owner", 1, ID_MAX, 0, "the owner's id"),
		MAY_WORD("bot_type", IN_QUERY, "official verified community 1 2 3", "by name or number"), PAGE(25)),
	 .reply = "{bots:[@bot], total:int, limit:int, offset:int}", .help = "Finds bots."},
	{OPEN_ROW("/v1/bots/{id}", bot_get), .fields = FIELDS(PATH_ID("of the bot")), .reply = "@bot",
	 .errors = "BOT_NOT_FOUND", .help = "One bot."},
	{BOT_ROW(HTTP_GET, "/v1/bot/me", bot_me), .reply = "@bot_full", .help = "The calling bot."},
	{BOT_ROW(HTTP_POST, "/v1/bot/me/update", bot_me_update),
	 .fields = FIELDS(MAY_STR("name", CHARS_ANY, 2, 32, "shown to people"),
		MAY_STR("avatar_url", CHARS_HTTPS_URL, 0, 512, "shown to people, \"\": none"),
		{.name = "group_ids", .in = IN_BODY, .type = FIELD_STRS, .nullable = true, .max = 2000,
		 .help = "the groups the bot is in"},
		MAY_INT("users", 0, ID_MAX, "how many people it serves"),
		MAY_INT("latency_ms", 0, 10000, "to its platform")),
	 .reply = "{message:str, created_at:time, updated_at:time}",
	 .help = "What the bot tells about itself; counts against its hourly limit."},
	{BOT_ROW(HTTP_GET, "/v1/bot/users/{platform_user_id}", bot_user),
	 .fields = FIELDS(PATH_STR("platform_user_id", CHARS_PLATFORM_ID, 1, 64, "on the bot's own platform")),
	 .reply = "{@profile, state:(active|timeout|banned)}", .errors = "USER_NOT_FOUND",
	 .help = "The person behind an id of the bot's platform; counts against its hourly limit."},

	/* ---- administration (section 8) ---- */
	{ADMIN_ROW(HTTP_POST, "bots", admin_bots_create),
	 .fields = FIELDS(NEED_STR("name", CHARS_ANY, 2, 32, "shown to people"),
		MAY_INT("owner_id", 1, ID_MAX, "default: the caller"),
		NEED_STR("platform", CHARS_PLATFORM, 1, 64, "where it serves"),
		MAY_INT("rate_limit_per_hour", 1, 100000, "default 1000")),
	 .reply = "{message:str, bot:@bot_full, api_key:str}", .errors = "ACCESS_DENIED USER_NOT_FOUND CONFLICT",
	 .help = "Registers a bot; its key is shown here and never again."},
	{ADMIN_ROW(HTTP_GET, "bots", admin_bots_list), .fields = FIELDS(PAGE(50)),
	 .reply = "{bots:[@bot_full], total:int, limit:int, offset:int}",
	 .help = "One's own bots and those of people below; bots with `login` for Owners only."},
	{ADMIN_ROW(HTTP_POST, "bots/{id}/update", admin_bots_update),
	 .fields = FIELDS(PATH_ID("of the bot"), MAY_STR("name", CHARS_ANY, 2, 32, "shown to people"),
		MAY_INT("owner_id", 1, ID_MAX, "the new owner"),
		MAY_INT("rate_limit_per_hour", 1, 100000, "for its own figures and look-ups"),
		MAY_WORD("bot_type", IN_BODY, "official verified community", "what people see"),
		MAY_BOOL("is_active", "false: its key is refused"),
		MAY_BOOL("login", "may hand out login codes; Owners only")),
	 .reply = "{message:str, bot:@bot_full}", .errors = "BOT_NOT_FOUND ACCESS_DENIED USER_NOT_FOUND CONFLICT",
	 .help = "Changes a bot."},
	{ADMIN_ROW(HTTP_POST, "bots/{id}/regenerate-key", admin_bots_regenerate_key),
	 .fields = FIELDS(PATH_ID("of the bot")), .reply = "{message:str, api_key:str}",
	 .errors = "BOT_NOT_FOUND ACCESS_DENIED", .help = "Gives a new key; the old one is dead at once."},
	{ADMIN_ROW(HTTP_POST, "bots/{id}/reset-stats", admin_bots_reset_stats),
	 .fields = FIELDS(PATH_ID("of the bot")), .reply = "@message", .errors = "BOT_NOT_FOUND ACCESS_DENIED",
	 .help = "Sets the figures that the bot reported to zero."},
	{ADMIN_ROW(HTTP_POST, "bots/{id}/delete", admin_bots_delete), .fields = FIELDS(PATH_ID("of the bot")),
	 .reply = "@message", .errors = "BOT_NOT_FOUND ACCESS_DENIED", .help = "Removes a bot; its key is dead at once."},

	{ADMIN_ROW(HTTP_GET, "chats", admin_chats_list),
	 .fields = FIELDS(QUERY_STR("q", CHARS_ANY, 0, 64, "part of a name or slug"), PAGE(50)),
	 .reply = "{chats:[@chat], total:int, offset:int, limit:int}",
	 .help = "Open chats, one's own, and those of people below."},
	{.method = HTTP_POST, .path = "/v1/admin/chats", .tier = TIER_ADMIN, .cred = CRED_SESSION, .level = 2,
	 .begin = admin_chats_create, .status = 201,
	 .fields = FIELDS(NEED_STR("name", CHARS_ANY, 2, 64, "shown to people"), SLUG_FIELD,
		MAY_STR("description", CHARS_TEXT, 0, 500, "shown to people")),
	 .reply = "{message:str, chat:@chat}", .errors = "ACCESS_DENIED SLUG_TAKEN", .help = "Makes an official chat."},
	{ADMIN_ROW(HTTP_GET, "chats/{id}", admin_chats_get), .fields = FIELDS(CHAT_ID), .reply = "@chat",
	 .errors = "CHAT_NOT_FOUND ACCESS_DENIED", .help = "One chat."},
	{ADMIN_ROW(HTTP_POST, "chats/{id}/update", admin_chats_update),
	 .fields = FIELDS(CHAT_ID, CHAT_FIELDS, MAY_STR("label", CHARS_ANY, 0, 32, "shown beside the name; null: none")),
	 .reply = "{message:str, chat:@chat}", .errors = "CHAT_NOT_FOUND ACCESS_DENIED SLUG_TAKEN",
	 .help = "Changes a chat."},
	{ADMIN_ROW(HTTP_POST, "chats/{id}/delete", admin_chats_delete), .fields = FIELDS(CHAT_ID),
	 .reply = "@message", .errors = "CHAT_NOT_FOUND ACCESS_DENIED", .help = "Destroys a chat and everything about it."},
	{ADMIN_ROW(HTTP_POST, "chats/{id}/kick", admin_chats_kick),
	 .fields = FIELDS(CHAT_ID, NEED_INT("user_id", 1, ID_MAX, "who"),
		MAY_STR("reason", CHARS_TEXT, 0, 500, "kept with the person's record")),
	 .reply = "{ok:bool}", .errors = "CHAT_NOT_FOUND ACCESS_DENIED USER_NOT_FOUND",
	 .help = "Puts a person out of a chat on every device."},
	{ADMIN_ROW(HTTP_POST, "chats/{id}/transfer", admin_chats_transfer),
	 .fields = FIELDS(CHAT_ID, NEED_INT("user_id", 1, ID_MAX, "the new owner")),
	 .reply = "{message:str, chat:@chat}", .errors = "CHAT_NOT_FOUND ACCESS_DENIED USER_NOT_FOUND",
	 .help = "Gives a chat to another person."},

	{ADMIN_ROW(HTTP_POST, "notifications", admin_notifications_send),
	 .fields = FIELDS({.name = "user_ids", .in = IN_BODY, .type = FIELD_INTS, .required = true, .min = 1, .max = 1000,
		.words = "all", .help = "whom; \"all\": everyone who has an account now"},
		NOTICE_FIELDS),
	 .reply = "{message:str, people:int?}", .errors = "USER_NOT_FOUND",
	 .help = "Notifies people, or none when one of them is unknown; `people` null: everyone."},
	{ADMIN_ROW(HTTP_POST, "announcements", admin_announcements_create),
	 .fields = FIELDS(NOTICE_FIELDS, {.name = "expires_at", .in = IN_BODY, .type = FIELD_TIME, .nullable = true,
		.help = "default: never"}),
	 .reply = "{message:str, announcement:@announcement}",
	 .help = "Announces something to everyone, signed in or not."},
	{ADMIN_ROW(HTTP_POST, "announcements/{id}/delete", admin_announcements_delete),
	 .fields = FIELDS(PATH_ID("of the announcement")), .reply = "@message", .errors = "NOT_FOUND",
	 .help = "Takes an announcement back."},
	{ADMIN_ROW(HTTP_GET, "health", admin_health),
	 .reply = "{@health, pool:{database:int, database_up:int, clients:int, sockets:int, people:int, rooms:int},"
		  " queue:{requests:int, tasks:int, database:int, cache:int},"
		  " memory:{resident_bytes:int, peak_bytes:int, heap_bytes:int, descriptors:int?, max_descriptors:int},"
		  " loop:{lag_ms:num, lag_max_ms:num}}",
	 .help = "As /health, with the figures of this process; `descriptors` null: before Linux 6.2. 503 when unhealthy."},

	{ADMIN_ROW(HTTP_GET, "users", admin_users_list),
	 .fields = FIELDS(QUERY_STR("q", CHARS_ANY, 0, 64, "part of a name, or an exact id"),
		MAY_WORD("state", IN_QUERY, "active timeout banned", "only these"),
		QUERY_INT("level", 0, 3, -1, "only those of this permission level"), PAGE(50)),
	 .reply = "{users:[{id:int, username:str, avatar_url:str?, permission_level:int, subscription_level:int,"
		  " state:(active|timeout|banned), last_activity_at:time?, created_at:time}],"
		  " total:int, offset:int, limit:int}",
	 .help = "People, by id."},
	{ADMIN_ROW(HTTP_GET, "users/{id}", admin_users_get), .fields = FIELDS(PATH_ID("of the person")),
	 .reply = "{@user, trial_used:bool, bot_logins:int, restriction_reason:str?, restricted_until:time?,"
		  " hard_mute:{reason:str, actor_id:int?, expires_at:time?, created_at:time}?,"
		  " moderation:[{id:int, action_type:str, chat_id:int?, actor_id:int?, reason:str, is_lifted:bool,"
		  "  expires_at:time?, lifted_at:time?, lifted_by:int?, created_at:time}],"
		  " chats:[{id:int, name:str, visibility:(official|public|private), slug:str?, is_owner:bool, joined_at:time}],"
		  " bots:[{id:int, name:str, platform:str, bot_type:int, login:bool, is_active:bool, created_at:time}],"
		  " subscription_history:[{id:int, old_level:int, new_level:int, reason:str, granted_by_id:int?, created_at:time}],"
		  " permission_history:[{id:int, old_level:int, new_level:int, actor_id:int?, created_at:time}],"
		  " sessions:[{token_suffix:str, client_ip:str, user_agent:str, created_at:time, expires_at:time,"
		  "  ended_at:time?, end_reason:str?}]?}",
	 .errors = "USER_NOT_FOUND",
	 .help = "Everything about a person; of each list the newest 100. Private chats and bots of people above are"
		 " left out; `sessions` is for Owners, else null."},
	{ADMIN_ROW(HTTP_POST, "users/{id}/permission", admin_users_permission),
	 .fields = FIELDS(PATH_ID("of the person"), NEED_INT("level", 0, 3, "the new permission level")),
	 .reply = "{message:str, user:@user}", .errors = "USER_NOT_FOUND ACCESS_DENIED LAST_OWNER",
	 .help = "Sets a permission level: Admins up to Moderator, Owners up to Admin."},
	{ADMIN_ROW(HTTP_POST, "users/{id}/warn", admin_users_warn), .fields = FIELDS(PATH_ID("of the person"), WHY),
	 .reply = "{ok:bool}", .errors = "USER_NOT_FOUND ACCESS_DENIED", .help = "Warns a person."},
	{ADMIN_ROW(HTTP_POST, "users/{id}/timeout", admin_users_timeout),
	 .fields = FIELDS(PATH_ID("of the person"), NEED_INT("duration", 60, DAYS_30, "seconds"), WHY),
	 .reply = "{ok:bool}", .errors = "USER_NOT_FOUND ACCESS_DENIED",
	 .help = "Ends a person's sessions and refuses their logins for a while."},
	{ADMIN_ROW(HTTP_POST, "users/{id}/ban", admin_users_ban),
	 .fields = FIELDS(PATH_ID("of the person"),
		MAY_INT("duration", 0, YEARS_10, "seconds; 0, the default: for ever"), WHY),
	 .reply = "{ok:bool}", .errors = "USER_NOT_FOUND ACCESS_DENIED",
	 .help = "Bans an account: its sessions end, its logins are refused. Again: with the new end."},
	{ADMIN_ROW(HTTP_POST, "users/{id}/unban", admin_users_unban), .fields = FIELDS(PATH_ID("of the person"), WHY),
	 .reply = "{ok:bool}", .errors = "USER_NOT_FOUND ACCESS_DENIED", .help = "Lifts a ban or a timeout of an account."},

	{ADMIN_ROW(HTTP_POST, "subscriptions/grant", admin_subscriptions_grant),
	 .fields = FIELDS(NEED_INT("user_id", 1, ID_MAX, "whom; not the caller"),
		NEED_INT("level", 1, 3, "1 Trial (7 days, once a person), 2 Premium, 3 Lifetime"),
		MAY_INT("duration_days", 1, SUBSCRIPTION_DAYS_MAX, "of Premium, which needs it; from now"),
		MAY_STR("reason", CHARS_TEXT, 0, 500, "for the history")),
	 .reply = "{message:str, user:@user}", .errors = "USER_NOT_FOUND ACCESS_DENIED TRIAL_USED",
	 .help = "Grants a subscription, in the place of the one there is."},
	{ADMIN_ROW(HTTP_POST, "subscriptions/revoke", admin_subscriptions_revoke),
	 .fields = FIELDS(NEED_INT("user_id", 1, ID_MAX, "whom; not the caller"),
		NEED_STR("reason", CHARS_TEXT, 1, 500, "for the history")),
	 .reply = "{message:str, user:@user}", .errors = "USER_NOT_FOUND ACCESS_DENIED",
	 .help = "Takes a subscription away; nothing when there is none."},
	{ADMIN_ROW(HTTP_GET, "subscriptions/active", admin_subscriptions_active), .fields = FIELDS(PAGE(50)),
	 .reply = "{subscriptions:[{user:@person, subscription_level:int, expires_at:time?, granted_by_id:int?,"
		  " created_at:time?, updated_at:time?}], total:int, offset:int, limit:int}",
	 .help = "Subscriptions that count now, those that end first before the others."},

	{.method = HTTP_GET, .path = "/v1/admin/audit", .tier = TIER_ADMIN, .cred = CRED_SESSION, .level = 1,
	 .begin = admin_audit, .status = 200,
	 .fields = FIELDS(QUERY_STR("event_type", CHARS_ANY, 1, 64, "as in the items: `chat.ban`"),
		QUERY_INT("actor_id", 1, ID_MAX, 0, "who did it"), QUERY_INT("target_id", 1, ID_MAX, 0, "to whom"),
		QUERY_TIME("from", "not before"), QUERY_TIME("to", "before"), PAGE(50)),
	 .reply = "{items:[{id:int, event_type:str, actor_id:int?, actor_name:str?, target_id:int?, target_name:str?,"
		  " chat_id:int?, data:map, created_at:time, hash:str}], total:int, offset:int, limit:int}",
	 .help = "What was done in the name of the platform, newest first; for Moderators and above. `actor_id` null:"
		 " the command line."},

	/* ---- statistics and monitoring (section 9) ---- */
	{STATISTICS_ROW("users", statistics_users), .reply = "@user_counts", .help = "How many people there are; at most 5 s old."},
	{STATISTICS_ROW("bots", statistics_bots), .reply = "@bot_counts", .help = "How many bots there are; at most 5 s old."},
	{STATISTICS_ROW("chats", statistics_chats), .reply = "@chat_counts", .help = "How many chats there are; at most 5 s old."},
	{STATISTICS_ROW("app", statistics_app),
	 .reply = "{application_name:str, version:str, started_at:time, users:@user_counts, bots:@bot_counts, chats:@chat_counts}",
	 .help = "All of them; at most 5 s old."},
	{PAGE_ROW("/v1/version", TIER_HEALTH, operations_version),
	 .reply = "{version:str, commit:str, started_at:time}", .help = "What runs, and since when."},
	{PAGE_ROW("/livez", TIER_PROBE, operations_livez), .reply = "{status:str}", .help = "The loop turns."},
	{PAGE_ROW("/readyz", TIER_PROBE, operations_readyz), .reply = "{status:str}", .errors = "UNAVAILABLE",
	 .help = "503 while starting, draining or without its stores."},
	{PAGE_ROW("/health", TIER_HEALTH, operations_health), .reply = "@health",
	 .help = "How the server and its stores are; 503 when unhealthy."},
	{.method = HTTP_GET, .path = "/metrics", .tier = TIER_PROBE, .cred = CRED_METRICS, .begin = operations_metrics,
	 .status = 200, .errors = "ACCESS_DENIED", .help = "Figures for Prometheus; for the addresses in METRICS_ALLOW."},
	{PAGE_ROW("/openapi.json", TIER_HEALTH, operations_openapi), .reply = "map", .help = "This interface as OpenAPI 3.1."},
	{PAGE_ROW("/docs", TIER_HEALTH, operations_docs), .help = "This interface to read."},

	/* ---- the web client (section 0) ---- */
	{PAGE_ROW("/", TIER_NONE, web_page), .help = "The web client: the lobby, signed in or not."},
	{PAGE_ROW("/auth", TIER_NONE, web_page), .help = "The web client: signing in."},
	{PAGE_ROW("/c/{slug}", TIER_NONE, web_page), .fields = FIELDS(PATH_STR("slug", CHARS_ANY, 1, 64, "of a chat, or an invite")),
	 .help = "The web client: a chat."},
	{PAGE_ROW("/web/config", TIER_NONE, web_config), .reply = "{platforms:[str], public_key:str?}",
	 .help = "The web client: what it is to know of the server."},
	{PAGE_ROW("/web/{version}/{file}", TIER_NONE, web_asset),
	 .fields = FIELDS(PATH_STR("version", CHARS_ANY, 1, 64, "of the web client"), PATH_STR("file", CHARS_ANY, 1, 64, "what a page loads")),
	 .errors = "NOT_FOUND", .help = "The web client: its scripts, styles and pictures."},
};
/* clang-format on */
const size_t route_count = sizeof(routes) / sizeof(*routes);
