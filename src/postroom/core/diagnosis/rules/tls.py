"""Rows about certificates and the TLS handshake. A refused TCP connection is not here: see `network`."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage, TlsFacts
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import FOLDER, Rule
from postroom.core.diagnosis.verdict import Action

TLS = "tls_certificate"
SETUP = "server_misconfigured"
ON_TLS = {"stage": Stage.TLS}


def _seen(fault: str) -> dict[str, object]:
    return {"stage": Stage.TLS, "tls": TlsFacts(fault=fault)}


RULES = (
    Rule(
        id="tls.seen.expired",
        smtp=TLS,
        imap=TLS,
        cause="certificate_expired",
        tls=("expired",),
        given=_seen("expired"),
        source="our own handshake; RFC 5280 4.1.2.5",
    ),
    Rule(
        id="tls.seen.not-yet-valid",
        smtp=TLS,
        imap=TLS,
        cause="certificate_not_yet_valid",
        tls=("not_yet_valid",),
        given=_seen("not_yet_valid"),
        source="our own handshake; RFC 5280 4.1.2.5",
    ),
    Rule(
        id="tls.seen.wrong-host",
        smtp=TLS,
        imap=TLS,
        cause="certificate_wrong_host",
        tls=("wrong_host",),
        given=_seen("wrong_host"),
        source="our own handshake; RFC 9525",
    ),
    Rule(
        id="tls.seen.self-signed",
        smtp=TLS,
        imap=TLS,
        cause="certificate_self_signed",
        tls=("self_signed",),
        given=_seen("self_signed"),
        source="our own handshake",
    ),
    Rule(
        id="tls.seen.unknown-ca",
        smtp=TLS,
        imap=TLS,
        cause="certificate_unknown_ca",
        tls=("unknown_ca",),
        given=_seen("unknown_ca"),
        source="our own handshake; RFC 8446 6.2",
    ),
    Rule(
        id="tls.seen.plain-port",
        smtp=TLS,
        imap=TLS,
        cause="tls_plain_port",
        tls=("plain_port",),
        given=_seen("plain_port"),
        source="our own handshake; RFC 8314 3",
    ),
    Rule(
        id="tls.seen.protocol",
        smtp=TLS,
        imap=TLS,
        cause="tls_version",
        tls=("protocol",),
        given=_seen("protocol"),
        source="our own handshake; RFC 8996",
    ),
    Rule(
        id="tls.seen.other",
        smtp=TLS,
        imap=TLS,
        cause="tls_failed",
        tls=("other",),
        given=_seen("other"),
        source="our own handshake",
    ),
    Rule(
        id="tls.words.catch-all",
        smtp=TLS,
        imap=TLS,
        cause="tls_failed",
        given=ON_TLS,
        words=phrases(
            """
            error occurred while attempting to establish an ssl or tls connection
            could not be validated for the following reasons
            """
        ),
        unless=phrases(
            """
            host name did not match | does not match | self-signed certificate. | plain-text
            does not support ssl | revocation
            """
        ),
        example=(
            "An error occurred while attempting to establish an SSL or TLS connection.\nThis usually means that "
            "the SSL certificate presented by the server is not trusted by the system for one or more of the "
            "following reasons: 1. The server is using a self-signed certificate"
        ),
        source="MailKit SslHandshakeException; it lists every reason it knows",
    ),
    Rule(
        id="tls.words.revocation-offline",
        smtp=TLS,
        imap=TLS,
        action=Action.RETRY,
        cause="tls_revocation",
        given=ON_TLS,
        words=phrases(
            """
            revocation server was offline | unable to check revocation | crl_err_offline
            crypt_e_revocation_offline | crypt_e_no_revocation_check
            """
        ),
        example=("The revocation function was unable to check revocation because the revocation server was offline."),
        source="Windows SChannel; MailKit",
    ),
    Rule(
        id="tls.words.expired",
        smtp=TLS,
        imap=TLS,
        cause="certificate_expired",
        given=ON_TLS,
        words=phrases(
            """
            certificate has expired | certificate expired | certificate_expired | cert_has_expired
            certificate is expired | certificateexpired | expired certificate | certificate has been expired
            certexpired | certificate: expired | certificate … has expired | notafter:
            """
        ),
        example=(
            "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate "
            "has expired (_ssl.c:1129)"
        ),
        source="OpenSSL X509_V_ERR_CERT_HAS_EXPIRED; Node, Go, Java, rustls words for it",
    ),
    Rule(
        id="tls.words.not-yet-valid",
        smtp=TLS,
        imap=TLS,
        cause="certificate_not_yet_valid",
        given=ON_TLS,
        words=phrases(
            """
            certificate is not yet valid | cert_not_yet_valid | certificatenotyetvalid | notvalidyet
            notbefore:
            """
        ),
        example=(
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate is not yet valid (_ssl.c:1129)"
        ),
        source="OpenSSL X509_V_ERR_CERT_NOT_YET_VALID",
    ),
    Rule(
        id="tls.words.wrong-host",
        smtp=TLS,
        imap=TLS,
        cause="certificate_wrong_host",
        given=ON_TLS,
        words=phrases(
            """
            hostname mismatch | name mismatch | hostname/ip doesn't match | hostname/ip does not match
            does not match certificate | doesn't match certificate | err_tls_cert_altname_invalid | altnames
            certificate is valid for | certificate is not valid for | not valid for any names | notvalidforname
            no subject alternative | does not match target host | host name did not match
            hostname did not match | hostname doesn't match | hostname does not match | ip address mismatch
            certificate subject name | no name matching | remotecertificatenamemismatch
            certificate … does not match | certificate … doesn't match | common name … match
            peer certificate cn | can't match hostname | bad certificate domain | ssl_error_bad_cert_domain
            sni … certificate
            """
        ),
        example="Hostname/IP does not match certificate's altnames: IP: 172.22.0.1",
        source="Node tls, Go x509.HostnameError, Java, MailKit, rustls, Python ssl",
    ),
    Rule(
        id="tls.words.self-signed",
        smtp=TLS,
        imap=TLS,
        cause="certificate_self_signed",
        given=ON_TLS,
        words=phrases(
            """
            self_signed_cert | selfsigned | self signed cert | self-signed cert | zertifikat … selbst signiert
            """
        ),
        unless=phrases("may be self-signed"),
        example="{ [Error: self signed certificate] code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }",
        source="OpenSSL X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT; OpenSSL 3 spells it with a hyphen",
    ),
    Rule(
        id="tls.words.unknown-ca",
        smtp=TLS,
        imap=TLS,
        cause="certificate_unknown_ca",
        given=ON_TLS,
        words=phrases(
            """
            unable to get local issuer | unable to get issuer | unable_to_get_issuer_cert
            unable to verify the first certificate | unable_to_verify_leaf_signature | pkix path
            certification path | unknown authority | unknown ca | unknown_ca | unknownissuer | known issuer
            untrusted root | untrusted_root | certificate is not trusted | certificate not trusted
            certificate is untrusted | untrusted certificate | not trusted by | not_trusted | unknown issuer
            trust anchor | remotecertificatechainerrors | partialchain | certificate chain
            remote certificate is invalid | remote certificate was rejected | sec_error_unknown_issuer
            certificate authority | invalid ca certificate | no trusted certificate
            trustanchors parameter must be non-empty
            """
        ),
        example=(
            "javax.net.ssl.SSLHandshakeException: PKIX path building failed: "
            "sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path "
            "to requested target"
        ),
        source="OpenSSL X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY; Java PKIX; Go; GnuTLS; .NET",
    ),
    Rule(
        id="tls.words.plain-port",
        smtp=TLS,
        imap=TLS,
        cause="tls_plain_port",
        given=ON_TLS,
        words=phrases(
            """
            wrong version number | wrong_version_number | plaintext connection?
            first record does not look like a tls handshake | unknown protocol | unknown_protocol | plain-text
            not_ssl_record | not an ssl/tls record | tls_get_more_records:packet length | packet length too long
            packet_length_too_long | record overflow | record_overflow | unexpected tls packet
            unexpected_tls_packet | invalidcontenttype | corrupt message | invalidmessage
            received a corrupted frame | frame size … corrupted frame | cannot determine the frame size
            unsupported record version | record layer version | ssl routines … http request
            """
        ),
        unless=phrases("plain-text auth | plain-text password"),
        example=(
            "Error: write EPROTO 140735:error:1408F10B:SSL routines:ssl3_get_record:wrong version "
            "number:../deps/openssl/openssl/ssl/record/ssl3_record.c:332:"
        ),
        source="OpenSSL, GnuTLS, Java, Go, rustls, .NET when a server answers in clear text",
    ),
    Rule(
        id="tls.words.version",
        smtp=TLS,
        imap=TLS,
        cause="tls_version",
        words=phrases(
            """
            unsupported protocol | unsupported_protocol | protocol version | protocol_version
            no protocols available | no_protocols_available | no shared cipher | no_shared_cipher | no cipher
            no_ciphers | cipher … mismatch | cipher suite | common cipher | handshake failure
            handshake_failure | dh key too small | dh_key_too_small | ee key too small | ca md too weak
            unsafe legacy | unsafe_legacy | tls 1.0 | tls 1.1 | tls1.0 | tlsv1.0 | tls version | tlsversion
            legacy_renegotiation | do not possess a common algorithm | client and server cannot communicate
            no appropriate protocol | version too low | tlsv1 alert | tlsv1_alert | sslv3 alert | sslv3_alert
            internal_error_alert | inappropriate fallback | client certificate | didn't send a cert
            sent an untrusted cert | 4.7.66 | 5.7.66 | 5.7.67
            """
        ),
        unless=phrases("certificate unknown | hello (1) | logindisabled"),
        example=(
            "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2. "
            "Visit https://aka.ms/smtp_auth_tls."
        ),
        source="OpenSSL alerts; RFC 8996; learn.microsoft.com: opt in to the endpoint for legacy TLS clients",
    ),
    Rule(
        id="tls.words.verify-failed",
        smtp=TLS,
        imap=TLS,
        cause="tls_certificate",
        given=ON_TLS,
        words=phrases(
            """
            cert verify failed | certpathvalidator | x509: | certificat | certificado | zertifikat | 证书
            сертификат | problem with … certificate | verify error
            """
        ),
        unless=phrases("using certificate credentials | sender address | client has been revoked"),
        example="[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:877)",
        source="OpenSSL, PHP, Ruby, Perl when they give no closer reason",
    ),
    Rule(
        id="tls.words.lost",
        smtp="server_connection",
        imap="server_connection",
        cause="connection_lost",
        given=ON_TLS,
        words=phrases(
            """
            disconnected before secure tls connection | connection has been closed (eof) | ssl_error_syscall
            ssl_connect returned=5 | ssl_connect syscall | unexpected eof while | unexpected_eof_while
            non-properly terminated | sslexception: connection reset | sslexception: read error
            sslexception: write error
            """
        ),
        example="Client network socket disconnected before secure TLS connection was established",
        source="Node tls, Python ssl, OpenSSL: the other side closed during the handshake",
    ),
    Rule(
        id="tls.words.handshake",
        smtp=TLS,
        imap=TLS,
        cause="tls_failed",
        given=ON_TLS,
        stages=frozenset(Stage) - FOLDER,
        unless_statuses=("NO", "BAD"),
        words=phrases(
            """
            tls not available due to | tls handshake | ssl handshake | sslhandshake
            handshake fail | handshake error | handshake_ | handshakeexception | tls negotiation
            ssl negotiation | tls connect | ssl connect | ssl_connect | could not convert socket to tls
            can't convert socket to tls | unable to start tls | failed to start tls | starttls failed
            starttls handshake | cannot upgrade connection | failed to upgrade to tls | enable crypto
            enabling crypto | ssl exception | sslexception | sslerror | ssl error | tls error | ssl:␣
            ssl routines | gnutls | schannel | tls alert | fatal alert | ssl_error | errtls | err_ssl | etls
            unsupported or unrecognized ssl | tls packet | tls-negotiation | starttls error | tls failed
            ssl failed | tls setup | ssl setup | failed tls | initializing tls | initialising tls | starting tls
            negotiate tls | negotiating tls | ssl-verbindung | tls-handshake | ssl-handshake | connect via ssl
            connect using ssl
            """
        ),
        unless=phrases(
            """
            hello (1) | closing connection 0 | must issue | timed out | timeout | econnrefused
            connection refused | not supported by | bad_record_mac | bad record mac | connectionlost:
            broken pipe | reset by peer
            """
        ),
        example=("ruleset=tls_server, arg1=SOFTWARE, relay=smtp.example.org, reject=403 4.7.0 TLS handshake failed."),
        source="Sendmail, Java, PHP, Node, GnuTLS",
    ),
    Rule(
        id="tls.words.no-server-name",
        smtp=TLS,
        imap=TLS,
        cause="certificate_wrong_host",
        given=ON_TLS,
        words=phrases(
            """
            no sni provided | missing sni | invalid2.invalid | unrecognized name | unrecognized_name
            handshake alert: unrecognized
            """
        ),
        example="depth=0 OU = No SNI provided; please fix your client., CN = invalid2.invalid",
        source="Google's answer to a handshake without server name (RFC 6066 section 3)",
    ),
)
