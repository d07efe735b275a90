"""The server, started as its users start it: the installed command, in a process group of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

TELEMED = Path(sys.executable).with_name("telemed")
READY = re.compile(r"ready http=(?P<http>http://\S+) dicom=(?P<aet>\S+)@(?P<host>\S+):(?P<port>\d+)")


@dataclass
class Server:
    """A running `telemed serve`, its ports as its ready line names them."""

    data: Path
    options: tuple[str, ...] = ("--demo",)
    #: Another command line than that of `telemed serve`.
    command: tuple[str, ...] = ()
    http: str = ""
    aet: str = ""
    dicom_port: int = 0
    log: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    readers: list[threading.Thread] = field(default_factory=list)

    def start(self, seconds: float = 90) -> Server:
        anywhere = ("--http", "127.0.0.1:0", "--dicom", "127.0.0.1:0")
        command = self.command or (str(TELEMED), "serve", "--data", str(self.data), *anywhere, *self.options)
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"LANG": "C.UTF-8"},
        )
        found: list[re.Match[str]] = []
        ready = threading.Thread(target=self._await_ready, args=(found,), daemon=True)
        self.readers = [threading.Thread(target=self._keep_log, daemon=True), ready]
        for reader in self.readers:
            reader.start()
        ready.join(seconds)
        if not found:
            self.kill()
            raise AssertionError("the server did not become ready:\n" + "".join(self.log[-40:]))
        self.http, self.aet, self.dicom_port = found[0]["http"], found[0]["aet"], int(found[0]["port"])
        return self

    def _await_ready(self, found: list[re.Match[str]]) -> None:
        for line in self.process.stdout:
            match = READY.match(line)
            if match:
                found.append(match)
                return

    def _keep_log(self) -> None:
        for line in self.process.stderr:
            self.log.append(line)

    def kill(self) -> None:
        """End the whole process group at once, as a power switch would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self._hang_up()

    def stop(self) -> int:
        """Ask it to stop and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(25)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the server did not stop within 25 s of SIGTERM:\n" + "".join(self.log[-40:])) from None
        self._hang_up()
        return status

    def _hang_up(self) -> None:
        for reader in self.readers:
            reader.join(10)
        self.process.stdout.close()
        self.process.stderr.close()

    def faults(self) -> list[str]:
        """What the log holds that nobody foresaw."""
        return [line for line in self.log if _is_fault(line)]

    def client(self, username: str, password: str = "telemed-demo") -> Client:
        return Client(self.http).sign_in(username, password)


def _is_fault(line: str) -> bool:
    """Tell whether a line of the log is an error, has a traceback, or is no line of ours."""
    try:
        said = json.loads(line)
    except ValueError:
        return True
    return said["level"] in ("error", "critical") or "error" in said


class Client:
    """A browser's session without the browser: standard library only, so that nothing of ours is on both ends."""

    def __init__(self, base: str) -> None:
        self.base, self.cookie, self.csrf = base, "", ""

    def sign_in(self, username: str, password: str) -> Client:
        status, answer, headers = self.ask("POST", "/api/v1/session", {"username": username, "password": password})
        assert status == 200, answer
        self.cookie = headers["Set-Cookie"].split(";")[0]
        self.csrf = answer["csrf_token"]
        return self

    def ask(self, method: str, path: str, body=None, headers=None, *, raw: bool = False):
        """Return (status, body as JSON or bytes, headers)."""
        data = json.dumps(body).encode() if isinstance(body, dict | list) else body
        request = urllib.request.Request(self.base + path, data=data, method=method)
        if isinstance(body, dict | list):
            request.add_header("Content-Type", "application/json")
        if self.cookie:
            request.add_header("Cookie", self.cookie)
        if self.csrf:
            request.add_header("X-CSRF-Token", self.csrf)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                content, status, received = answer.read(), answer.status, answer.headers
        except urllib.error.HTTPError as error:
            content, status, received = error.read(), error.code, error.headers
        if raw or "json" not in received.get("Content-Type", ""):
            return status, content, received
        return status, json.loads(content) if content else None, received

    def get(self, path: str):
        status, answer, _ = self.ask("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def post(self, path: str, body=None):
        status, answer, _ = self.ask("POST", path, body if body is not None else {})
        assert status in (200, 201, 204), (path, status, answer)
        return answer


def until(condition, seconds: float = 30, every: float = 0.02, *, fails: bool = True):
    """Return what *condition* returns once it is true; when it never is, fail, or return that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or (not fails and time.monotonic() > deadline):
            return value
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(every)
