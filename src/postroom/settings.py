"""What an operator sets: `POSTROOM_…` in the environment, once, frozen. It opens nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_HOST = re.compile(r"[^\s/@\\:]+|\[?[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\]?")


class BadSettings(Exception):
    """A setting cannot be used; the text names it and the mend."""


class Settings(BaseSettings):
    """Every setting with its default; docs/settings.md explains each, and a check compares the two."""

    model_config = SettingsConfigDict(env_prefix="POSTROOM_", frozen=True, extra="ignore")

    data: Path = Path("data")
    """Folder for the SQLite file and the key file."""
    database: str = ""
    """`postgresql://user:password@host/name`, or `sqlite:///path`; empty is a SQLite file in the data folder."""
    secret_key: SecretStr | None = None
    """Encrypts credentials: 64 hexadecimal digits. Unset: a key file is made in the data folder on first start."""
    secret_key_old: SecretStr | None = None
    """The key before POSTROOM_SECRET_KEY, while everything is sealed anew: it still opens what it sealed."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8025, ge=0, le=65535)
    """Port to listen on; 0 takes a free one and prints it."""
    public_url: str = ""
    """Where people's browsers reach this server; empty is http://localhost and the port. Sign-ins come back there."""
    allow_private_hosts: bool = False
    """Whether mail servers and webhooks may be on private or loopback addresses."""
    plaintext_hosts: str = ""
    """Mail servers that may be spoken to without TLS, by name, with commas between them."""
    oauth_google_client_id: str = ""
    """The team's own OAuth client at Google."""
    oauth_google_client_secret: SecretStr | None = None
    """Its secret."""
    oauth_microsoft_client_id: str = ""
    """The team's own OAuth client at Microsoft."""
    oauth_microsoft_client_secret: SecretStr | None = None
    """Its secret."""
    oauth_microsoft_secret_expires: date | None = None
    """The day on which that secret ends; told 14 days ahead."""
    oauth_microsoft_tenant: str = ""
    """The directory (tenant) that it is for; empty for any."""
    oauth_issuer: str = ""
    """Address of an OpenID provider with metadata."""
    oauth_issuer_client_id: str = ""
    """The team's own OAuth client there."""
    oauth_issuer_client_secret: SecretStr | None = None
    """Its secret."""
    oauth_issuer_scopes: str = ""
    """What is asked for there, with spaces between them; empty is openid email offline_access."""
    degraded_minutes: float = Field(default=10.0, ge=0)
    """How long a passing failure lasts before people are told."""
    confirm_seconds: float = Field(default=10.0, ge=0)
    """Between a refused sign-in and its one confirmation."""
    unconfirmed_minutes: float = Field(default=5.0, ge=0)
    """How long Sent is looked through for a message whose answer was cut off, before a person is asked."""
    automatic_per_hour: int = Field(default=10, ge=1)
    """Automatic messages of one conversation within an hour, after which no more are taken."""
    poll_seconds: float = Field(default=60.0, gt=0)
    """Between looks at a server that has no IDLE."""
    check_seconds: float = Field(default=240.0, gt=0)
    """Between looks into a folder whatever its server tells, for servers that never tell."""
    reconcile_hours: float = Field(default=6.0, gt=0)
    """Between comparisons of the ledger with what the server has."""
    event_days: int = Field(default=30, ge=7)
    """How long events are kept, with calls to webhooks that were given up."""
    story_days: int = Field(default=365, ge=31)
    """How long the history and the attempts of a delivery are kept; the delivery and its message stay."""
    max_message_bytes: int = Field(default=150 * 1024 * 1024, ge=1024, le=250 * 1024 * 1024)
    """Larger messages are not fetched; they stand in the ledger as skipped."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much is logged."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """`auto` is text on a terminal and JSON elsewhere."""

    @field_validator("database")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("must begin with sqlite:/// or postgresql://")
        return value

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment):
            raise ValueError("must be an address such as https://postroom.example.com")
        return value.rstrip("/")

    @field_validator("plaintext_hosts")
    @classmethod
    def _hosts(cls, value: str) -> str:
        if wrong := next((one for one in names_in(value) if not _HOST.fullmatch(one)), None):
            raise ValueError(f"{wrong!r} is not a host name: names with commas between them, without ports")
        return value

    @property
    def base_url(self) -> str:
        """Where people's browsers reach this server: what connect links begin with."""
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def redirect_url(self) -> str:
        """Where providers send browsers back to after a sign-in: what is registered there, to the letter."""
        return f"{self.base_url}/oauth/callback"

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{(self.data / 'postroom.db').absolute()}"


def names_in(value: str) -> tuple[str, ...]:
    """A list in one setting, with commas between its names."""
    return tuple(name for one in value.split(",") if (name := one.strip()))


def load(overrides: Mapping[str, object] | None = None) -> Settings:
    """The settings of the environment, less what is overridden. Raises BadSettings."""
    try:
        return Settings.model_validate({**Settings().model_dump(), **(overrides or {})})
    except ValidationError as invalid:
        first = invalid.errors()[0]
        name = "POSTROOM_" + "_".join(str(part) for part in first["loc"]).upper()
        raise BadSettings(f"{name}: {first['msg']}. Every setting is explained in docs/settings.md.") from None
