"""What is sent on each kind of channel, in the form its makers publish."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import smtplib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any

from consult.delivery.model import Channel, ChannelKind, Message, NotSentError, UnsureError
from telemed.kernel.clock import rfc3339

#: A channel that has not answered by then leaves its place to the next rung.
ANSWERS_WITHIN_S = 10
LARGEST_ANSWER = 64 << 10


@dataclass(frozen=True)
class Gateways:
    """What the house itself provides: its mail server as host and port, and the URLs that send a text or speak it."""

    smtp: tuple[str, int] | None = None
    mail_from: str = ""
    sms: str = ""
    voice: str = ""


@dataclass(frozen=True)
class Post:
    """An HTTP request and what its answer must hold: the name of a field that is 0 when all is well, or none."""

    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    zero: str = ""


def send(channel: Channel, message: Message, gateways: Gateways, now: datetime) -> None:
    """Tell *message* on *channel*.

    Raises
    ------
    NotSentError
        when it surely was not taken.
    UnsureError
        when nobody can know.
    """
    if channel.kind is ChannelKind.EMAIL:
        _mail(channel.address, message, gateways)
    else:
        _post(POSTS[channel.kind](channel, message, gateways, now))


def _wecom(channel: Channel, message: Message, _: Gateways, __: datetime) -> Post:
    mentioned = {"mentioned_list": ["@all"]} if message.presses else {}
    return Post(channel.address, {"msgtype": "text", "text": {"content": message.text, **mentioned}}, {}, "errcode")


def _dingtalk(channel: Channel, message: Message, _: Gateways, now: datetime) -> Post:
    url = channel.address
    if channel.secret:
        stamp = str(int(now.timestamp() * 1000))
        sign = _signature(channel.secret.encode(), f"{stamp}\n{channel.secret}".encode())
        url += ("&" if "?" in url else "?") + urllib.parse.urlencode({"timestamp": stamp, "sign": sign})
    at = {"isAtAll": message.presses}
    return Post(url, {"msgtype": "text", "text": {"content": message.text}, "at": at}, {}, "errcode")


def _feishu(channel: Channel, message: Message, _: Gateways, now: datetime) -> Post:
    call = '<at user_id="all"></at> ' if message.presses else ""
    body: dict[str, Any] = {"msg_type": "text", "content": {"text": call + message.text}}
    if channel.secret:
        stamp = str(int(now.timestamp()))
        body |= {"timestamp": stamp, "sign": _signature(f"{stamp}\n{channel.secret}".encode(), b"")}
    return Post(channel.address, body, {}, "code")


def _webhook(channel: Channel, message: Message, _: Gateways, now: datetime) -> Post:
    body = {
        "type": "trial" if message.is_trial else "report",
        "critical": message.critical,
        "amended": message.amended,
        "status": message.status,
        "institution": message.institution,
        "report_id": message.report_id,
        "signed_at": rfc3339(message.signed_at),
        "sent_at": rfc3339(now),
        "text": message.text,
    }
    seal = hmac.new(channel.secret.encode(), _json(body), hashlib.sha256).hexdigest()
    return Post(channel.address, body, {"X-Telemed-Signature": f"sha256={seal}"} if channel.secret else {})


def _sms(channel: Channel, message: Message, gateways: Gateways, _: datetime) -> Post:
    return _gateway(gateways.sms, "sms_gateway", channel, message)


def _voice(channel: Channel, message: Message, gateways: Gateways, _: datetime) -> Post:
    return _gateway(gateways.voice, "voice_gateway", channel, message)


def _gateway(url: str, setting: str, channel: Channel, message: Message) -> Post:
    if not url:
        raise NotSentError(f"no {setting} is set")
    return Post(url, {"to": channel.address, "text": message.text}, {})


POSTS: Mapping[ChannelKind, Callable[[Channel, Message, Gateways, datetime], Post]] = {
    ChannelKind.WECOM: _wecom,
    ChannelKind.DINGTALK: _dingtalk,
    ChannelKind.FEISHU: _feishu,
    ChannelKind.WEBHOOK: _webhook,
    ChannelKind.SMS: _sms,
    ChannelKind.VOICE: _voice,
}


class _Staying(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: a message goes where the administrator said, and nowhere else."""

    def redirect_request(self, *_: object) -> None:
        """Refuse."""


# No proxy of the environment either: the network is private.
_OPENER = urllib.request.build_opener(_Staying, urllib.request.ProxyHandler({}))


def _post(post: Post) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8", **post.headers}
    try:
        request = urllib.request.Request(post.url, _json(post.body), headers)  # noqa: S310 - actions.add_channel takes http and https alone
        with _OPENER.open(request, timeout=ANSWERS_WITHIN_S) as answer:
            content = answer.read(LARGEST_ANSWER)
    except urllib.error.HTTPError as error:
        raise NotSentError(f"it answered {error.code}") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise UnsureError("it did not answer in time") from error
        raise NotSentError(f"it cannot be reached: {error.reason}") from error
    except (ValueError, http.client.InvalidURL) as error:  # it looks like an address, and names no host or port
        raise NotSentError(f"its address cannot be used: {error}") from error
    except (OSError, http.client.HTTPException) as error:
        raise UnsureError(f"the connection broke: {error}") from error
    if post.zero and _field(content, post.zero) != 0:
        raise NotSentError(f"it refused: {content[:200].decode('utf-8', 'replace')}")


def _mail(address: str, message: Message, gateways: Gateways) -> None:
    if gateways.smtp is None:
        raise NotSentError("no smtp server is set")
    mail = EmailMessage()
    mail["Subject"] = message.text.partition("：")[0]
    mail["From"], mail["To"] = gateways.mail_from, address
    mail.set_content(message.text)
    try:
        with smtplib.SMTP(*gateways.smtp, timeout=ANSWERS_WITHIN_S) as server:
            server.send_message(mail)
    except (smtplib.SMTPConnectError, smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        raise NotSentError(f"the mail server refused: {error}") from error
    except (ConnectionRefusedError, smtplib.SMTPHeloError) as error:
        raise NotSentError(f"the mail server cannot be reached: {error}") from error
    except (OSError, smtplib.SMTPException) as error:
        raise UnsureError(f"the mail server did not finish: {error}") from error


def _signature(key: bytes, said: bytes) -> str:
    return base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _field(content: bytes, name: str) -> object:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found.get(name) if isinstance(found, dict) else None
