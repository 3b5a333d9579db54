/* Files that are whole or absent (file.h). Owns the file from file_create to file_keep or
 * file_drop. */
#include "ctl/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_refuse(struct arena *a, struct str *why, struct str path, const char *what)
{
	*why = arena_printf(a, STR_FMT ": %s", STR_ARG(path), what);
	return false;
}

bool file_create(struct arena *a, struct new_file *f, struct str path, struct str *why)
{
	int fd;

	*f = (struct new_file){.path = arena_str(a, path),
		.part_path = arena_printf(a, STR_FMT ".part", STR_ARG(path))};
	if (access(f->path.p, F_OK) == 0)
		return file_refuse(a, why, path, "it exists, and nothing is written over");
	fd = open(f->part_path.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return file_refuse(a, why, f->part_path, strerror(errno));
	f->file = fchmod(fd, 0600) == 0 ? fdopen(fd, "we") : NULL;
	if (f->file)
		return true;
	close(fd);
	return file_refuse(a, why, f->part_path, strerror(errno));
}

static void note_error(struct new_file *f, bool bad)
{
	if (bad && f->error == 0)
		f->error = errno ? errno : EIO;
}

bool file_put(struct new_file *f, struct str text)
{
	note_error(f, fwrite(text.p, 1, text.n, f->file) != text.n);
	return f->error == 0;
}

/* The name is safe when its folder is. */
static bool folder_sync(struct arena *a, struct str path)
{
	char *name = arena_dup(a, path.p, path.n), *slash = strrchr(name, '/');
	bool done;
	int fd;

	if (slash)
		slash[slash == name] = 0;
	fd = open(slash ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	done = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return done;
}

bool file_keep(struct arena *a, struct new_file *f, struct str *why)
{
	note_error(f, fflush(f->file) != 0 || fsync(fileno(f->file)) != 0);
	note_error(f, fclose(f->file) != 0);
	f->file = NULL;
	if (f->error == 0)
		note_error(f, renameat2(AT_FDCWD, f->part_path.p, AT_FDCWD, f->path.p,
				      RENAME_NOREPLACE) != 0 ||
				      !folder_sync(a, f->path));
	if (f->error == 0)
		return true;
	unlink(f->part_path.p);
	return file_refuse(a, why, f->path, strerror(f->error));
}

void file_drop(struct new_file *f)
{
	if (!f->file)
		return;
	fclose(f->file);
	f->file = NULL;
	unlink(f->part_path.p);
}
