/* SPDX-License-Identifier: BSD-3-Clause
 * The certificate that a first start makes for itself. */
#ifndef CRYPTO_CERTIFICATE_H
#define CRYPTO_CERTIFICATE_H

#include "crypto/digest.h"
#include "crypto/tls.h"

/* Writes a self-signed P-256 certificate for |names| (DNS names or IP literals; the first is the subject), valid for
 * |days|, and its key (mode 0600), both PEM. Each file is written beside its name first and then renamed. Returns 0, or
 * ERR_CRYPTO or ERR_SYSTEM with |error| filled. */
int certificate_create_self_signed(const char *certificate_file, const char *key_file, const char *const *names,
                                   size_t name_count, unsigned days, struct tls_error *error);

/* SHA-256 over the public key (SubjectPublicKeyInfo) of the first certificate in a PEM file: what browsers pin. Returns
 * 0, or ERR_CRYPTO with |error| filled. */
int certificate_public_key_hash(const char *certificate_file, uint8_t out[SHA256_SIZE], struct tls_error *error);
/* The first DNS name of that certificate that is no wildcard: how clients call the server. |out| takes |size| bytes
 * with its NUL. Returns 0, ERR_NOT_FOUND or ERR_CRYPTO with |error| filled. */
int certificate_host_name(const char *certificate_file, char *out, size_t size, struct tls_error *error);

#endif
