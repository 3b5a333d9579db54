/* Figures. Owns the counters of requests by route and status, and the histograms of how long they
 * took; everything else is read from the owners when it is asked for.
 *
 * To add a figure: a `metric` line in the function of its area.
 * To add a status: the list in status_index. */
#include "api/metrics.h"
#include "api/event.h"
#include "api/socket.h"
#include "base/clock.h"
#include "gen/version.h"
#include "hub/http.h"
#include "io/conn.h"
#include "io/loop.h"
#include "io/pg.h"
#include "io/process.h"
#include "io/redis.h"
#include "io/task.h"

#include <inttypes.h>

static const int statuses[] = {
	200, 201, 204, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 500, 503, 0};
#define STATUSES (sizeof(statuses) / sizeof(*statuses))

/* Upper bounds in microseconds. */
static const int64_t bounds[] = {
	100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000};
#define BOUNDS (sizeof(bounds) / sizeof(*bounds))

#define ROUTES_MAX 256

/* Index 0: no route. */
static struct route_figures {
	uint64_t by_status[STATUSES];
	uint64_t buckets[BOUNDS + 1];
	int64_t sum_us;
} figures[ROUTES_MAX];

static size_t status_index(int status)
{
	size_t i = 0;

	while (i < STATUSES - 1 && statuses[i] != status)
		i++;
	return i;
}

void metrics_request(const struct route *route, int status, int64_t duration_us)
{
	size_t index = !route            ? 0
		       : event_is(route) ? route_count + 1 + (size_t)(route - events)
					 : (size_t)(route - routes) + 1;
	struct route_figures *f = &figures[index];
	size_t i = 0;

	ASSERT(index < ROUTES_MAX);
	while (i < BOUNDS && duration_us > bounds[i])
		i++;
	f->by_status[status_index(status)]++;
	f->buckets[i]++;
	f->sum_us += duration_us;
}

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP portal_%s %s\n# TYPE portal_%s %s\n", name, help, name, type);
}

static void metric_i64(
	struct buf *b, const char *name, const char *type, const char *help, int64_t v)
{
	head(b, name, type, help);
	buf_printf(b, "portal_%s %" PRId64 "\n", name, v);
}

static void metric_real(
	struct buf *b, const char *name, const char *type, const char *help, double v)
{
	head(b, name, type, help);
	buf_printf(b, "portal_%s %.6f\n", name, v);
}

static const char *route_name(size_t index)
{
	if (index > route_count)
		return events[index - route_count - 1].path;
	return index ? routes[index - 1].path : "none";
}

static const char *method_name(size_t index)
{
	if (index > route_count)
		return "EVENT";
	return !index ? "" : routes[index - 1].method == HTTP_POST ? "POST" : "GET";
}

static void write_counts(struct buf *b)
{
	uint64_t limited = 0;

	head(b, "http_requests_total", "counter",
		"Answered requests; status 0: another status, or the client left first.");
	for (size_t i = 0; i <= route_count + event_count; i++)
		for (size_t s = 0; s < STATUSES; s++) {
			if (figures[i].by_status[s] == 0)
				continue;
			buf_printf(b,
				"portal_http_requests_total{method=\"%s\",route=\"%s\",status=\"%"
				"d\"} "
				"%" PRIu64 "\n",
				method_name(i), route_name(i), statuses[s],
				figures[i].by_status[s]);
			if (statuses[s] == 429)
				limited += figures[i].by_status[s];
		}
	metric_i64(b, "rate_limited_total", "counter", "Requests answered with 429.",
		(int64_t)limited);
}

static void write_histogram(struct buf *b, size_t i)
{
	const struct route_figures *f = &figures[i];
	uint64_t total = 0;

	for (size_t k = 0; k <= BOUNDS; k++) {
		total += f->buckets[k];
		buf_printf(b,
			"portal_http_request_duration_seconds_bucket{method=\"%s\",route=\"%s\","
			"le=",
			method_name(i), route_name(i));
		if (k < BOUNDS)
			buf_printf(b, "\"%g\"", (double)bounds[k] / 1e6);
		else
			buf_lit(b, "\"+Inf\"");
		buf_printf(b, "} %" PRIu64 "\n", total);
	}
	buf_printf(b,
		"portal_http_request_duration_seconds_sum{method=\"%s\",route=\"%s\"} %.6f\n"
		"portal_http_request_duration_seconds_count{method=\"%s\",route=\"%s\"} %" PRIu64
		"\n",
		method_name(i), route_name(i), (double)f->sum_us / 1e6, method_name(i),
		route_name(i), total);
}

