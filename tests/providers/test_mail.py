"""A mail as its server gets it: text, and files with their names."""

import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from gateway.providers.mail import Attachment, Mail, SmtpMailer
from gateway.providers.telephony import ProviderError

PDF = b"%PDF-1.7\n\x00\xff\r\n.\r\n%%EOF"


class Talk(socketserver.StreamRequestHandler):
    """Enough of RFC 5321 to take one mail, or to refuse its recipient."""

    def handle(self) -> None:
        self.say("220 here")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"RCPT" and b"nobody@" in line:
                self.say("550 no such user")
            elif word == b"DATA":
                self.say("354 go on")
                self.server.taken.append(self.data())  # type: ignore[attr-defined]
                self.say("250 kept")
            elif word == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")

    def data(self) -> bytes:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())


@pytest.fixture
def post_office() -> Iterator[socketserver.ThreadingTCPServer]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        server.daemon_threads = True
        server.taken = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def url(server: socketserver.ThreadingTCPServer) -> str:
    return f"smtp://127.0.0.1:{server.server_address[1]}?from=Bills%20%3Cbills%40x.test%3E"


def test_s5_16_a_file_comes_with_its_name_and_byte_for_byte(
    post_office: socketserver.ThreadingTCPServer,
) -> None:
    attached = Attachment("ABC-1.pdf", "application/pdf", lambda: PDF)
    mail = Mail("ann@acme.test", "Statement ABC-1", "Hello,\n\nit is ready.\n", (attached,))
    SmtpMailer(url(post_office)).send(mail)
    (raw,) = post_office.taken  # type: ignore[attr-defined]
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert (message["From"], message["To"]) == ("Bills <bills@x.test>", "ann@acme.test")
    text, file = message.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert text.get_content().splitlines() == ["Hello,", "", "it is ready."]
    assert (file.get_content_type(), file.get_filename()) == ("application/pdf", "ABC-1.pdf")
    assert file.get_content_disposition() == "attachment" and file.get_content() == PDF


def test_a_mail_without_files_is_plain_text(post_office: socketserver.ThreadingTCPServer) -> None:
    SmtpMailer(url(post_office)).send(Mail("ann@acme.test", "Low", "Hello\n"))
    (raw,) = post_office.taken  # type: ignore[attr-defined]
    assert not message_from_bytes(raw, policy=policy.default).is_multipart()


def test_s2_14_an_address_that_is_refused_is_refused_for_good(
    post_office: socketserver.ThreadingTCPServer,
) -> None:
    with pytest.raises(ProviderError) as refusal:
        SmtpMailer(url(post_office)).send(Mail("nobody@acme.test", "Low", "Hello\n"))
    assert refusal.value.permanent
