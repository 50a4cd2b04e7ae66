"""Certificates for the rig's servers from a certificate authority that lives as long as the test run."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "127.0.0.1", "127.0.0.2")


@dataclass(frozen=True, repr=False)
class Certificate:
    """A certificate with its chain and its private key, all PEM."""

    chain: bytes
    key: bytes

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write `cert.pem` and `key.pem` (readable by its owner only) and give their paths."""
        cert, key = folder / "cert.pem", folder / "key.pem"
        cert.write_bytes(self.chain)
        key.touch(mode=0o600)
        key.write_bytes(self.key)
        return cert, key

    def server_context(self, folder: Path) -> ssl.SSLContext:
        """A TLS context for a server of our own; the PEM files go to `folder`."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.write(folder))
        return context


class Certificates:
    """An authority whose `ca_pem` a client trusts, and certificates good and bad."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self._stranger = trustme.CA()

    @property
    def ca_pem(self) -> str:
        """The authority's own certificate, to be trusted by clients."""
        return self._authority.cert_pem.bytes().decode("ascii")

    def client_context(self) -> ssl.SSLContext:
        """A TLS context for a client that trusts this authority and nobody else."""
        return ssl.create_default_context(cadata=self.ca_pem)

    def good(self) -> Certificate:
        """For localhost and 127.0.0.1, valid now."""
        return _certificate(self._authority.issue_cert(*NAMES))

    def expired(self) -> Certificate:
        """For the right names, but it ran out yesterday."""
        now = datetime.now(UTC)
        return _certificate(
            self._authority.issue_cert(*NAMES, not_before=now - timedelta(days=30), not_after=now - timedelta(days=1))
        )

    def not_yet_valid(self) -> Certificate:
        """For the right names, but it begins tomorrow."""
        now = datetime.now(UTC)
        return _certificate(
            self._authority.issue_cert(*NAMES, not_before=now + timedelta(days=1), not_after=now + timedelta(days=30))
        )

    def wrong_host(self) -> Certificate:
        """Valid, but for another host."""
        return _certificate(self._authority.issue_cert("mail.elsewhere.test"))

    def untrusted(self) -> Certificate:
        """For the right names, from an authority that no client trusts."""
        return _certificate(self._stranger.issue_cert(*NAMES))


def self_signed() -> Certificate:
    """For the right names, signed by itself, as servers make them when they are installed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        chain=made.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def _certificate(leaf: trustme.LeafCert) -> Certificate:
    return Certificate(chain=b"".join(pem.bytes() for pem in leaf.cert_chain_pems), key=leaf.private_key_pem.bytes())
