/* TLS of the clients: owns what all of them trust, and the tunnel of each connection. Memory to
 * memory: client_sock.c and client_web.c read and write the socket.
 *
 *   tunnel_new -> (hello on the wire) -> tunnel_take -> shake … -> open
 *   tunnel_take -> tunnel_read: plaintext        tunnel_put: plaintext -> records on the wire
 *
 * TLS 1.2, as portald's own listener speaks it. The certificate must lead to a root that is trusted
 * and bear the host's name (or its address: mbed TLS 2.28 does not look at addresses, on_verify
 * does), unless the operator said --insecure. A connection begins with the ticket that its origin
 * gave to an earlier one, as those of a browser do: a full handshake costs this process
 * milliseconds.
 *
 * Lifetime: the configuration from the first https origin (or client_trust) to client_teardown; a
 * tunnel as long as its connection's handle. To add a refusal that deserves a sentence of its own:
 * verify_why. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/secret.h"
#include "client_private.h"

#define PLAIN_SIZE MBEDTLS_SSL_IN_CONTENT_LEN

struct tls_origin {
	char name[256];
	uint8_t ip[16];
	size_t ip_len;               /* 0: a name */
	mbedtls_ssl_session session; /* with a ticket, when kept */
	bool kept;
};

struct tunnel {
	mbedtls_ssl_context ssl;
	struct tls_origin *origin;
	struct buf early, wire; /* plaintext before it is open; bytes for the socket */
	struct str next;        /* what mbed TLS reads from: the caller's */
	const char *why;        /* it is broken */
	bool open, spoke, verified;
};

static const char *const roots[] = {"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

static struct {
	bool made;
	mbedtls_ssl_config config;
	mbedtls_x509_crt trusted;
	struct tunnel *shaking;                  /* whose certificate on_verify looks at */
	char names[160], issuer[120], until[16]; /* of the certificate that was refused last */
	char why[CLIENT_WHY];
	char plain[PLAIN_SIZE];
} tls;

static int random_fill(void *unused, unsigned char *p, size_t n)
{
	(void)unused;
	secret_random(p, n);
	return 0;
}

/* ---- certificates ---- */

static bool bears_address(const mbedtls_x509_crt *crt, const struct tls_origin *o)
{
	const int address = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;

	for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s; s = s->next)
		if (s->buf.tag == address && s->buf.len == o->ip_len &&
			memcmp(s->buf.p, o->ip, o->ip_len) == 0)
			return true;
	return false;
}

/* For the sentence of a refusal. */
static void names_note(const mbedtls_x509_crt *crt)
{
	const int name = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;
	size_t n = 0;

	tls.names[0] = '\0';
	for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s; s = s->next)
		if (s->buf.tag == name && n + s->buf.len + 3 < sizeof(tls.names))
			n += (size_t)snprintf(tls.names + n, sizeof(tls.names) - n, "%s%.*s",
				n > 0 ? ", " : "", (int)s->buf.len, (const char *)s->buf.p);
	if (n == 0)
		(void)!mbedtls_x509_dn_gets(tls.names, sizeof(tls.names), &crt->subject);
	if (mbedtls_x509_dn_gets(tls.issuer, sizeof(tls.issuer), &crt->issuer) < 0)
		tls.issuer[0] = '\0';
	snprintf(tls.until, sizeof(tls.until), "%04d-%02d-%02d", crt->valid_to.year,
		crt->valid_to.mon, crt->valid_to.day);
}

static int on_verify(void *unused, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	const struct tls_origin *o = tls.shaking->origin;

	(void)unused;
	tls.shaking->verified = true;
	if (depth > 0)
		return 0;
	if (o->ip_len > 0 && !bears_address(crt, o))
		*flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	names_note(crt);
	return 0;
}

static void verify_why(const struct tunnel *t)
{
	uint32_t flags = mbedtls_ssl_get_verify_result(&t->ssl);

	if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
		snprintf(tls.why, CLIENT_WHY,
			"its certificate is not for \"%.80s\" but for %.150s; name the host as the "
			"certificate does",
			t->origin->name, tls.names);
	else if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
		snprintf(tls.why, CLIENT_WHY,
			"its certificate has expired (%s); it needs a new one", tls.until);
	else if (flags & MBEDTLS_X509_BADCERT_FUTURE)
		snprintf(tls.why, CLIENT_WHY,
			"its certificate is not valid yet; is the clock of this machine right?");
	else if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		snprintf(tls.why, CLIENT_WHY,
			"its certificate is signed by \"%.110s\", whom nothing here trusts; name "
			"the "
			"authority's certificate by --ca",
			tls.issuer);
	else if (mbedtls_x509_crt_verify_info(tls.why, CLIENT_WHY, "", flags) <= 0)
		snprintf(tls.why, CLIENT_WHY, "its certificate does not hold");
}

