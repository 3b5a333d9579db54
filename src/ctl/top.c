/* portalctl top: what a server is doing, from its /metrics. On a terminal a view that is written
 * anew each second until q or Ctrl-C; elsewhere, and with --once or --json, the figures of a
 * second.
 *
 *   ctl_top -> live: terminal_begin -> (look -> draw -> a key within a second?) … -> terminal_end
 *           -> once: look -> a second -> look -> print
 *
 * Nothing else runs in this program, so it waits where it stands. Figures: figures.c. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "ctl/ctl.h"
#include "ctl/fetch.h"
#include "ctl/figures.h"

#define SECOND_MS 1000

struct top {
	struct str url;
	struct arena lap;          /* of one look */
	struct sample before, now; /* before.at 0: there is nothing to compare with */
	struct str why;            /* the last look failed; NULL p: it did not */
};

static void top_free(void *arg)
{
	struct top *f = arg;

	arena_release(&f->lap);
	buf_free(&f->before.text);
	buf_free(&f->now.text);
}

static bool look(struct top *f)
{
	struct sample next = f->before;
	bool got;

	arena_release(&f->lap);
	arena_init(&f->lap);
	f->why = STR_NULL;
	got = fetch(&f->lap, f->url, "/metrics", &next.text, &f->why) == 200;
	if (got && !figures_label(&next, "build_info", "version").p)
		f->why = STR("what answers there is not Portal");
	if (!got || f->why.p) {
		f->before = (struct sample){.text = next.text}; /* its text is gone */
		return false;
	}
	next.at = clock_ns();
	f->before = f->now;
	f->now = next;
	return true;
}

/* Waits for a key; 0: none came, -1: a signal, or the terminal is gone. */
static int key_within(int ms)
{
	struct pollfd p = {STDIN_FILENO, POLLIN, 0};
	int n = poll(&p, 1, ms);
	char c;

	if (n <= 0)
		return n;
	return read(STDIN_FILENO, &c, 1) == 1 ? c : -1;
}

/* ---- live ---- */

#define SCREEN_BEGIN "\033[?1049h\033[?25l" /* another screen, no cursor */
#define SCREEN_END   "\033[?25h\033[?1049l"

static struct termios terminal_was;

static bool terminal_begin(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &terminal_was) != 0)
		return false;
	raw = terminal_was;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* Ctrl-C stays a signal */
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
		return false;
	fputs(SCREEN_BEGIN, stdout);
	return true;
}

static void terminal_end(void)
{
	fputs(SCREEN_END, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal_was);
}

/* "requests    per_second 12.00   errors 0.00   …" */
static void draw_figures(struct buf *b, const struct json *all)
{
	for (struct json_iter group = json_each(all); json_next(&group);) {
		buf_printf(b, "\033[1m%-10.*s\033[0m", STR_ARG(group.key));
		for (struct json_iter it = json_each(group.value); json_next(&it);) {
			buf_printf(b, "  " STR_FMT " \033[1m", STR_ARG(it.key));
			if (json_type(it.value) == JSON_NULL)
				buf_char(b, '-');
			else
				json_write(b, it.value);
			buf_lit(b, "\033[0m");
		}
		buf_lit(b, "\033[K\r\n");
	}
}

static void draw(struct top *f)
{
	struct buf text = {0}, screen = {0};
	struct json_out j;

	json_out_init(&j, &text);
	buf_printf(&screen,
		"\033[H\033[1mPortal\033[0m " STR_FMT "  " STR_FMT "  (q quits)\033[K\r\n",
		STR_ARG(figures_label(&f->now, "build_info", "version")), STR_ARG(f->url));
	if (f->why.p)
		buf_printf(&screen, "no answer: " STR_FMT "\033[K\r\n", STR_ARG(f->why));
	else
		buf_lit(&screen, "\033[K\r\n");
	if (f->before.at > 0) {
		figures_write(&j, &f->before, &f->now);
		draw_figures(&screen, json_parse(&f->lap, buf_view(&text)));
	}
	buf_lit(&screen, "\033[J");
	fwrite(screen.p, 1, screen.n, stdout);
	fflush(stdout);
	buf_free(&text);
	buf_free(&screen);
}

/* A server that goes away may come back: the view goes on. */
static void live(struct top *f)
{
	int key = 0;

	while (key != 'q' && key != 'Q' && key >= 0) {
		if (!look(f) && errno == EINTR)
			break;
		draw(f);
		key = key_within(f->before.at > 0 ? SECOND_MS : SECOND_MS / 4);
	}
}

/* ---- once ---- */

static void once(struct task *t, struct top *f)
{
	if (look(f) && poll(NULL, 0, SECOND_MS) == 0 && look(f)) {
		figures_write(ctl_json(), &f->before, &f->now);
		ctl_done(t);
	} else {
		ctl_fail(t, STR_FMT ": " STR_FMT, STR_ARG(f->url),
			STR_ARG(f->why.p ? f->why : STR("interrupted")));
	}
}

void ctl_top(struct task *t)
{
	struct top *f = task_frame_make(t, sizeof(*f));

	task_deadline(t, 0);
	arena_init(&f->lap);
	arena_defer(task_arena(t), top_free, f);
	f->url = ctl_server(t);
	if (!f->url.p)
		return;
	if (ctl_has("--once") || ctl_is_json() || !isatty(STDOUT_FILENO) || !terminal_begin())
		once(t, f);
	else {
		live(f);
		terminal_end();
		ctl_done(t);
	}
}
