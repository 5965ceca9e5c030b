"""The project's own small certificate authority for devices and their broker. No Django, no clock: what a certificate says is decided here.

One root signs everything. Of a request for a certificate only the public key is taken, and only when the request is signed with the key it
asks for; the subject is always the device's code and nothing else, because the broker takes it for the user's name.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT_DAYS = 20 * 365
SERVER_DAYS = 397
CRL_DAYS = 30  # a broker whose list was not renewed for so long refuses everybody: it can no longer know who is revoked
SKEW = timedelta(minutes=5)  # a device whose clock is behind may use its certificate at once
LEAST_RSA, MOST_RSA = 2_048, 4_096
MOST_CSR = 16_384
Key = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class NotSigned(ValueError):
    """A request that no certificate is made for; the text says why."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """``is_held``: the device is suspended, and may come back."""

    serial: int
    at: datetime
    is_held: bool = False


@dataclass(frozen=True)
class Authority:
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def of_pem(cls, certificate: bytes, key: bytes) -> Authority:
        """A site's own root or intermediate."""
        loaded = load_pem_private_key(key, None)
        own = x509.load_pem_x509_certificate(certificate)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ValueError("the authority's key is neither RSA nor of an elliptic curve")
        if loaded.public_key() != own.public_key():
            raise ValueError("the authority's key and certificate do not belong together")
        if not own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise ValueError("this certificate may not sign others")
        return cls(loaded, own)

    @classmethod
    def kept_in(cls, folder: Path, *, now: datetime) -> Authority:
        """The one whose key lies in ``folder``, readable by its owner alone; made when there is none."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two processes that need it first make one
            certificate, key = folder / "root.pem", folder / "root.key"
            if not certificate.exists():
                made = cls.made(now=now)
                _write(key, _pem_of(made.key))
                _write(certificate, made.pem)
                return made
            return cls.of_pem(certificate.read_bytes(), key.read_bytes())

    @classmethod
    def made(cls, *, now: datetime) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Khareetaty devices")])
        usage = x509.KeyUsage(
            False, False, False, False, False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - SKEW)
            .not_valid_after(now + timedelta(days=ROOT_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def for_device(self, code: str, public: Key, *, now: datetime, not_after: datetime) -> x509.Certificate:
        return self._leaf(code, public, ExtendedKeyUsageOID.CLIENT_AUTH, now, not_after).sign(self.key, hashes.SHA256())

    def for_server(self, names: Iterable[str], *, now: datetime) -> tuple[bytes, bytes]:
        """What a broker shows: certificate and key. A device's certificate cannot stand in for it, nor the other way round."""
        key, wanted = ec.generate_private_key(ec.SECP256R1()), list(names)
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in wanted])
        made = self._leaf(wanted[0], key.public_key(), ExtendedKeyUsageOID.SERVER_AUTH, now, now + timedelta(days=SERVER_DAYS))
        return made.add_extension(alternatives, critical=False).sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM), _pem_of(key)

    def revocations(self, revoked: Iterable[Revoked], *, now: datetime) -> bytes:
        """The list that the broker looks into at each handshake."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(now - SKEW).next_update(now + timedelta(days=CRL_DAYS))
        for one in revoked:
            flag = x509.ReasonFlags.certificate_hold if one.is_held else x509.ReasonFlags.unspecified
            row = x509.RevokedCertificateBuilder().serial_number(one.serial).revocation_date(one.at)
            if one.is_held:
                row = row.add_extension(x509.CRLReason(flag), critical=False)
            builder = builder.add_revoked_certificate(row.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _leaf(self, name: str, public: Key, purpose: x509.ObjectIdentifier, now: datetime, until: datetime) -> x509.CertificateBuilder:
        usage = x509.KeyUsage(True, False, False, False, False, False, False, encipher_only=False, decipher_only=False)
        mine = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - SKEW)
            .not_valid_after(min(until, self.certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(mine, critical=False)
        )


def new_key() -> tuple[ec.EllipticCurvePublicKey, bytes]:
    """A device's key pair: what a certificate is made for, and the secret half as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.public_key(), _pem_of(key)


def key_of_request(pem: bytes) -> Key:
    """The public key of a request (PKCS #10, PEM) that proves to have the other half. Nothing else of it is looked at."""
    if len(pem) > MOST_CSR:
        raise NotSigned("too long")
    try:
        request = x509.load_pem_x509_csr(pem)
        key = request.public_key()
        proven = request.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise NotSigned("no readable request") from error
    if not proven:
        raise NotSigned("not signed with the key it asks for")
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return key
    if isinstance(key, rsa.RSAPublicKey) and LEAST_RSA <= key.key_size <= MOST_RSA:
        return key
    raise NotSigned("the key is neither P-256, P-384 nor RSA of 2048 to 4096 bits")


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, text: bytes) -> None:
    """In one step, for its owner only, on the disk."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    new.replace(path)
