"""Asks authorization servers over HTTPS; whatever fails becomes evidence. It reads no token (core.oauth.response)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import httpx2

from postroom.core.diagnosis.evidence import Evidence, Failure, Stage, TlsFacts
from postroom.core.mailbox import Direction
from postroom.core.oauth.request import OAuthRequest
from postroom.wire import tls
from postroom.wire.http import GuardedTransport
from postroom.wire.resolve import Guard, PrivateHost

LARGEST: Final = 1024 * 1024
SHOWN: Final = 2048
"""Characters of an answer that are kept as evidence: some answer with a whole page."""


class OAuth:
    """`OAuthWire`. `seconds` bounds a call from name lookup to the end of the answer."""

    def __init__(
        self,
        guard: Guard,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: float = 15,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = guard
        self._now = now
        self._seconds = seconds
        self._client = httpx2.AsyncClient(
            transport=GuardedTransport(guard, context=context),
            timeout=seconds,
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": "Postroom", "accept": "application/json", "accept-encoding": "identity"},
        )

    async def ask(self, request: OAuthRequest, direction: Direction = Direction.IMAP) -> str:
        """Raises Failure."""
        try:
            async with asyncio.timeout(self._seconds):
                status, reason, body = await self._exchange(request)
        except (TimeoutError, httpx2.TimeoutException) as error:
            words = f"TimeoutError: no answer for {self._seconds:g} seconds"
            raise self._failure(request, direction, exception=words) from error
        except (PrivateHost, _Unsafe, _TooLarge) as error:
            raise self._failure(request, direction, exception=_words(error)) from error
        except (OSError, ValueError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._failure(request, direction, exception=_words(error), facts=_tls_facts(error)) from error
        if not 200 <= status < 300:
            raw = f"HTTP {status} {reason}: {body[:SHOWN]}".replace(" :", ":")
            raise self._failure(request, direction, raw=raw, status=str(status))
        return body

    async def _exchange(self, request: OAuthRequest) -> tuple[int, str, str]:
        if urlsplit(request.url).scheme != "https" and not self._guard.allow_private:
            raise _Unsafe("the address must begin with https://: secrets are sent there")
        method = "GET" if request.form is None else "POST"
        headers = {"authorization": request.authorization} if request.authorization else {}
        async with self._client.stream(method, request.url, headers=headers, data=request.form) as response:
            spool = bytearray()
            async for chunk in response.aiter_bytes():
                spool += chunk
                if len(spool) > LARGEST:
                    raise _TooLarge("the answer is larger than 1 MB")
            return response.status_code, response.reason_phrase, spool.decode("utf-8", "replace")

    def _failure(
        self,
        request: OAuthRequest,
        direction: Direction,
        *,
        raw: str = "",
        exception: str | None = None,
        status: str | None = None,
        facts: TlsFacts | None = None,
    ) -> Failure:
        parts = urlsplit(request.url)
        return Failure(
            Evidence(
                direction=direction,
                stage=Stage.OAUTH,
                raw=_clean(raw or exception or "", request),
                provider=request.provider,
                status=status,
                exception=_clean(exception, request) if exception else None,
                host=parts.hostname,
                port=parts.port or (443 if parts.scheme == "https" else 80),
                security="tls" if parts.scheme == "https" else "none",
                tls=facts,
                seen_at=self._now(),
            )
        )

    async def close(self) -> None:
        """Drops the connections."""
        await self._client.aclose()


class _Unsafe(Exception):
    """The address is not one to send a secret to."""


class _TooLarge(Exception):
    """The answer does not end."""


def _clean(text: str, request: OAuthRequest) -> str:
    for secret in request.secrets:
        text = text.replace(secret, "***")
    return text


def _innermost(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _words(error: BaseException) -> str:
    inner = _innermost(error)
    return f"{type(inner).__name__.lstrip('_')}: {inner}"


def _tls_facts(error: BaseException) -> TlsFacts | None:
    inner = _innermost(error)
    if not isinstance(inner, ssl.SSLError):
        return None
    return TlsFacts(fault=tls.fault_of(inner), detail=f"{type(inner).__name__}: {inner}")
