/* The client of tls_peer.h. */
#include "tls_peer.h"

#include <errno.h>
#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

static int random_fill(void *unused, unsigned char *p, size_t n)
{
	(void)unused;
	secret_random(p, n);
	return 0;
}

/* ---- the client ---- */

static int on_send(void *ctx, const unsigned char *bytes, size_t n)
{
	struct tls_peer *p = ctx;

	buf_put(&p->out, bytes, n);
	if (!p->hold)
		tls_peer_send_some(p, SIZE_MAX);
	return (int)n;
}

static int on_recv(void *ctx, unsigned char *bytes, size_t n)
{
	struct tls_peer *p = ctx;
	ssize_t got = recv(p->fd, bytes, n, 0);

	if (got < 0)
		return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
	return (int)got;
}

void tls_peer_open(struct tls_peer *p)
{
	static const char *protocols[] = {"h2", "http/1.1", NULL};

	*p = (struct tls_peer){.fd = rig_socket()};
	rig_connect(p->fd);
	mbedtls_ssl_init(&p->ssl);
	mbedtls_ssl_config_init(&p->config);
	assert_int_equal(mbedtls_ssl_config_defaults(&p->config, MBEDTLS_SSL_IS_CLIENT,
				 MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT),
		0);
#if MBEDTLS_VERSION_MAJOR >= 3
	mbedtls_ssl_conf_max_tls_version(&p->config, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
	mbedtls_ssl_conf_rng(&p->config, random_fill, NULL);
	mbedtls_ssl_conf_authmode(&p->config, MBEDTLS_SSL_VERIFY_NONE);
	mbedtls_ssl_conf_alpn_protocols(&p->config, protocols);
	assert_int_equal(mbedtls_ssl_setup(&p->ssl, &p->config), 0);
	mbedtls_ssl_set_bio(&p->ssl, p, on_send, on_recv, NULL);
}

void tls_peer_close(struct tls_peer *p)
{
	if (p->fd < 0)
		return;
	close(p->fd);
	p->fd = -1;
	mbedtls_ssl_free(&p->ssl);
	mbedtls_ssl_config_free(&p->config);
	buf_free(&p->out);
	buf_free(&p->received);
}

bool tls_peer_shake(struct tls_peer *p)
{
	p->result = mbedtls_ssl_handshake(&p->ssl);
	return p->result != MBEDTLS_ERR_SSL_WANT_READ;
}

void tls_peer_read(struct tls_peer *p)
{
	do {
		p->result = mbedtls_ssl_read(
			&p->ssl, (unsigned char *)buf_reserve(&p->received, 16384), 16384);
		if (p->result > 0)
			p->received.n += (size_t)p->result;
	} while (p->result > 0);
}

void tls_peer_write(struct tls_peer *p, const void *bytes, size_t n)
{
	for (size_t at = 0; at < n; at += (size_t)p->result) {
		p->result = mbedtls_ssl_write(&p->ssl, (const unsigned char *)bytes + at, n - at);
		assert_true(p->result > 0);
	}
}

void tls_peer_send_some(struct tls_peer *p, size_t n)
{
	ssize_t sent;

	if (n > p->out.n)
		n = p->out.n;
	sent = send(p->fd, p->out.p, n, MSG_NOSIGNAL);
	if (sent > 0)
		buf_drop(&p->out, (size_t)sent);
}

/* ---- certificates ---- */

static void file_write(const char *path, const unsigned char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs((const char *)text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static void number(mbedtls_x509write_cert *cert)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	unsigned char one = 1;

	assert_int_equal(mbedtls_x509write_crt_set_serial_raw(cert, &one, 1), 0);
#else
	mbedtls_mpi one;

	mbedtls_mpi_init(&one);
	assert_int_equal(mbedtls_mpi_lset(&one, 1), 0);
	assert_int_equal(mbedtls_x509write_crt_set_serial(cert, &one), 0);
	mbedtls_mpi_free(&one);
#endif
}

void certificate_make(const char *name, const char *cert_path, const char *key_path)
{
	unsigned char text[4096];
	char subject[64];
	mbedtls_pk_context key;
	mbedtls_x509write_cert cert;

	snprintf(subject, sizeof(subject), "CN=%s", name);
	mbedtls_pk_init(&key);
	assert_int_equal(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
	assert_int_equal(mbedtls_ecp_gen_key(
				 MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), random_fill, NULL),
		0);
	mbedtls_x509write_crt_init(&cert);
	mbedtls_x509write_crt_set_version(&cert, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&cert, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&cert, &key);
	mbedtls_x509write_crt_set_issuer_key(&cert, &key);
	assert_int_equal(mbedtls_x509write_crt_set_subject_name(&cert, subject), 0);
	assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&cert, subject), 0);
	number(&cert);
	assert_int_equal(
		mbedtls_x509write_crt_set_validity(&cert, "20200101000000", "20991231235959"), 0);
	assert_int_equal(
		mbedtls_x509write_crt_pem(&cert, text, sizeof(text), random_fill, NULL), 0);
	file_write(cert_path, text);
	assert_int_equal(mbedtls_pk_write_key_pem(&key, text, sizeof(text)), 0);
	file_write(key_path, text);
	mbedtls_x509write_crt_free(&cert);
	mbedtls_pk_free(&key);
}
