/* Settings: the table in config.def, read once at start from the environment and the file named by
 * PORTAL_CONFIG (KEY=value lines, # comments, values as they stand, no quotes; the environment
 * wins). KEY_FILE names a file that holds a secret's value (secrets only; a trailing newline is
 * cut). Every string in `config` has a NUL behind it. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"

struct str_list {
	struct str *items;
	size_t count;
};
struct cidr_list {
	struct cidr *items;
	size_t count;
};

struct config {
#define CONFIG_T_STR                                      struct str
#define CONFIG_T_INT                                      int64_t
#define CONFIG_T_BOOL                                     bool
#define CONFIG_T_LIST                                     struct str_list
#define X(field, name, type, def, min, max, secret, help) CONFIG_T_##type field;
#include "base/config.def"
#undef X
	/* Worked out from the rows above. */
	bool local_mode; /* contract 0.2 */
	bool secure_cookie;
	struct cidr_list proxies;      /* TRUSTED_PROXIES without "none" */
	struct cidr_list metrics_from; /* METRICS_ALLOW */
};

extern struct config config; /* read-only after config_load */

/* Reads and checks everything, including the unsafe starts that the contract refuses (0.2).
 * On error returns ERR_INVALID_REQUEST and leaves in `why` a sentence that names the key and says
 * what to do. `get` is getenv in programs, a table in tests. */
enum err config_load(const char *(*get)(const char *name), struct buf *why) MUST_CHECK;
void config_free(void);
/* KEY=value lines with "# help (default …)" above each; secrets that are set shown as ********.
 * Also after config_load has failed: it shows what was read until then, defaults for the rest. */
void config_print(struct buf *out);
/* The table of docs/settings.md. */
void config_print_markdown(struct buf *out);
/* As paragraphs of a manual page (base/roff.h). */
void config_print_man(struct buf *out);

#endif
