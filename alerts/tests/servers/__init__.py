"""The other end of the channels: real servers on loopback, in threads, on ports the system chooses. Nothing in the product is patched.

``with TwilioServer() as twilio:`` and so on; or the fixtures in ``alerts.tests.servers.fixtures`` (``twilio``, ``smtp``, ``smpp``,
``push_service``, ``hook_receiver``), which point the settings at them.
"""

from alerts.tests.servers.http import HttpServer, Reply, Seen
from alerts.tests.servers.push import PushService
from alerts.tests.servers.smpp import SmppServer
from alerts.tests.servers.smtp import Mail, SmtpServer
from alerts.tests.servers.twilio import TwilioServer

__all__ = ["HttpServer", "Mail", "PushService", "Reply", "Seen", "SmppServer", "SmtpServer", "TwilioServer"]
