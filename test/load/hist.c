/* Histograms: own their buckets.
 *
 * A value below 2^10 has a bucket of its own. Above, its highest 10 bits behind the first one name
 * the bucket within its power of two. To change the precision: HIST_BITS. */
#include "hist.h"

#include <stdlib.h>

#define STEP ((uint64_t)1 << HIST_BITS)

static size_t bucket_of(uint64_t v)
{
	unsigned high;

	if (v < STEP)
		return v;
	high = 63u - (unsigned)__builtin_clzll(v);
	return ((size_t)(high - HIST_BITS + 1) << HIST_BITS) +
	       ((v >> (high - HIST_BITS)) & (STEP - 1));
}

/* The largest value of a bucket. */
static uint64_t value_of(size_t bucket)
{
	uint64_t half = bucket >> HIST_BITS;

	if (half == 0)
		return bucket;
	return (((bucket & (STEP - 1)) + STEP + 1) << (half - 1)) - 1;
}

void hist_add(struct hist *h, int64_t us)
{
	const uint64_t most = ((uint64_t)1 << (HIST_BITS + HIST_HALVES)) - 1;
	uint64_t v = us < 0 ? 0 : (uint64_t)us > most ? most : (uint64_t)us;

	if (!h->buckets) {
		h->buckets = calloc(HIST_BUCKETS, sizeof(*h->buckets));
		if (!h->buckets)
			PANIC("no memory");
	}
	h->buckets[bucket_of(v)]++;
	h->count++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
}

uint64_t hist_at(const struct hist *h, double part)
{
	uint64_t wanted = (uint64_t)(part * (double)h->count + 0.5), seen = 0;

	if (h->count == 0)
		return 0;
	for (size_t i = 0; i < HIST_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen >= wanted && seen > 0)
			return value_of(i) < h->max ? value_of(i) : h->max;
	}
	return h->max;
}

void hist_clear(struct hist *h)
{
	if (h->count > 0)
		memset(h->buckets, 0, HIST_BUCKETS * sizeof(*h->buckets));
	h->count = h->sum = h->max = 0;
}

void hist_free(struct hist *h)
{
	free(h->buckets);
	*h = (struct hist){0};
}

void hist_write(const struct hist *h, struct json_out *j)
{
	json_obj(j);
	json_ki64(j, "count", (int64_t)h->count);
	json_ki64(j, "mean_us", h->count > 0 ? (int64_t)(h->sum / h->count) : 0);
	json_ki64(j, "p50_us", (int64_t)hist_at(h, 0.5));
	json_ki64(j, "p90_us", (int64_t)hist_at(h, 0.9));
	json_ki64(j, "p99_us", (int64_t)hist_at(h, 0.99));
	json_ki64(j, "p999_us", (int64_t)hist_at(h, 0.999));
	json_ki64(j, "max_us", (int64_t)h->max);
	json_end(j);
}
