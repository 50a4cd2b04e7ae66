"""The control API: JSON over HTTP on loopback, one request for each thing that can be commanded. It decides nothing.

There is no sign-in. Requests whose Host is not this machine are refused, so that no web page can reach it by a name.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

from postroom.simulator.fault import Fault, FieldError, NotThere
from postroom.simulator.oauth.grants import MAIL_SCOPE
from postroom.simulator.state import fault_state, message_state, oauth_state, submission_state

if TYPE_CHECKING:
    from postroom.simulator.simulator import Simulator

Protocol = Literal["imap", "smtp", "oauth"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AccountIn(_Body):
    """A new account; `quota` in bytes."""

    address: str
    password: str
    folders: list[str] = ["Sent", "Drafts", "Trash", "Junk"]
    access_token: str | None = None
    saves_sent: bool = False
    idle: bool = True
    threads: bool = False
    quota: Annotated[int, Field(ge=0)] | None = None
    connection_limit: Annotated[int, Field(ge=0)] | None = None


class AccountChange(_Body):
    """What is to be changed; what is left out stays."""

    password: str = ""
    access_token: str | None = None
    saves_sent: bool = False
    idle: bool = True
    threads: bool = False
    quota: Annotated[int, Field(ge=0)] | None = None
    connection_limit: Annotated[int, Field(ge=0)] | None = None
    drop_sessions: bool = True


class DeliveryIn(_Body):
    """A message: `raw` as it is (line ends are made CRLF), or the rest to compose one."""

    raw: str | None = None
    sender: Annotated[str, Field(alias="from")] = "customer@example.net"
    subject: str = ""
    text: str = ""
    message_id: str | None = None
    in_reply_to: str | None = None


class RecordIn(_Body):
    """A recorded failure. Whatever else records carry is not needed here."""

    model_config = ConfigDict(extra="ignore")

    direction: str
    stage: str
    raw: str
    status: str | None = None
    response_code: str | None = None
    smtp_code: int | None = None
    enhanced: str | None = None
    account: str | None = None
    times: int | None = None


class OAuthChange(_Body):
    """What is to be changed of the authorization server; what is left out stays."""

    client_id: str = ""
    client_secret: str = ""
    redirect_uris: list[str] | None = None
    access_token_seconds: Annotated[int, Field(ge=1)] = 3600
    refresh_token_seconds: Annotated[int, Field(ge=1)] | None = None
    rotates: bool = True


class TokensIn(_Body):
    """For whom, and with which scope."""

    address: str
    scope: str = MAIL_SCOPE


class RevocationIn(_Body):
    """Whose tokens end, or whose access is taken back; all people's without an address."""

    address: str | None = None


class OutageIn(_Body):
    """`seconds`: back after so long. `up`: false starts an outage, true ends one."""

    protocol: Protocol
    seconds: Annotated[float, Field(ge=0)] | None = None
    up: bool = False


class KickIn(_Body):
    """Whose sessions to end; nothing given means all."""

    address: str | None = None
    protocol: Protocol | None = None


def _problem(status: int, field: str, message: str) -> JSONResponse:
    """RFC 9457, with the name of the field."""
    content = {"title": "Wrong value", "status": status, "detail": f"{field}: {message}", "field": field}
    return JSONResponse(content, status, media_type="application/problem+json")


async def _on_field_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, FieldError):
        raise error
    return _problem(404 if isinstance(error, NotThere) else 422, error.field, error.message)


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, FieldError):
        return _problem(422, cause.field, cause.message)
    where = [str(part) for part in first["loc"] if part not in ("body", "path", "query")]
    return _problem(422, ".".join(where) or "body", str(first["msg"]))


