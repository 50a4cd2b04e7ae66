"""The simulator from the command line: run it, and make it fail on command. What it does is done by the simulator."""

from __future__ import annotations

import asyncio
import json as jsonlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx2
import typer
from rich.markup import escape

from postroom.cli.output import fail, print_json, say
from postroom.simulator import Behaviour, FieldError, Service, Simulator
from postroom.simulator import serve as serve_simulator

app = typer.Typer(help="A mail provider on this machine that fails on command.", no_args_is_help=True)
_CONTROL = typer.Option(
    os.environ.get("POSTROOM_SIMULATOR", "http://127.0.0.1:8026"), help="Control address of a running simulator."
)


@app.command()
def run(
    account: list[str] = typer.Option(["support@example.com:secret"], help="An account as ADDRESS:PASSWORD."),
    imap_port: int = typer.Option(8143, help="Plain IMAP with STARTTLS."),
    imaps_port: int = typer.Option(8993, help="IMAP over TLS."),
    smtp_port: int = typer.Option(8587, help="Plain SMTP with STARTTLS."),
    smtps_port: int = typer.Option(8465, help="SMTP over TLS."),
    oauth_port: int = typer.Option(8027, help="The authorization server: OAuth and OpenID Connect."),
    control_port: int = typer.Option(8026, help="The control API."),
    ca_file: Path | None = typer.Option(None, help="Write its CA certificate here."),
) -> None:
    """Run the simulator until Ctrl-C. Everything is on 127.0.0.1, in memory, and relayed to nobody."""
    accounts = []
    for one in account:
        address, colon, password = one.rpartition(":")
        if not colon or "@" not in address:
            fail(f"--account: {one!r} is not ADDRESS:PASSWORD", 2)
        accounts.append((address, password))

    def ready(simulator: Simulator) -> None:
        if ca_file is not None:
            ca_file.write_text(simulator.ca_pem)
        say(f"IMAP {simulator.host}:{simulator.imap_port}, with TLS {simulator.imaps_port}")
        say(f"SMTP {simulator.host}:{simulator.smtp_port}, with TLS {simulator.smtps_port}")
        say(f"OAuth {simulator.issuer}, client {simulator.oauth.client_id}, secret {simulator.oauth.client_secret}")
        say(f"Control http://{simulator.host}:{simulator.control_port}, its CA at /ca.pem")
        for address, _ in accounts:
            say(f"Account {escape(address)}")

    async def running() -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("no task is running")
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await serve_simulator(
                imap_port=imap_port,
                imaps_port=imaps_port,
                smtp_port=smtp_port,
                smtps_port=smtps_port,
                oauth_port=oauth_port,
                control_port=control_port,
                accounts=accounts,
                ready=ready,
            )
        except asyncio.CancelledError:
            say("The simulator has ended.")

    try:
        asyncio.run(running())
    except OSError as fault:
        fail(f"a port is taken ({fault.strerror}): choose others, or end the simulator that runs")
    except FieldError as wrong:
        fail(str(wrong), 2)


@app.command("fail")
def fail_(
    protocol: Service = typer.Argument(help="imap, smtp or oauth."),
    stage: str = typer.Argument(
        help="For example connect, tls, greeting, auth, select, fetch, mail, rcpt, data, dot, token."
    ),
    answer: str | None = typer.Argument(
        None, help="What it answers instead; \\n begins another line, {tag} is filled in."
    ),
    behaviour: Behaviour | None = typer.Option(None, help="What it does instead."),
    account: str | None = typer.Option(None, help="Only for this account."),
    times: int | None = typer.Option(None, help="Only so often."),
    control: str = _CONTROL,
) -> None:
    """Make a stage fail, until it is cleared. Example: postroom simulate fail smtp auth "535 5.7.8 Bad credentials"."""
    fault = {
        "protocol": protocol.value,
        "stage": stage,
        "answer": answer.replace("\\n", "\n") if answer else None,
        "behaviour": behaviour.value if behaviour else None,
        "account": account,
        "times": times,
    }
    made = _call(control, "POST", "/faults", {name: value for name, value in fault.items() if value is not None})
    _say_failing(made)


@app.command()
def replay(
    record: str = typer.Argument(
        metavar="FILE|TEXT",
        help="A file of recorded failures, one JSON object a line (- is standard input); with --direction and --stage "
        "the text itself.",
    ),
    wanted: str | None = typer.Option(None, "--id", help="Which record of the file."),
    direction: Service | None = typer.Option(None, help="Of the text: imap or smtp."),
    stage: str | None = typer.Option(None, help="Of the text: connect, tls, greeting, auth, select, rcpt, data, …"),
    account: str | None = typer.Option(None, help="Only for this account."),
    times: int | None = typer.Option(None, help="Only so often."),
    control: str = _CONTROL,
) -> None:
    """Play a recorded failure, until it is cleared: clients meet the words that were recorded.

    A record is what `postroom diagnose --jsonl` reads: direction, stage, raw, and where known status, response_code,
    smtp_code, enhanced. `data` is played after the final dot, `send` at MAIL, `oauth` at the token endpoint; `dns`
    cannot be played, because no server says it.

    Examples: postroom simulate replay failures.jsonl --id smtp-0002

    postroom simulate replay --direction imap --stage auth "NO [UNAVAILABLE] Temporary authentication failure."
    """
    if (direction is None) is not (stage is None):
        fail("--direction and --stage go together: both for a text, neither for a file", 2)
    if direction is None or stage is None:
        played = _recorded(record, wanted)
    elif wanted is not None:
        fail("--id chooses a record of a file: leave it out, or --direction and --stage", 2)
    else:
        played = {"direction": direction.value, "stage": stage, "raw": record}
    narrowed = {name: value for name, value in (("account", account), ("times", times)) if value is not None}
    _say_failing(_call(control, "POST", "/faults/replay", played | narrowed))


