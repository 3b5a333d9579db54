/* A file that is whole or absent: written beside its place under another name, synced, then
 * renamed. Mode 0600; no file is written over. */
#ifndef CTL_FILE_H
#define CTL_FILE_H

#include <stdio.h>

#include "base/arena.h"

struct new_file {
	FILE *file; /* NULL: not open */
	struct str path, part_path;
	int error; /* errno of the first write that failed */
};
/* False: a sentence in *why; the arena outlives the file. */
bool file_create(struct arena *a, struct new_file *f, struct str path, struct str *why);
bool file_put(struct new_file *f, struct str text); /* false: it could not be kept */
bool file_keep(struct arena *a, struct new_file *f, struct str *why);
void file_drop(struct new_file *f); /* idempotent; removes what was not kept */

/* "path: what" in *why; false, for who returns it. */
bool file_refuse(struct arena *a, struct str *why, struct str path, const char *what);

#endif