def control_app(simulator: Simulator) -> FastAPI:
    """The API over one simulator."""
    app = FastAPI(title="Postroom simulator", docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]", simulator.host])
    app.add_exception_handler(FieldError, _on_field_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    _add_mail_routes(app, simulator)
    _add_sign_in_routes(app, simulator)
    _add_failure_routes(app, simulator)
    return app


def _add_mail_routes(app: FastAPI, simulator: Simulator) -> None:
    @app.get("/state")
    async def state() -> dict[str, Any]:
        return simulator.state()

    @app.get("/ca.pem")
    async def ca_pem() -> Response:
        return Response(simulator.ca_pem, media_type="application/x-pem-file")

    @app.post("/accounts", status_code=201)
    async def create_account(account: AccountIn) -> dict[str, str]:
        created = simulator.create_account(**account.model_dump())
        return {"address": created.address}

    @app.patch("/accounts/{address}")
    async def change_account(address: str, change: AccountChange) -> dict[str, str]:
        changed = simulator.change_account(address, **change.model_dump(exclude_unset=True))
        return {"address": changed.address}

    @app.delete("/accounts/{address}", status_code=204)
    async def delete_account(address: str) -> None:
        simulator.delete_account(address)

    @app.post("/accounts/{address}/deliver", status_code=201)
    async def deliver(address: str, delivery: DeliveryIn) -> dict[str, Any]:
        if delivery.raw is not None:
            raw = delivery.raw.replace("\r\n", "\n").replace("\n", "\r\n")
            return message_state(simulator.deliver(address, raw.encode("utf-8", "surrogateescape")))
        return message_state(simulator.deliver(address, **delivery.model_dump(exclude={"raw"}, exclude_none=True)))

    @app.get("/accounts/{address}/folders/{folder:path}/messages/{uid}")
    async def message(address: str, folder: str, uid: int) -> Response:
        found = simulator.folder(address, folder).messages.get(uid)
        if found is None:
            raise NotThere("uid", f"{folder} has no message with the UID {uid}")
        return Response(found.raw, media_type="message/rfc822")

    @app.get("/accounts/{address}/folders/{folder:path}")
    async def folder_contents(address: str, folder: str) -> dict[str, Any]:
        found = simulator.folder(address, folder)
        return {
            "name": found.name,
            "uid_validity": found.uid_validity,
            "uid_next": found.uid_next,
            "messages": [message_state(message) for message in found.messages.values()],
        }

    @app.post("/accounts/{address}/folders/{folder:path}/renumber")
    async def renumber(address: str, folder: str) -> dict[str, Any]:
        found = simulator.renumber(address, folder)
        return {"name": found.name, "uid_validity": found.uid_validity, "uid_next": found.uid_next}

    @app.get("/outbox")
    async def outbox() -> dict[str, Any]:
        items = [submission_state(submission) for submission in simulator.outbox]
        return {"items": items, "counts": simulator.outbox_counts()}

    @app.get("/outbox/{number}")
    async def submitted(number: int) -> Response:
        if not 1 <= number <= len(simulator.outbox):
            raise NotThere("number", f"the outbox holds {len(simulator.outbox)} messages, counted from 1")
        return Response(simulator.outbox[number - 1].raw, media_type="message/rfc822")


def _add_sign_in_routes(app: FastAPI, simulator: Simulator) -> None:
    @app.patch("/oauth")
    async def change_oauth(change: OAuthChange) -> dict[str, Any]:
        simulator.oauth.change(**change.model_dump(exclude_unset=True))
        return oauth_state(simulator)

    @app.post("/oauth/tokens", status_code=201)
    async def give_tokens(wanted: TokensIn) -> dict[str, Any]:
        return simulator.give_tokens(wanted.address, wanted.scope)

    @app.post("/oauth/expire", status_code=204)
    async def expire(wanted: RevocationIn) -> None:
        simulator.expire_tokens(wanted.address)

    @app.post("/oauth/revoke")
    async def revoke(wanted: RevocationIn) -> dict[str, int]:
        return {"ended": simulator.revoke(wanted.address)}


def _add_failure_routes(app: FastAPI, simulator: Simulator) -> None:
    @app.post("/faults", status_code=201)
    async def add_fault(fault: Fault) -> dict[str, Any]:
        return fault_state(await simulator.add_fault(fault))

    @app.post("/faults/replay", status_code=201)
    async def replay(record: RecordIn) -> dict[str, Any]:
        return fault_state(await simulator.replay(**record.model_dump()))

    @app.delete("/faults")
    async def clear_faults() -> dict[str, int]:
        return {"cleared": await simulator.clear_faults()}

    @app.delete("/faults/{fault_id}")
    async def clear_fault(fault_id: str) -> dict[str, int]:
        return {"cleared": await simulator.clear_faults(fault_id)}

    @app.post("/outage")
    async def outage(wanted: OutageIn) -> dict[str, Any]:
        if wanted.up:
            await simulator.restore(wanted.protocol)
        else:
            await simulator.outage(wanted.protocol, wanted.seconds)
        return {"listening": simulator.state()["listening"]}

    @app.post("/kick")
    async def kick(wanted: KickIn) -> dict[str, int]:
        return {"kicked": simulator.kick(address=wanted.address, protocol=wanted.protocol)}


class _Server(uvicorn.Server):
    """Signals belong to the program that holds the simulator, not to it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve_control(simulator: Simulator, host: str, port: int) -> AsyncIterator[int]:
    """Serve the API in this loop; gives the port. Raises OSError when it is taken."""
    listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    with listening:
        config = uvicorn.Config(
            control_app(simulator), lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield int(listening.getsockname()[1])
        finally:
            server.should_exit = True
            await serving