def _recorded(file: str, wanted: str | None) -> dict[str, Any]:
    """The record of a file that is wanted, or its only one. Ends with a sentence where that cannot be read."""
    records: list[dict[str, Any]] = []
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        fail(f"{file} cannot be read ({fault}). To play a text, give --direction and --stage.", 2)
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = jsonlib.loads(line)
        except jsonlib.JSONDecodeError as fault:
            fail(f"{file}, line {number}: no JSON ({fault.msg})", 2)
        if not isinstance(record, dict):
            fail(f"{file}, line {number}: a record is a JSON object", 2)
        records.append(record)
    found = [record for record in records if wanted is None or str(record.get("id")) == wanted]
    if len(found) != 1:
        which = "no record" if not found else f"{len(found)} records"
        named = f" with the id {wanted}" if wanted is not None else ""
        fail(f"{file} holds {which}{named}" + (": choose one with --id" if found and wanted is None else ""), 2)
    return found[0]


@app.command()
def mend(
    fault: str | None = typer.Argument(None, help="A fault's id; all without it."), control: str = _CONTROL
) -> None:
    """End faults and outages."""
    _call(control, "DELETE", f"/faults/{fault}" if fault else "/faults")
    if fault is None:
        for protocol in Service:
            _call(control, "POST", "/outage", {"protocol": protocol.value, "up": True})
    say("Mended.")


@app.command()
def outage(
    protocol: Service = typer.Argument(help="imap, smtp or oauth."),
    seconds: float | None = typer.Option(None, help="Back after so long; otherwise with `mend`."),
    control: str = _CONTROL,
) -> None:
    """Stop listening, as a server that is down."""
    _call(control, "POST", "/outage", {"protocol": protocol.value, "seconds": seconds})
    say(f"{protocol} is down.")


@app.command()
def password(
    address: str = typer.Argument(help="The account."),
    new: str = typer.Argument(help="Its new password."),
    control: str = _CONTROL,
) -> None:
    """Change an account's password; its open sessions are dropped, as real providers do."""
    _call(control, "PATCH", f"/accounts/{address}", {"password": new})
    say(f"{escape(address)} has a new password.")


@app.command()
def revoke(
    address: str | None = typer.Argument(None, help="The account; all accounts without it."),
    control: str = _CONTROL,
) -> None:
    """Take back the access that was given with OAuth: tokens die, the sessions signed in with them end."""
    _call(control, "POST", "/oauth/revoke", {"address": address})
    say(f"The access to {escape(address) if address else 'all accounts'} is taken back.")


@app.command()
def deliver(
    address: str = typer.Argument(help="The account that gets the message."),
    subject: str = typer.Option("A question", help="Its subject."),
    text: str = typer.Option("Hello, can you help me?", help="Its text."),
    sender: str = typer.Option("customer@example.net", help="Who writes."),
    raw_file: Path | None = typer.Option(None, help="A whole message instead (RFC 5322)."),
    control: str = _CONTROL,
) -> None:
    """Let a message arrive."""
    body: dict[str, Any] = {"from": sender, "subject": subject, "text": text}
    if raw_file is not None:
        body = {"raw": raw_file.read_text(encoding="latin-1")}
    print_json(_call(control, "POST", f"/accounts/{address}/deliver", body))


@app.command()
def state(control: str = _CONTROL) -> None:
    """Show accounts, faults and what was sent, as JSON."""
    print_json({**_call(control, "GET", "/state"), "outbox": _call(control, "GET", "/outbox")})


def _say_failing(made: dict[str, Any]) -> None:
    say(f"{made['protocol']} {made['stage']} fails now (fault {made['id']}). Mend it: postroom simulate mend")


def _call(control: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        answer = httpx2.request(method, control + path, json=body, timeout=10)
    except httpx2.HTTPError as fault:
        fail(f"no simulator answers at {control} ({fault}): start one with postroom simulate run")
    try:
        value = answer.json() if answer.content else {}
    except jsonlib.JSONDecodeError:
        fail(f"{control} answered {answer.status_code}, but not as a simulator does")
    if answer.is_error:
        fail(str(value.get("detail", answer.status_code)), 2)
    return dict(value)
