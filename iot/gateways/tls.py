"""TLS of sensors' TCP: with a certificate of the site's, else of our own authority; a device may show one of ours instead of a key."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from pathlib import Path

from django.conf import settings

from iot.services.certificates import authority, own_server_certificate


def tls_of_settings() -> ssl.SSLContext | None:
    """``None`` where the line is in the clear: for this machine alone, or behind a terminator (``IOT_TCP_TLS=off``)."""
    if not is_secret():
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.IOT_TCP_CERTIFICATE:
        context.load_cert_chain(settings.IOT_TCP_CERTIFICATE, settings.IOT_TCP_KEY or None)
    else:
        _show_our_own(context)
    context.verify_mode = ssl.CERT_OPTIONAL  # who has none says its key
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a site's own authority may be an intermediate one
    context.load_verify_locations(cadata=authority().pem.decode())
    return context


def is_secret() -> bool:
    said = settings.IOT_TCP_TLS.strip().lower()
    return said == "on" or (said != "off" and (bool(settings.IOT_TCP_CERTIFICATE) or not _is_this_machine(settings.IOT_TCP_HOST)))


def _show_our_own(context: ssl.SSLContext) -> None:
    """OpenSSL takes them from a file: it is there for that moment, readable by its owner alone."""
    certificate, key = own_server_certificate()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "server.pem"
        path.touch(0o600)
        path.write_bytes(certificate + key)
        context.load_cert_chain(path)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
