/* Identities: own a certificate chain, its key, the configuration of mbed TLS and the keys of
 * session tickets.
 *
 *   identity_load: file_read twice -> chain_parse, key_parse -> pair_check -> configure
 *
 * Tickets belong to an identity: after a reload everyone shakes hands in full and sees the new
 * certificate. Randomness is the process' own (secret_random), so there is no generator to keep.
 *
 * Lifetime: counted; sessions hold the one that they began with. To change what is spoken: the
 * lists above configure. */
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/secret.h"
#include "io/tls_private.h"

#define FILE_MAX       (256 * 1024)
#define TICKET_SECONDS (12 * 3600)
#define FOR_OTHERS     (S_IRWXO | S_IWGRP | S_IXGRP)

struct identity {
	size_t refs;
	mbedtls_x509_crt chain;
	mbedtls_pk_context key;
	mbedtls_ssl_ticket_context tickets;
	mbedtls_ssl_config config;
};

#define REFUSE(why, ...) (snprintf((why), TLS_WHY, __VA_ARGS__), ERR_INVALID_REQUEST)

static int random_fill(void *unused, unsigned char *p, size_t n)
{
	(void)unused;
	secret_random(p, n);
	return 0;
}

/* mbed TLS 3 wants randomness for keys, too. */
#if MBEDTLS_VERSION_MAJOR >= 3
#define RANDOM_OF_3 , random_fill, NULL
#else
#define RANDOM_OF_3
#endif

/* ---- files ---- */

static enum err fd_read(
	int fd, const char *name, const char *path, mode_t not, struct buf *b, char why[TLS_WHY])
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return REFUSE(why, "%s: \"%.200s\" must be a file of up to %d KiB", name, path,
			FILE_MAX / 1024);
	if ((st.st_mode & not ) != 0)
		return REFUSE(why,
			"%s: \"%.200s\" is open to others (mode %04o); chmod 600, or 640 for a "
			"group",
			name, path, (unsigned)st.st_mode & 07777);
	while ((n = read(fd, buf_reserve(b, FILE_MAX), FILE_MAX)) > 0 && b->n <= FILE_MAX)
		b->n += (size_t)n;
	if (n < 0)
		return REFUSE(
			why, "%s: \"%.200s\" cannot be read: %s", name, path, strerror(errno));
	buf_char(b, '\0'); /* how mbed TLS knows PEM */
	return OK;
}

/* `not`: bits that its mode must not have. */
static enum err file_read(
	const char *name, const char *path, mode_t not, struct buf *b, char why[TLS_WHY])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum err e;

	if (fd < 0)
		return REFUSE(
			why, "%s: \"%.200s\" cannot be opened: %s", name, path, strerror(errno));
	e = fd_read(fd, name, path, not, b, why);
	close(fd);
	return e;
}

static void file_forget(struct buf *b)
{
	if (b->p)
		secret_wipe(b->p, b->cap);
	buf_free(b);
}

/* ---- certificate and key ---- */

static enum err unusable(char why[TLS_WHY], const char *name, const char *path, int code)
{
	char text[120];

	mbedtls_strerror(code, text, sizeof(text));
	return REFUSE(why, "%s: \"%.150s\" cannot be used: %s", name, path, text);
}

static enum err chain_parse(struct identity *i, const char *path, char why[TLS_WHY])
{
	struct buf file = {0};
	enum err e = file_read("TLS_CERT", path, 0, &file, why);
	int r;

	if (e == OK) {
		r = mbedtls_x509_crt_parse(&i->chain, (unsigned char *)file.p, file.n);
		if (r > 0)
			e = REFUSE(why, "TLS_CERT: %d certificates of \"%.200s\" cannot be used", r,
				path);
		else if (r < 0)
			e = unusable(why, "TLS_CERT", path, r);
	}
	file_forget(&file);
	return e;
}

static enum err key_parse(struct identity *i, const char *path, char why[TLS_WHY])
{
	struct buf file = {0};
	enum err e = file_read("TLS_KEY", path, FOR_OTHERS, &file, why);
	int r;

	if (e == OK) {
		r = mbedtls_pk_parse_key(
			&i->key, (unsigned char *)file.p, file.n, NULL, 0 RANDOM_OF_3);
		if (r != 0)
			e = unusable(why, "TLS_KEY", path, r);
		else if (mbedtls_pk_check_pair(&i->chain.pk, &i->key RANDOM_OF_3) != 0)
			e = REFUSE(why,
				"TLS_KEY: \"%.200s\" is not the key of the first certificate in "
				"TLS_CERT",
				path);
	}
	file_forget(&file);
	return e;
}

