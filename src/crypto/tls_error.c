/* SPDX-License-Identifier: BSD-3-Clause
 * OpenSSL's errors as something a person can act on. */
#include <stdarg.h>
#include <stdio.h>

#include <openssl/err.h>

#include "crypto/tls_internal.h"

static const struct {
    int reason;
    const char *text;
} reasons[] = {
    {SSL_R_HTTP_REQUEST, "the peer spoke plain HTTP instead of TLS"},
    {SSL_R_HTTPS_PROXY_REQUEST, "the peer sent a proxy's CONNECT instead of TLS"},
    {SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS, or a record was damaged"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the peer offers only versions older than TLS 1.2"},
    {SSL_R_VERSION_TOO_LOW, "the peer offers only versions older than TLS 1.2"},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, "no protocol version in common with the peer"},
    {SSL_R_NO_SHARED_CIPHER, "no cipher suite in common with the peer"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, "no key exchange group in common with the peer"},
    {SSL_R_NO_SHARED_GROUPS, "no key exchange group in common with the peer"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "no signature algorithm in common with the peer"},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, "no signature algorithm in common with the peer"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record failed its integrity check"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, "a record was longer than TLS allows"},
    {SSL_R_ENCRYPTED_LENGTH_TOO_LONG, "a record was longer than TLS allows"},
    {SSL_R_UNEXPECTED_MESSAGE, "the peer sent a message out of turn"},
    {SSL_R_UNEXPECTED_RECORD, "the peer sent a record out of turn"},
    {SSL_R_LENGTH_MISMATCH, "a hand-shake message has a wrong length"},
    {SSL_R_READ_TIMEOUT_EXPIRED, "the peer did not answer the hand-shake"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the peer does not know the authority of our certificate"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the peer calls our certificate bad"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the peer does not accept our certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the peer says that our certificate has expired"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "the peer says that our certificate is revoked"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "the peer does not support our kind of certificate"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "the peer found no parameters in common with us"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the peer accepts no protocol version of ours"},
    {SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, "the peer asks for stronger ciphers"},
    {SSL_R_TLSV1_ALERT_DECRYPT_ERROR, "the peer could not verify our hand-shake"},
    {SSL_R_TLSV1_ALERT_INTERNAL_ERROR, "the peer reports an internal error"},
    {SSL_R_TLSV1_ALERT_USER_CANCELLED, "the peer cancelled the hand-shake"},
    {SSL_R_TLSV1_UNRECOGNIZED_NAME, "the peer does not serve that name"},
};

const char *tls_failure_reason(const SSL *ssl)
{
    unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
        if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && ssl)
            return X509_verify_cert_error_string(SSL_get_verify_result(ssl));
        for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
            if (reasons[i].reason == ERR_GET_REASON(code))
                return reasons[i].text;
    }
    const char *text = ERR_reason_error_string(code);
    return text ? text : "no reason given";
}

void tls_error_set(struct tls_error *error, const char *format, ...)
{
    if (!error)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
}
