/* What the conformance programs share: `NAME PORT` listens on 127.0.0.1, serves until SIGTERM or
 * SIGINT, ends every connection, and exits with 0 when the loop is then empty. PORT 0: one that is
 * free, told in the first line. */
#ifndef TEST_CONFORMANCE_SERVE_H
#define TEST_CONFORMANCE_SERVE_H

#include <signal.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/secret.h"
#include "hub/http.h"
#include "io/loop.h"

struct program {
	const char *name;
	void (*request)(struct exchange *x, const struct http_request *r);
	void (*start)(void);    /* before it listens; may be NULL */
	void (*stop)(void);     /* end every connection */
	void (*teardown)(void); /* after the last turn; may be NULL */
};

static const struct program *program;
static struct listener *listener;
static bool stopping;

/* Requests are answered before they can be left, or watched. */
static void on_gone(struct exchange *x)
{
	(void)x;
}

static void on_broken(enum err e, const struct addr *peer, struct buf *head, struct buf *body)
{
	(void)peer;
	buf_lit(head, "Content-Type: text/plain\r\n");
	buf_str(body, str_of(err_sentence(e)));
}

static void on_stop(int signum)
{
	(void)signum;
	if (stopping)
		return;
	stopping = true;
	listener_close(listener);
	http_drain();
	program->stop();
}

static int serve(int argc, char **argv, const struct program *p)
{
	const struct http_handler handler = {p->request, on_gone, on_broken};
	char where[32], why[200];

	program = p;
	if (argc != 2) {
		fprintf(stderr, "usage: %s PORT\n", p->name);
		return 2;
	}
	snprintf(where, sizeof(where), "127.0.0.1:%s", argv[1]);
	ASSERT(secret_setup(STR("")) == OK);
	loop_init();
	conn_setup(0);
	http_serve(&handler);
	if (p->start)
		p->start();
	if (listener_open(&listener, str_of(where), &http_conn_ops, why) != OK) {
		fprintf(stderr, "%s: %s\n", p->name, why);
		return 1;
	}
	loop_on_signal(SIGTERM, on_stop);
	loop_on_signal(SIGINT, on_stop);
	printf("listening on 127.0.0.1:%d\n", listener_port(listener));
	fflush(stdout);
	loop_run();
	if (p->teardown)
		p->teardown();
	conn_teardown();
	arena_drain();
	return loop_close() ? 0 : 1;
}

#endif
