"""Posts events to webhooks, signed (Standard Webhooks 1.0.0). It keeps no list of them and repeats nothing."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime

import httpx2
from standardwebhooks import Webhook

from postroom.core.ports.wire import CallResult
from postroom.wire.http import GuardedTransport
from postroom.wire.resolve import Guard, PrivateHost

KEPT = 20
"""Connections to receivers that stay open for the next event: as many as calls are made at once."""
REST = 16 * 1024
"""Bytes of an answer that are read so that its connection can be used again; it is closed where there are more."""
REST_SECONDS = 1.0


class Webhooks:
    """`WebhookWire`. `seconds` bounds a call from name lookup to answer."""

    def __init__(self, guard: Guard, *, seconds: float = 15, context: ssl.SSLContext | None = None) -> None:
        self._seconds = seconds
        self._client = httpx2.AsyncClient(
            transport=GuardedTransport(guard, context=context, keep=KEPT),
            timeout=seconds,
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": "Postroom", "accept": "*/*", "accept-encoding": "identity"},
        )

    async def post(self, url: str, secret: str, event_id: str, at: datetime, body: bytes) -> CallResult:
        """One call; `at` is when it is made, which the signature covers. Never raises but CancelledError.

        Every answer of the class 2xx is a success, and nobody looks at the body of an answer: its status says it all.
        Redirects are not followed, for the event was meant for `url`.
        """
        try:
            headers = {
                "content-type": "application/json",
                "webhook-id": event_id,
                "webhook-timestamp": str(int(at.timestamp())),
                "webhook-signature": Webhook(secret).sign(event_id, at.astimezone(UTC), body.decode()),
            }
        except Exception as error:  # whatever a bad secret makes the library raise; its text could hold the secret
            return CallResult(None, f"the webhook's secret cannot sign ({type(error).__name__}); make a new one")
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(url, headers, body)
        except (TimeoutError, httpx2.TimeoutException):
            return CallResult(None, f"no answer within {self._seconds:g} seconds")
        except PrivateHost as error:
            return CallResult(None, str(error))
        except Exception as error:  # the port promises never to raise; nothing is lost, the words are kept
            return CallResult(None, _words(error))

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> CallResult:
        async with self._client.stream("POST", url, headers=headers, content=body) as response:
            status = response.status_code
            await _read_rest(response)
            if response.is_redirect:
                return CallResult(
                    status, f"answered {status}, a redirect: enter the final address as the webhook's URL"
                )
            if not response.is_success:
                return CallResult(status, f"answered {status} {response.reason_phrase}".rstrip())
            return CallResult(status)

    async def close(self) -> None:
        """Drops the connections."""
        await self._client.aclose()


async def _read_rest(response: httpx2.Response) -> None:
    """Nothing that goes wrong here changes what was answered."""
    with contextlib.suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(REST_SECONDS):
            size = 0
            async for piece in response.aiter_raw():
                size += len(piece)
                if size > REST:
                    return


def _words(error: BaseException) -> str:
    innermost = error
    while innermost.__cause__ is not None:
        innermost = innermost.__cause__
    return f"{type(innermost).__name__}: {innermost}"
