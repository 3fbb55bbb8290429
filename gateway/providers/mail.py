"""Sending one mail: by SMTP, or into the sandbox mailbox when MAIL_URL is empty."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import unquote, urlsplit

from gateway.providers.telephony import ProviderError

SENDER_DEFAULT = "Ringledger <no-reply@localhost>"
TIMEOUT_SECONDS = 10
HARD_BOUNCE = 500  # SMTP replies from here on are permanent (RFC 5321 4.2.1)


@dataclass(frozen=True, slots=True)
class Attachment:
    """`read` makes the file, a fifth of a second for a paper: the sandbox, which delivers nothing,
    never asks for it."""

    name: str
    media_type: str  # "application/pdf"
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Mail:
    to: str
    subject: str
    body: str
    attachments: tuple[Attachment, ...] = ()


class Mailer(Protocol):
    name: str

    def send(self, mail: Mail) -> None:
        """Raises `ProviderError`, permanent where the address itself was refused."""


class SandboxMailer:
    """Delivers nothing: the stored copy of every mail is the mailbox that ops can read."""

    name = "sandbox"

    def send(self, mail: Mail) -> None:
        return None


class SmtpMailer:
    """`smtp://user:password@host:587` (STARTTLS where offered) or `smtps://host:465`; the sender
    comes from `?from=`."""

    name = "smtp"

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    def send(self, mail: Mail) -> None:
        message = EmailMessage()
        message["From"] = unquote(self._url.query.removeprefix("from=")) or SENDER_DEFAULT
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message.set_content(mail.body)
        for attached in mail.attachments:
            kind, _, subtype = attached.media_type.partition("/")
            message.add_attachment(
                attached.read(), maintype=kind, subtype=subtype, filename=attached.name
            )
        try:
            with self._connect() as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refused:
            code = max(code for code, _ in refused.recipients.values())
            raise ProviderError(
                f"{mail.to} was refused by its mail server.", permanent=code >= HARD_BOUNCE
            ) from refused
        except (smtplib.SMTPException, OSError) as error:
            raise ProviderError(f"Mail could not be sent: {error}", permanent=False) from error

    def _connect(self) -> smtplib.SMTP:
        host, secure = self._url.hostname or "localhost", self._url.scheme == "smtps"
        context = ssl.create_default_context()
        server: smtplib.SMTP
        if secure:
            server = smtplib.SMTP_SSL(
                host, self._url.port or 465, timeout=TIMEOUT_SECONDS, context=context
            )
        else:
            server = smtplib.SMTP(host, self._url.port or 587, timeout=TIMEOUT_SECONDS)
            if self._offers_tls(server):
                server.starttls(context=context)
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))
        return server

    @staticmethod
    def _offers_tls(server: smtplib.SMTP) -> bool:
        server.ehlo()
        return server.has_extn("starttls")


def mailer_for(mail_url: str) -> Mailer:
    return SmtpMailer(mail_url) if mail_url else SandboxMailer()
