/* The file of a backup (archive.h).
 *
 *   archive_create -> archive_sink's part and line … -> archive_finish
 *   archive_read: mapped -> checksum -> head -> parts
 *
 * The file is that of file.h. What is read stays mapped. */
#include "ctl/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "gen/version.h"

#define FORMAT    1
#define SUM_CHARS (2 * HASH_LEN) /* of the last line, before its end */

/* ---- writing ---- */

static struct str path_in(struct arena *a, struct str folder, int64_t now)
{
	char at[TIME_LEN];

	time_format(now, at);
	return arena_printf(a, STR_FMT "%sportal-%.4s%.2s%.2s-%.2s%.2s%.2s.backup", STR_ARG(folder),
		str_ends(folder, STR("/")) ? "" : "/", at, at + 5, at + 8, at + 11, at + 14,
		at + 17);
}

static void put_line(struct archive *w, struct buf *b)
{
	buf_char(b, '\n');
	file_put(&w->file, buf_view(b));
	buf_free(b);
}

bool archive_create(struct arena *a, struct archive *w, struct str to, int64_t now, struct str *why)
{
	struct str path = arena_str(a, to);
	struct buf head = {0};
	struct json_out j;
	struct stat at;

	if (stat(path.p, &at) == 0 && S_ISDIR(at.st_mode))
		path = path_in(a, path, now);
	*w = (struct archive){.taken_at = now};
	if (!file_create(a, &w->file, path, why))
		return false;
	json_out_init(&j, &head);
	json_obj(&j);
	json_ki64(&j, "portal_backup", FORMAT);
	json_ktime(&j, "taken_at", now);
	json_key(&j, "version");
	json_z(&j, PORTAL_VERSION);
	json_key(&j, "commit");
	json_z(&j, PORTAL_COMMIT);
	json_end(&j);
	put_line(w, &head);
	return true;
}

static void part_end(struct archive *w)
{
	if (w->in_part)
		file_put(&w->file, STR("\\.\n"));
	w->in_part = false;
}

static void sink_part(void *arg, struct str kind, struct str name, struct str columns)
{
	struct archive *w = arg;
	struct buf head = {0};
	struct json_out j;

	part_end(w);
	json_out_init(&j, &head);
	json_obj(&j);
	json_kstr(&j, "part", kind);
	json_kstr(&j, "name", name);
	json_kstr(&j, "columns", columns);
	json_end(&j);
	put_line(w, &head);
	w->in_part = true;
}

static bool sink_line(void *arg, struct str line)
{
	struct archive *w = arg;

	w->lines++;
	return file_put(&w->file, line) && file_put(&w->file, STR("\n"));
}

struct backup_sink archive_sink(struct archive *w)
{
	return (struct backup_sink){sink_part, sink_line, w};
}

static struct str map_file(int fd)
{
	struct stat at;
	void *p;

	if (fstat(fd, &at) != 0 || at.st_size == 0)
		return STR_NULL;
	p = mmap(NULL, (size_t)at.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	return p == MAP_FAILED ? STR_NULL : str_make(p, (size_t)at.st_size);
}

static void sum_of(struct str text, char out[SUM_CHARS])
{
	uint8_t hash[HASH_LEN];

	secret_hash(text, hash);
	hex_encode(hash, HASH_LEN, out);
}

/* Reads back what was written: the sum is of what is in the file. */
static void put_sum(struct archive *w, int64_t *bytes)
{
	char sum[SUM_CHARS + 1];
	struct str text = STR_NULL;
	int fd = -1;

	if (fflush(w->file.file) == 0)
		fd = open(w->file.part_path.p, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		text = map_file(fd);
		close(fd);
	}
	if (!text.p) {
		w->file.error = errno ? errno : EIO;
		return;
	}
	sum_of(text, sum);
	sum[SUM_CHARS] = '\n';
	*bytes = (int64_t)(text.n + sizeof(sum));
	munmap((void *)(uintptr_t)text.p, text.n);
	file_put(&w->file, str_make(sum, sizeof(sum)));
}

bool archive_finish(struct arena *a, struct archive *w, int64_t *bytes, struct str *why)
{
	struct buf end = {0};
	struct json_out j;

	part_end(w);
	json_out_init(&j, &end);
	json_obj(&j);
	json_ki64(&j, "lines", w->lines);
	json_end(&j);
	put_line(w, &end);
	if (w->file.error == 0)
		put_sum(w, bytes);
	return file_keep(a, &w->file, why);
}

/* ---- reading ---- */

static bool head_read(struct arena *a, struct str line, struct backup_parts *out)
{
	const struct json *v = json_parse(a, line);

	return json_to_i64(json_get(v, "portal_backup")) == FORMAT &&
	       time_parse(json_to_str(json_get(v, "taken_at")), &out->taken_at);
}

/* Cuts one part off; false at what is none. */
static bool part_read(struct arena *a, struct str *rest, struct backup_part *p)
{
	const struct json *v = json_parse(a, str_cut(rest, '\n'));

	p->kind = json_to_str(json_get(v, "part"));
	p->name = json_to_str(json_get(v, "name"));
	p->columns = json_to_str(json_get(v, "columns"));
	p->lines = str_make(rest->p, 0);
	while (rest->n > 0) {
		struct str line = str_cut(rest, '\n');

		if (str_eq(line, STR("\\.")))
			return p->kind.p && p->name.p && p->columns.p;
		p->lines.n += line.n + 1;
	}
	return false;
}

#define PARTS_MAX 1000

static bool parts_read(struct arena *a, struct str text, struct backup_parts *out)
{
	if (!head_read(a, str_cut(&text, '\n'), out))
		return false;
	out->v = arena_array(a, struct backup_part, PARTS_MAX);
	while (str_starts(text, STR("{\"part\":")))
		if (out->count == PARTS_MAX || !part_read(a, &text, &out->v[out->count++]))
			return false;
	return str_starts(text, STR("{\"lines\":"));
}

bool archive_read(struct arena *a, struct str path, struct backup_parts *out, struct str *why)
{
	char sum[SUM_CHARS];
	struct str text;
	int fd = open(arena_str(a, path).p, O_RDONLY | O_CLOEXEC);

	*out = (struct backup_parts){0};
	if (fd < 0)
		return file_refuse(a, why, path, strerror(errno));
	text = map_file(fd);
	close(fd);
	if (!str_starts(text, STR("{\"portal_backup\":")) || text.n < SUM_CHARS + 1)
		return file_refuse(a, why, path, "it is no backup of Portal");
	sum_of(str_make(text.p, text.n - SUM_CHARS - 1), sum);
	if (memcmp(sum, text.p + text.n - SUM_CHARS - 1, SUM_CHARS) != 0)
		return file_refuse(
			a, why, path, "it is damaged: the checksum at its end does not fit");
	text.n -= SUM_CHARS + 1;
	if (!parts_read(a, text, out))
		return file_refuse(
			a, why, path, "it is of a format that this version does not read");
	return true;
}