static void write_histograms(struct buf *b)
{
	head(b, "http_request_duration_seconds", "histogram",
		"From the whole request to the answer.");
	for (size_t i = 0; i <= route_count + event_count; i++) {
		bool any = false;

		for (size_t k = 0; k <= BOUNDS; k++)
			any = any || figures[i].buckets[k] > 0;
		if (any)
			write_histogram(b, i);
	}
}

static void write_lag(struct buf *b, const struct loop_lag *lag)
{
	uint64_t total = 0;

	metric_real(b, "loop_lag_seconds", "gauge", "How late the last timer fired.",
		(double)lag->last / 1e6);
	metric_real(b, "loop_lag_max_seconds", "gauge", "The latest timer of the last 10 s.",
		(double)lag->max / 1e6);
	head(b, "timer_lag_seconds", "histogram", "How late timers fired.");
	for (size_t i = 0; i < LOOP_LAG_BOUNDS; i++) {
		total += lag->counts[i];
		buf_printf(b, "portal_timer_lag_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
			(double)loop_lag_bounds[i] / 1e6, total);
	}
	total += lag->counts[LOOP_LAG_BOUNDS];
	buf_printf(b,
		"portal_timer_lag_seconds_bucket{le=\"+Inf\"} %" PRIu64
		"\nportal_timer_lag_seconds_sum %.6f\nportal_timer_lag_seconds_count %" PRIu64 "\n",
		total, (double)lag->sum / 1e6, total);
}

static void write_loop(struct buf *b)
{
	struct loop_stats l = loop_stats();
	struct task_stats t = task_stats();
	struct conn_stats c = conn_stats();

	metric_i64(b, "loop_turns_total", "counter", "Turns of the event loop.", (int64_t)l.turns);
	write_lag(b, &l.lag);
	metric_i64(b, "tasks_started_total", "counter", "Requests, events and ticks begun.",
		(int64_t)t.started);
	metric_i64(b, "tasks_failed_total", "counter", "Those that ended with an error.",
		(int64_t)t.failed);
	metric_i64(b, "tasks_alive", "gauge", "Those under way.", (int64_t)t.alive);
	metric_i64(b, "tasks_inside", "gauge", "Those admitted to the stores.", (int64_t)t.inside);
	metric_i64(
		b, "tasks_in_line", "gauge", "Those waiting to be admitted.", (int64_t)t.in_line);
	metric_i64(b, "tasks_refused_total", "counter",
		"Those answered with 503 because too much was under way.", (int64_t)t.refused);
	metric_i64(b, "connections_open", "gauge", "Client connections.", (int64_t)c.open);
	metric_i64(b, "connections_accepted_total", "counter", "Client connections so far.",
		(int64_t)c.accepted);
	metric_i64(b, "connections_refused_total", "counter",
		"Client connections closed at once: too many.", (int64_t)c.refused);
	metric_i64(b, "received_bytes_total", "counter", "From clients.", (int64_t)c.bytes_in);
	metric_i64(b, "sent_bytes_total", "counter", "To clients.", (int64_t)c.bytes_out);
	metric_i64(b, "http_busy", "gauge", "Requests waiting for their answer.",
		(int64_t)http_busy());
}

static void write_stores(struct buf *b)
{
	struct pg_stats p = pg_stats();
	struct redis_stats r = redis_stats();

	metric_i64(b, "postgres_up", "gauge",
		"1 when a connection to PostgreSQL, the database, is usable.", pg_is_up());
	metric_i64(b, "postgres_connections", "gauge", "Usable PostgreSQL connections.", p.up);
	metric_i64(b, "postgres_queries_total", "counter", "Queries sent.", (int64_t)p.queries);
	metric_i64(
		b, "postgres_errors_total", "counter", "Queries that failed.", (int64_t)p.errors);
	metric_i64(b, "postgres_reconnects_total", "counter", "Connections made anew.",
		(int64_t)p.reconnects);
	metric_i64(b, "postgres_queue", "gauge", "Queries waiting for their answer.",
		(int64_t)p.in_flight);
	metric_real(b, "postgres_latency_seconds", "gauge", "Moving average.",
		(double)p.latency_us / 1e6);
	metric_i64(b, "redis_up", "gauge", "1 when Redis, the cache, is usable.", redis_is_up());
	metric_i64(b, "redis_commands_total", "counter", "Commands sent.", (int64_t)r.commands);
	metric_i64(b, "redis_errors_total", "counter", "Commands that failed.", (int64_t)r.errors);
	metric_i64(b, "redis_reconnects_total", "counter", "Connections made anew.",
		(int64_t)r.reconnects);
	metric_i64(b, "redis_queue", "gauge", "Commands waiting for their answer.",
		(int64_t)r.in_flight);
	metric_real(
		b, "redis_latency_seconds", "gauge", "Moving average.", (double)r.latency_us / 1e6);
}

