"""The settings: telemed.toml, the environment and the command line become one frozen Config; nobody else reads any of them.

A later source wins: default, then the file, then TELEMED_<NAME>, then the option on the command line.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from telemed.kernel.errors import Invalid

DEFAULT_FILE = Path("telemed.toml")


@dataclass(frozen=True)
class Address:
    """Where a port listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read HOST:PORT; an IPv6 host stands in brackets."""
        host, _, port = text.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise Invalid(f"{text!r} is not an address: write HOST:PORT, for example 127.0.0.1:8080")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Config:
    """Every setting, with the reason for its default."""

    #: Everything the server keeps; one folder, so that one backup holds it all.
    data: Path = Path("data")
    #: Loopback: a browser of another machine is let in by whoever installs it, not by accident.
    http: Address = Address("127.0.0.1", 8080)
    #: Every interface: modalities are other machines. 11112 is the registered DICOM port without root.
    dicom: Address = Address("0.0.0.0", 11112)  # noqa: S104 - see above
    #: DICOM over TLS, beside the other port; the three files below are needed with it. None: not listened for.
    dicom_tls: Address | None = None
    #: Our certificate (PEM, with its chain) and its key.
    dicom_tls_certificate: Path | None = None
    dicom_tls_key: Path | None = None
    #: The authority (PEM) that signs the modalities' certificates; each names its AE title as common or DNS name.
    dicom_tls_client_ca: Path | None = None
    #: Our application entity title (PS3.5 AE, at most 16 characters).
    aet: str = "TELEMED"
    #: Empty: SQLite inside the data folder. Else a SQLAlchemy URL, postgresql://user:password@host/name.
    database: str = ""
    #: Sample institutions, people with a public password, and every private address taken for the demo clinic.
    demo: bool = False
    #: How long nothing must arrive before a study counts as whole, in seconds.
    quiet_s: float = 3.0
    #: How many processes receive DICOM objects; 0: one for each core.
    node_processes: int = 0
    #: The mail server of the house, and whom its letters come from; none: e-mail channels fail and the next rung is climbed.
    smtp: Address | None = None
    mail_from: str = "telemed@localhost"
    #: URLs that send a text message and speak one: they are posted {"to": number, "text": words}.
    sms_gateway: str = ""
    voice_gateway: str = ""
    #: Where the time of a signature is stamped (RFC 3161), once `telemed ca trust` has taken its certificate; empty: nowhere.
    timestamp_url: str = ""
    #: UDP ports and addresses offered for rounds come from the machine; nothing outside is asked.
    ice_servers: tuple[str, ...] = ()

    @property
    def database_url(self) -> str:
        """Return the database's URL; SQLite in the data folder unless told otherwise."""
        return self.database or f"sqlite:///{self.data / 'telemed.sqlite'}"


def load(options: Mapping[str, Any], *, environment: Mapping[str, str] = os.environ) -> Config:
    """Join the sources; *options* are those given on the command line, None for those not given.

    Raises
    ------
    Invalid
        naming the file or variable whose value cannot be used.
    """
    named = options.get("config") or environment.get("TELEMED_CONFIG")
    file = Path(named) if named else DEFAULT_FILE
    values: dict[str, Any] = {}
    if file.is_file():
        values.update(_read(file))
    elif named:
        raise Invalid(f"the configuration file {file} does not exist")
    for setting in fields(Config):
        variable = f"TELEMED_{setting.name.upper()}"
        if variable in environment:
            values[setting.name] = _value(setting.name, environment[variable], source=variable)
        if options.get(setting.name) is not None:
            values[setting.name] = _value(setting.name, options[setting.name], source=f"--{setting.name}")
    return Config(**values)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid(f"the configuration file {file} cannot be read: {error}") from error
    known = {setting.name for setting in fields(Config)}
    for name in content:
        if name not in known:
            raise Invalid(f"{file}: there is no setting {name!r}; the settings are {', '.join(sorted(known))}")
    return {name: _value(name, value, source=f"{file}: {name}") for name, value in content.items()}


def _value(name: str, value: Any, *, source: str) -> Any:  # noqa: ANN401 - as wide as TOML
    try:
        return READERS.get(name, str)(value)
    except (TypeError, ValueError, KeyError, AttributeError, Invalid) as error:
        raise Invalid(f"{source}: {value!r} cannot be used ({error})") from error


def _switch(value: Any) -> bool:  # noqa: ANN401 - see _value
    return value if isinstance(value, bool) else {"1": True, "true": True, "0": False, "false": False}[value.lower()]


def _words(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - see _value
    return tuple(value.split() if isinstance(value, str) else value)


def _ae_title(text: str) -> str:
    if not 1 <= len(text.strip()) <= 16 or "\\" in text or not text.isprintable() or not text.isascii():
        raise Invalid("an AE title has 1 to 16 plain characters and no backslash")
    return text.strip()


#: How each setting is read, from TOML's values or from text; what is not named here is text.
READERS: dict[str, Callable[[Any], Any]] = {
    "data": Path,
    "http": Address.parse,
    "dicom": Address.parse,
    "dicom_tls": Address.parse,
    "dicom_tls_certificate": Path,
    "dicom_tls_key": Path,
    "dicom_tls_client_ca": Path,
    "aet": _ae_title,
    "demo": _switch,
    "quiet_s": float,
    "node_processes": int,
    "ice_servers": _words,
    "smtp": Address.parse,
}