/* ---- what is trusted ---- */

/* How many certificates; < 0: the file cannot be read. */
static int file_trust(const char *path)
{
	struct buf b = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC), count = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = read(fd, buf_reserve(&b, 65536), 65536)) > 0)
		b.n += (size_t)n;
	close(fd);
	buf_char(&b, '\0'); /* how mbed TLS knows PEM */
	if (n == 0) {
		(void)!mbedtls_x509_crt_parse(&tls.trusted, (unsigned char *)b.p, b.n);
		for (const mbedtls_x509_crt *c = &tls.trusted; c; c = c->next)
			count += c->raw.len > 0;
	}
	buf_free(&b);
	return n == 0 ? count : -1;
}

static bool roots_trust(char why[CLIENT_WHY])
{
	const char *named = getenv("SSL_CERT_FILE");

	if (named && file_trust(named) > 0)
		return true;
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		if (file_trust(roots[i]) > 0)
			return true;
	snprintf(why, CLIENT_WHY,
		"this system has no list of authorities (%s); install ca-certificates, or name one "
		"by "
		"--ca",
		roots[0]);
	return false;
}

static bool ca_trust(const char *ca, char why[CLIENT_WHY])
{
	int n = file_trust(ca);

	if (n < 0)
		snprintf(why, CLIENT_WHY, "--ca %.150s: %s", ca, strerror(errno));
	else if (n == 0)
		snprintf(why, CLIENT_WHY,
			"--ca %.150s: no certificate is in it; a PEM file is wanted", ca);
	return n > 0;
}

static void configure(bool insecure)
{
	static const char *protocols[] = {"http/1.1", NULL};
	mbedtls_ssl_config *c = &tls.config;

	if (mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
		    MBEDTLS_SSL_PRESET_DEFAULT) != 0 ||
		mbedtls_ssl_conf_alpn_protocols(c, protocols) != 0)
		PANIC("TLS cannot be set up");
#if MBEDTLS_VERSION_MAJOR >= 3
	mbedtls_ssl_conf_min_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_max_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
#else
	mbedtls_ssl_conf_min_version(c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
	mbedtls_ssl_conf_rng(c, random_fill, NULL);
	mbedtls_ssl_conf_ca_chain(c, &tls.trusted, NULL);
	mbedtls_ssl_conf_verify(c, on_verify, NULL);
	mbedtls_ssl_conf_authmode(
		c, insecure ? MBEDTLS_SSL_VERIFY_OPTIONAL : MBEDTLS_SSL_VERIFY_REQUIRED);
}

bool client_trust(const char *ca, bool insecure, char why[CLIENT_WHY])
{
	tls_client_teardown();
	mbedtls_x509_crt_init(&tls.trusted);
	mbedtls_ssl_config_init(&tls.config);
	tls.made = true;
	if (!insecure && !(ca ? ca_trust(ca, why) : roots_trust(why))) {
		tls_client_teardown();
		return false;
	}
	configure(insecure);
	return true;
}

void tls_client_teardown(void)
{
	if (!tls.made)
		return;
	mbedtls_ssl_config_free(&tls.config);
	mbedtls_x509_crt_free(&tls.trusted);
	tls.made = false;
}

/* ---- origins ---- */

struct tls_origin *tls_origin_new(const char *host, char why[CLIENT_WHY])
{
	struct tls_origin *o;

	if (!tls.made && !client_trust(NULL, false, why))
		return NULL;
	o = calloc(1, sizeof(*o));
	if (!o)
		PANIC("no memory");
	snprintf(o->name, sizeof(o->name), "%s", host);
	if (inet_pton(AF_INET, host, o->ip) == 1)
		o->ip_len = 4;
	else if (inet_pton(AF_INET6, host, o->ip) == 1)
		o->ip_len = 16;
	mbedtls_ssl_session_init(&o->session);
	return o;
}

void tls_origin_free(struct tls_origin *o)
{
	if (!o)
		return;
	mbedtls_ssl_session_free(&o->session);
	free(o);
}

/* ---- mbed TLS reads and writes memory ---- */

static int on_send(void *ctx, const unsigned char *p, size_t n)
{
	struct tunnel *t = ctx;

	buf_put(&t->wire, p, n);
	return (int)n;
}

