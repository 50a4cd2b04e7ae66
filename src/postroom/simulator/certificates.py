"""The simulator's own certificate authority and its certificates, good and bad. It does not open connections."""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from postroom.simulator.fault import Behaviour

_Key = ec.EllipticCurvePrivateKey
_YEAR = timedelta(days=365)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


class Authority:
    """A certificate authority with a key of its own."""

    def __init__(self, common_name: str, now: datetime) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(common_name)
        public = self._key.public_key()
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + 10 * _YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def issue(self, names: tuple[str, ...], start: datetime, end: datetime) -> tuple[_Key, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _leaf(key, names, start, end)
            .issuer_name(self.certificate.subject)
            .add_extension(authority_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return key, certificate


def _leaf(key: _Key, names: tuple[str, ...], start: datetime, end: datetime) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(names[0]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Certificates:
    """TLS contexts for a host: the good one, and one for each thing that can be wrong with a certificate.

    Validity is measured by the machine's clock, because that is what the clients under test compare it with.
    """

    def __init__(self, host: str) -> None:
        self._now = datetime.now(UTC)
        self._names = tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", host)))
        self._authority = Authority("Postroom simulator CA", self._now)
        self._contexts: dict[Behaviour | None, ssl.SSLContext] = {}

    @property
    def ca_pem(self) -> str:
        """The certificate that a client must trust, PEM."""
        return self._authority.pem

    def context(self, fault: Behaviour | None = None) -> ssl.SSLContext:
        """The server's side of TLS, with the certificate that this fault wants; None is the good one."""
        if fault not in self._contexts:
            self._contexts[fault] = _server_context(*self._make(fault))
        return self._contexts[fault]

    def _make(self, fault: Behaviour | None) -> tuple[_Key, x509.Certificate]:
        now, authority, names = self._now, self._authority, self._names
        start, end = now - timedelta(days=1), now + _YEAR
        if fault is Behaviour.EXPIRED:
            start, end = now - timedelta(days=90), now - timedelta(days=3)
        elif fault is Behaviour.NOT_YET_VALID:
            start = now + timedelta(days=30)
        elif fault is Behaviour.WRONG_HOST:
            names = ("mail.elsewhere.example",)
        elif fault is Behaviour.UNKNOWN_CA:
            authority = Authority("Unheard-of CA", now)
        elif fault is Behaviour.SELF_SIGNED:
            key = ec.generate_private_key(ec.SECP256R1())
            return key, _leaf(key, names, start, end).issuer_name(_name(names[0])).sign(key, hashes.SHA256())
        return authority.issue(names, start, end)


def _server_context(key: _Key, certificate: x509.Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    with tempfile.TemporaryDirectory() as folder:  # ssl reads keys from files only
        path = Path(folder, "server.pem")
        path.touch(mode=0o600)
        path.write_bytes(pem)
        context.load_cert_chain(path)
    return context
