/* Errors: one enum for the whole program, one table for what a client is told.
 *
 * Every function that can fail returns `enum err` and must be checked. Codes of libraries are
 * translated at the border of io/ and wire/. The rows below are the contract's table (section
 * 0.1): HTTP status, the `code` is "ERR_" and the name, the sentence is the default `error`.
 *
 * To add an error: add a row. docs/api.md and the error schema are generated from it. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_TABLE(X)                                                                               \
	X(INVALID_REQUEST, 400, "Invalid request")                                                 \
	X(INVALID_CODE, 400, "Invalid or expired code")                                            \
	X(AUTH_REQUIRED, 401, "Authentication required")                                           \
	X(INVALID_API_KEY, 401, "Invalid API key")                                                 \
	X(ACCESS_DENIED, 403, "Access denied")                                                     \
	X(WEB_LOGIN_REQUIRED, 403, "Web login required")                                           \
	X(ACCOUNT_BANNED, 403, "Account banned")                                                   \
	X(ACCOUNT_TIMEOUT, 403, "Account timed out")                                               \
	X(ORIGIN, 403, "Origin not allowed")                                                       \
	X(PREMIUM_REQUIRED, 403, "Premium required")                                               \
	X(BANNED, 403, "You are banned from this chat")                                            \
	X(MUTED, 403, "You are muted")                                                             \
	X(NOT_JOINED, 403, "Join the chat first")                                                  \
	X(EPOCH_MISMATCH, 403, "Not the chat's current epoch")                                     \
	X(NO_ROOM_KEY, 403, "No key for the chat's current epoch")                                 \
	X(NOT_FOUND, 404, "Not found")                                                             \
	X(USER_NOT_FOUND, 404, "User not found")                                                   \
	X(CHAT_NOT_FOUND, 404, "Chat not found")                                                   \
	X(INVITE_NOT_FOUND, 404, "Invite not found")                                               \
	X(BOT_NOT_FOUND, 404, "Bot not found")                                                     \
	X(NOTIFICATION_NOT_FOUND, 404, "Notification not found")                                   \
	X(SESSION_NOT_FOUND, 404, "Session not found")                                             \
	X(PLATFORM_NOT_FOUND, 404, "Platform not linked")                                          \
	X(MATCH_NO_ACTIVE_DIRECT, 404, "No search and no direct chat to leave")                    \
	X(METHOD, 405, "Method not allowed")                                                       \
	X(REQUEST_TIMEOUT, 408, "Request timed out")                                               \
	X(CONFLICT, 409, "Entity already exists")                                                  \
	X(PLATFORM_TAKEN, 409, "Platform is already linked")                                       \
	X(LAST_PLATFORM, 409, "The last platform cannot be unlinked")                              \
	X(LAST_OWNER, 409, "The last owner cannot be removed")                                     \
	X(TRIAL_USED, 409, "The one trial has been used")                                          \
	X(KEY_EXISTS, 409, "Another made the key first")                                           \
	X(CHAT_SLOTS, 409, "No free chat slot")                                                    \
	X(SLUG_TAKEN, 409, "The address is taken")                                                 \
	X(INVITE_QUOTA, 409, "Too many live invites")                                              \
	X(NOTIFICATION_ALREADY_READ, 409, "Notification is already read")                          \
	X(MATCH_ALREADY_SEARCHING, 409, "Already searching")                                       \
	X(MATCH_SLOT_LIMIT, 409, "Already in a direct chat")                                       \
	X(TOO_LARGE, 413, "Request body too large")                                                \
	X(MEDIA_TYPE, 415, "Content-Type must be application/json")                                \
	X(BAD_CIPHERTEXT, 422, "Content is not a CiphertextV2 bundle")                             \
	X(RATE_LIMITED, 429, "Too many requests")                                                  \
	X(TOO_MANY_PENDING_CODES, 429, "Too many pending login codes")                             \
	X(MESSAGE_RATE, 429, "Too many messages")                                                  \
	X(TOO_MANY_SOCKETS, 429, "Too many sockets")                                               \
	X(HEADERS_TOO_LARGE, 431, "Request headers too large")                                     \
	X(INTERNAL, 500, "Internal server error")                                                  \
	X(UNAVAILABLE, 503, "Service unavailable")

/* OK is 0. ERR_UNAVAILABLE is what a store that is away, or a deadline that passed, becomes. */
enum err {
	OK = 0,
#define ERR_ENUM(name, status, sentence) ERR_##name,
	ERR_TABLE(ERR_ENUM)
#undef ERR_ENUM
	ERR_COUNT
};

#define MUST_CHECK __attribute__((warn_unused_result))

int err_status(enum err e);           /* HTTP status, 400..599; 200 for OK */
const char *err_code(enum err e);     /* "ERR_INVALID_CODE"; "OK" */
const char *err_sentence(enum err e); /* default sentence for a person */

/* A bug: print where and what, then abort. Out of memory ends here too. */
_Noreturn void panic(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define PANIC(...) panic(__FILE__, __LINE__, __VA_ARGS__)
#define ASSERT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond))                                                                       \
			PANIC("assertion failed: %s", #cond);                                      \
	} while (0)

#endif