static void write_sockets(struct buf *b)
{
	struct eio_stats e = eio_stats();
	struct sio_stats s = sio_stats();
	struct live_stats l = live_stats();

	metric_i64(b, "bus_up", "gauge", "1 when the bus is there and its sockets have caught up.",
		bus_caught_up());
	metric_i64(b, "sockets_open", "gauge", "Engine.IO sessions.", (int64_t)e.open);
	metric_i64(
		b, "sockets_polling", "gauge", "Those over HTTP long-polling.", (int64_t)e.polling);
	metric_i64(
		b, "sockets_opened_total", "counter", "Engine.IO handshakes.", (int64_t)e.opened);
	metric_i64(b, "sockets_upgraded_total", "counter", "From polling to WebSocket.",
		(int64_t)e.upgraded);
	metric_i64(b, "sockets_slow_total", "counter", "Dropped: took their output too slowly.",
		(int64_t)e.slow);
	metric_i64(b, "sockets_timed_out_total", "counter", "Dropped: answered no ping.",
		(int64_t)e.timed_out);
	metric_i64(b, "sockets_connected", "gauge", "Sockets of people signed in.",
		(int64_t)s.sockets);
	metric_i64(b, "people_connected", "gauge", "People with a socket.", (int64_t)l.people);
	metric_i64(b, "socket_events_total", "counter", "Events from clients.", (int64_t)s.events);
	metric_i64(b, "socket_packets_total", "counter", "Packets to clients.", (int64_t)s.emitted);
	metric_i64(b, "rooms", "gauge", "Rooms with a socket.", (int64_t)l.rooms);
	metric_i64(b, "room_memberships", "gauge", "Sockets in rooms.", (int64_t)l.memberships);
	metric_i64(b, "rooms_behind", "gauge", "Rooms that have to catch up.", (int64_t)l.behind);
	metric_i64(b, "events_delivered_total", "counter", "Events handed to sockets.",
		(int64_t)l.delivered);
}

static void write_match(struct buf *b, const struct match_figures *m)
{
	struct match_stats s = match_stats();

	if (m) {
		metric_i64(b, "match_searches", "gauge", "People who search, of all processes.",
			m->searches);
		metric_i64(b, "match_chats", "gauge", "Direct chats, of all processes.", m->chats);
		metric_real(b, "match_longest_wait_seconds", "gauge",
			"How long the one that waits longest has waited.",
			(double)m->longest / 1e6);
	}
	metric_i64(b, "match_pairs_total", "counter", "Pairs that this process made.",
		(int64_t)s.pairs);
	head(b, "match_chats_ended_total", "counter", "Direct chats that this process ended.");
	for (int i = 0; i < MATCH_REASONS; i++)
		buf_printf(b, "portal_match_chats_ended_total{reason=\"%s\"} %" PRIu64 "\n",
			match_reason_name(i), s.ended[i]);
}

static void write_process(struct buf *b)
{
	struct process_figures p = process_figures();

	head(b, "build_info", "gauge", "What runs.");
	buf_printf(b, "portal_build_info{version=\"%s\",commit=\"%s\"} 1\n", PORTAL_VERSION,
		PORTAL_COMMIT);
	metric_real(b, "process_cpu_seconds_total", "counter", "User and system time.", p.cpu);
	metric_i64(b, "process_resident_memory_bytes", "gauge", "Resident memory.", p.resident);
	metric_i64(
		b, "process_peak_memory_bytes", "gauge", "Resident memory at its highest.", p.peak);
	metric_i64(b, "process_heap_bytes", "gauge", "Heap in use.", p.heap);
	if (p.descriptors >= 0)
		metric_i64(b, "process_open_descriptors", "gauge",
			"Descriptors that are open; from Linux 6.2 on.", p.descriptors);
	metric_i64(b, "process_max_descriptors", "gauge", "Descriptors that the process may open.",
		p.descriptors_max);
}

void metrics_write(struct buf *b, const struct match_figures *match)
{
	write_counts(b);
	write_histograms(b);
	write_loop(b);
	write_stores(b);
	write_sockets(b);
	write_match(b, match);
	write_process(b);
}
