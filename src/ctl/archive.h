/* A backup as one file:
 *
 *   {"portal_backup":1,"taken_at":…,"version":…,"commit":…}
 *   {"part":"table","name":"users","columns":"id, username, …"}
 *   a line a row, as COPY writes it …
 *   \.
 *   … more parts (store/backup.h) …
 *   {"lines":12345}
 *   BLAKE2b-256 of everything above, in hex
 *
 * It holds what PostgreSQL holds (no token or key in clear, but who people are): mode 0600. */
#ifndef CTL_ARCHIVE_H
#define CTL_ARCHIVE_H

#include "ctl/file.h"
#include "store/backup.h"

/* ---- writing ---- */
struct archive {
	struct new_file file;
	int64_t taken_at; /* us */
	int64_t lines;
	bool in_part;
};
/* `to`: a file that must not exist, or a folder, in which a name is made from `now` (us). False:
 * *why. */
bool archive_create(
	struct arena *a, struct archive *w, struct str to, int64_t now, struct str *why) MUST_CHECK;
struct backup_sink archive_sink(struct archive *w);
/* Writes the end and the checksum and keeps the file. *bytes: its size. */
bool archive_finish(struct arena *a, struct archive *w, int64_t *bytes, struct str *why) MUST_CHECK;

/* ---- reading ---- */
/* Maps the file, checks it whole, and finds its parts; they live as long as the program. */
bool archive_read(
	struct arena *a, struct str path, struct backup_parts *out, struct str *why) MUST_CHECK;

#endif