/* ---- what is spoken ---- */

/* The server's choice. ChaCha20 first: without SIMD for GCM's hash in mbed TLS 2.28 it is the
 * faster by half, and it needs no help of the processor to take constant time. */
static const int suites[] = {
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	0,
};
static const char *protocols[] = {"http/1.1", NULL};

/* TLS 1.2, its curves, and the hashes of its signatures. X25519 first: for a curve that is used
 * once it is the cheaper of the two. */
#if MBEDTLS_VERSION_MAJOR >= 3
static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
#define SIGNED_BY(hash)                                                                            \
	(MBEDTLS_SSL_HASH_##hash << 8 | MBEDTLS_SSL_SIG_ECDSA),                                    \
		(MBEDTLS_SSL_HASH_##hash << 8 | MBEDTLS_SSL_SIG_RSA)
static const uint16_t signatures[] = {
	SIGNED_BY(SHA256), SIGNED_BY(SHA384), SIGNED_BY(SHA512), MBEDTLS_TLS1_3_SIG_NONE};

static void configure_version(mbedtls_ssl_config *c)
{
	mbedtls_ssl_conf_min_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_max_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_groups(c, groups);
	mbedtls_ssl_conf_sig_algs(c, signatures);
}
#else
static const mbedtls_ecp_group_id curves[] = {
	MBEDTLS_ECP_DP_CURVE25519,
	MBEDTLS_ECP_DP_SECP256R1,
	MBEDTLS_ECP_DP_SECP384R1,
	MBEDTLS_ECP_DP_NONE,
};
static const int hashes[] = {
	MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512, MBEDTLS_MD_NONE};

static void configure_version(mbedtls_ssl_config *c)
{
	mbedtls_ssl_conf_min_version(c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_curves(c, curves);
	mbedtls_ssl_conf_sig_hashes(c, hashes);
}
#endif

static void configure(struct identity *i)
{
	mbedtls_ssl_config *c = &i->config;

	if (mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
		    MBEDTLS_SSL_PRESET_DEFAULT) != 0 ||
		mbedtls_ssl_conf_own_cert(c, &i->chain, &i->key) != 0 ||
		mbedtls_ssl_conf_alpn_protocols(c, protocols) != 0 ||
		mbedtls_ssl_ticket_setup(&i->tickets, random_fill, NULL, MBEDTLS_CIPHER_AES_256_GCM,
			TICKET_SECONDS) != 0)
		PANIC("TLS cannot be set up");
	configure_version(c);
	mbedtls_ssl_conf_rng(c, random_fill, NULL);
	mbedtls_ssl_conf_ciphersuites(c, suites);
	mbedtls_ssl_conf_renegotiation(c, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
	mbedtls_ssl_conf_session_tickets_cb(
		c, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &i->tickets);
}

/* ---- identities ---- */

struct identity *identity_load(struct str cert, struct str key, char why[TLS_WHY])
{
	struct identity *i = calloc(1, sizeof(*i));

	if (!i)
		PANIC("out of memory");
	i->refs = 1;
	mbedtls_x509_crt_init(&i->chain);
	mbedtls_pk_init(&i->key);
	mbedtls_ssl_ticket_init(&i->tickets);
	mbedtls_ssl_config_init(&i->config);
	if (chain_parse(i, cert.p, why) != OK || key_parse(i, key.p, why) != OK) {
		identity_unref(i);
		return NULL;
	}
	configure(i);
	return i;
}

struct identity *identity_ref(struct identity *i)
{
	i->refs++;
	return i;
}

void identity_unref(struct identity *i)
{
	if (!i || --i->refs > 0)
		return;
	mbedtls_ssl_config_free(&i->config);
	mbedtls_ssl_ticket_free(&i->tickets);
	mbedtls_pk_free(&i->key);
	mbedtls_x509_crt_free(&i->chain);
	free(i);
}

const struct mbedtls_ssl_config *identity_config(const struct identity *i)
{
	return &i->config;
}

void identity_log(const struct identity *i)
{
	const mbedtls_x509_time *end = &i->chain.valid_to;
	bool over = mbedtls_x509_time_is_past(end) != 0;
	char subject[200] = "", day[16];

	(void)!mbedtls_x509_dn_gets(subject, sizeof(subject), &i->chain.subject);
	snprintf(day, sizeof(day), "%04d-%02d-%02d", end->year, end->mon, end->day);
	log_line(over ? LOG_WARN : LOG_INFO, over ? "the certificate has expired" : "certificate",
		LOG_Z("subject", subject), LOG_Z("until", day));
}