static int on_recv(void *ctx, unsigned char *p, size_t n)
{
	struct tunnel *t = ctx;

	if (t->next.n == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	if (n > t->next.n)
		n = t->next.n;
	memcpy(p, t->next.p, n);
	t->next = str_from(t->next, n);
	return (int)n;
}

/* ---- tunnels ---- */

static void broken(struct tunnel *t, int code)
{
	char text[160];

	t->why = tls.why;
	if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
		verify_why(t);
		return;
	}
	mbedtls_strerror(code, text, sizeof(text));
	snprintf(tls.why, CLIENT_WHY, "TLS failed: %s", text);
}

static void session_keep(struct tunnel *t)
{
	struct tls_origin *o = t->origin;

	client_counts.handshakes++;
	if (!t->verified) { /* nothing is looked at in a session that goes on */
		client_counts.resumed++;
		return;
	}
	mbedtls_ssl_session_free(&o->session);
	mbedtls_ssl_session_init(&o->session);
	o->kept = mbedtls_ssl_get_session(&t->ssl, &o->session) == 0;
}

static void shake(struct tunnel *t)
{
	struct buf early = t->early;
	int r;

	tls.shaking = t;
	r = mbedtls_ssl_handshake(&t->ssl);
	tls.shaking = NULL;
	if (r == MBEDTLS_ERR_SSL_WANT_READ)
		return;
	if (r != 0) {
		broken(t, r);
		return;
	}
	t->open = true;
	session_keep(t);
	t->early = (struct buf){0};
	tunnel_put(t, buf_view(&early));
	buf_free(&early);
}

struct tunnel *tunnel_new(struct tls_origin *o)
{
	struct tunnel *t = calloc(1, sizeof(*t));

	if (!t)
		PANIC("no memory");
	t->origin = o;
	mbedtls_ssl_init(&t->ssl);
	/* An address is no server name, and on_verify looks for it. */
	if (mbedtls_ssl_setup(&t->ssl, &tls.config) != 0 ||
		mbedtls_ssl_set_hostname(&t->ssl, o->ip_len > 0 ? NULL : o->name) != 0 ||
		(o->kept && mbedtls_ssl_set_session(&t->ssl, &o->session) != 0))
		PANIC("no memory");
	mbedtls_ssl_set_bio(&t->ssl, t, on_send, on_recv, NULL);
	shake(t);
	return t;
}

void tunnel_free(struct tunnel *t)
{
	if (!t)
		return;
	mbedtls_ssl_free(&t->ssl);
	buf_free(&t->early);
	buf_free(&t->wire);
	free(t);
}

void tunnel_take(struct tunnel *t, const char *p, size_t n)
{
	bool record = p[0] >= MBEDTLS_SSL_MSG_CHANGE_CIPHER_SPEC &&
		      p[0] <= MBEDTLS_SSL_MSG_APPLICATION_DATA;

	if (!t->spoke && !record) {
		t->why = "it does not speak TLS there; is it http://?";
		return;
	}
	t->spoke = true;
	t->next = str_make(p, n);
	if (!t->open && !t->why)
		shake(t);
}

bool tunnel_read(struct tunnel *t, struct str *plain)
{
	while (t->open && !t->why) {
		size_t left = t->next.n;
		int r = mbedtls_ssl_read(&t->ssl, (unsigned char *)tls.plain, PLAIN_SIZE);

		if (r > 0) {
			*plain = str_make(tls.plain, (size_t)r);
			return true;
		}
		if (r == 0 || r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
			t->why = "the server closed the connection";
		else if (r != MBEDTLS_ERR_SSL_WANT_READ)
			broken(t, r);
		else if (t->next.n == 0 || t->next.n == left)
			break; /* or: a record that was nothing to us */
	}
	return false;
}

void tunnel_put(struct tunnel *t, struct str plain)
{
	if (!t->open) {
		buf_str(&t->early, plain);
		return;
	}
	while (plain.n > 0 && !t->why) {
		int r = mbedtls_ssl_write(&t->ssl, (const unsigned char *)plain.p, plain.n);

		if (r <= 0)
			broken(t, r);
		else
			plain = str_from(plain, (size_t)r);
	}
}

struct buf *tunnel_wire(struct tunnel *t)
{
	return &t->wire;
}

const char *tunnel_why(const struct tunnel *t)
{
	return t->why;
}

const char *tunnel_ended(const struct tunnel *t)
{
	return t->open ? "the server closed the connection"
		       : "the server closed the connection in the middle of the TLS handshake";
}
