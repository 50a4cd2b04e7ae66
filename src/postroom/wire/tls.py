"""TLS as mail servers need it: whom to trust, and what a certificate or a failed handshake shows. It never connects."""

from __future__ import annotations

import asyncio.sslproto
import hashlib
import ssl
import sys
from dataclasses import replace
from datetime import UTC
from functools import lru_cache
from typing import Final

import truststore
from cryptography import x509
from cryptography.x509.oid import NameOID

from postroom.core.diagnosis.evidence import TlsFacts

# asyncio gives every TLS connection a read buffer of 256 KiB for its whole life: 2.5 GB for 10,000 idle mailboxes.
# 17 KiB hold one whole record with its overhead (RFC 8446 5.2), and were measured to be no slower than 32 or 256.
asyncio.sslproto.SSLProtocol.max_size = 17 * 1024

_VERIFY_FAULTS: Final = {
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    19: "unknown_ca",  # X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
    20: "unknown_ca",
    21: "unknown_ca",
    62: "wrong_host",
    63: "wrong_host",
    64: "wrong_host",
}
_PLAIN = (
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
)
_PROTOCOL = (
    "UNSUPPORTED_PROTOCOL",
    "PROTOCOL_VERSION",
    "HANDSHAKE_FAILURE",
    "NO_SHARED_CIPHER",
    "NO_CIPHERS_AVAILABLE",
    "NO_PROTOCOLS_AVAILABLE",
    "INSUFFICIENT_SECURITY",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
    "DH_KEY_TOO_SMALL",
    "WRONG_SSL_VERSION",
    "WRONG_SIGNATURE_TYPE",
    "INAPPROPRIATE_FALLBACK",
)


@lru_cache(maxsize=256)
def trusting_context(ca_certificate: str | None = None) -> ssl.SSLContext:
    """A client context: TLS 1.2 or newer, verified by the system's trust store and `ca_certificate` (PEM) if given.

    Contexts are shared: loading the system's certificates costs 20 ms each time. Raises ssl.SSLError where
    `ca_certificate` holds no certificate.
    """
    context = _system_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # RFC 5280 to the letter refuses many working mail servers
    if ca_certificate is not None:
        context.load_verify_locations(cadata=ca_certificate)
        # A server's own certificate given here is trusted for itself, without the authority that signed it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _system_context() -> ssl.SSLContext:
    paths = ssl.get_default_verify_paths()
    if sys.platform == "linux" and (paths.cafile or paths.capath):
        return ssl.create_default_context()  # truststore would read the whole bundle again at each connection
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@lru_cache(maxsize=1)
def looking_context() -> ssl.SSLContext:
    """A context that accepts any certificate: only to look at one that was refused, never to sign in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def facts_of_session(session: ssl.SSLObject | ssl.SSLSocket) -> TlsFacts:
    """What a handshake that went well showed."""
    der = session.getpeercert(binary_form=True)
    return replace(facts_of_certificate(der) if der else TlsFacts(), protocol=session.version())


def facts_of_certificate(der: bytes) -> TlsFacts:
    """Names, dates, issuer and subject of a certificate; empty where it cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return TlsFacts(
            names=_names(certificate),
            issuer=_common_name(certificate.issuer),
            subject=_common_name(certificate.subject),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            fingerprint=hashlib.sha256(der).hexdigest(),
        )
    except (ValueError, x509.UnsupportedGeneralNameType, x509.DuplicateExtension):
        return TlsFacts()


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (_common_name(certificate.subject),)
    names = alternative.get_values_for_type(x509.DNSName)
    return (*names, *(str(ip) for ip in alternative.get_values_for_type(x509.IPAddress)))


def _common_name(name: x509.Name) -> str:
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(oid):
            return str(attribute.value)
    return name.rfc4514_string()


def fault_of(error: ssl.SSLError) -> str:
    """The `fault` of TlsFacts that a failed handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY_FAULTS.get(error.verify_code, "other")
    reason = (error.reason or str(error)).upper().replace(" ", "_")
    if any(word in reason for word in _PLAIN):
        return "plain_port"
    if any(word in reason for word in _PROTOCOL):
        return "protocol"
    return "other"


def describe(facts: TlsFacts, host: str) -> str:
    """One line for a probe's step."""
    until = f" until {facts.not_after.astimezone(UTC).date().isoformat()}" if facts.not_after else ""
    protocol = (facts.protocol or "TLS").replace("TLSv", "TLS ")
    return f"{protocol}, certificate for {facts.names[0] if facts.names else facts.subject or host}{until}"
