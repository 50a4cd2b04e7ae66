"""Reads a file of mailboxes to be connected, CSV or JSON lines, and finds what is wrong in it. It connects none."""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from postroom.core.mailbox import Credential, Direction, Endpoint
from postroom.flows.bulk import Applicant

STARTTLS = (143, 587, 25)
"""Ports that without a security mean STARTTLS, as with the options of `postroom mailbox add`."""
PLAIN = ("address", "name", "hold_hours", "folders", "reference", "unconfirmed", "sync_days", "ca_certificate")
NUMBERS = ("imap_port", "smtp_port", "hold_hours", "sync_days")
ENDPOINT = ("host", "port", "security", "username")
COLUMNS = (
    "address",
    "name",
    "password",
    "username",
    *(f"{direction}_{part}" for direction in ("imap", "smtp") for part in ENDPOINT),
    "hold_hours",
    "folders",
    "reference",
    "unconfirmed",
    "sync_days",
    "ca_certificate",
)
REPORTED = ("line", "code", "message", "first_step")
"""Columns that a report adds: they are passed over when it is read again."""
_OTHER_NAMES = {"email": "address", "e_mail": "address", "email_address": "address", "user": "username"}
_DELIMITERS = (",", ";", "\t", "|")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in the file, and how to mend it; `line` is 0 where it concerns the whole file."""

    line: int
    words: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.words}" if self.line else self.words


@dataclass(frozen=True, slots=True)
class Row:
    """One mailbox as it was given. `values` are by column; those of JSON may be numbers and lists."""

    line: int
    values: dict[str, Any] = field(repr=False)  # the password is in it


@dataclass(slots=True)
class Roster:
    """A file that was read: its mailboxes, what is wrong, and columns that say nothing to us."""

    rows: list[Row] = field(default_factory=list)
    applicants: list[Applicant] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def read(content: bytes, ca_certificate: str | None = None) -> Roster:
    """The mailboxes of a file; its format is told by its content. `ca_certificate` is for those that name none.

    Never raises for what is in the file: that is in `faults`, with the line and the mend.
    """
    roster = Roster()
    text = _decoded(content, roster)
    if text is None:
        return roster
    start = text.lstrip()[:1]
    if not start:
        roster.faults.append(Fault(0, "the file is empty: it needs a header line and a line for each mailbox"))
    elif start == "[":
        mend = "write one object a line, for example with: jq -c '.[]' FILE"
        roster.faults.append(Fault(1, f"this is one JSON list, not JSON lines: {mend}"))
    elif start == "{":
        _json_lines(text, roster)
    else:
        _table(text, roster)
    if not roster.rows and not roster.faults:
        roster.faults.append(Fault(0, "the file names no mailbox: it has a header line and nothing below it"))
    _check(roster, ca_certificate)
    roster.faults.sort(key=lambda one: one.line)
    return roster


def _decoded(content: bytes, roster: Roster) -> str | None:
    """Passwords are not guessed at: a file in an old encoding would be read, and every umlaut refused."""
    encoding = next((name for mark, name in _BOMS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        words = f"this is not {encoding.upper()} (byte 0x{content[error.start]:02X})"
        mend = "save the file as “CSV UTF-8”, or convert it: iconv -f WINDOWS-1252 -t UTF-8 FILE"
        roster.faults.append(Fault(line, f"{words}: {mend}"))
        return None


def _json_lines(text: str, roster: Roster) -> None:
    unknown: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except ValueError as error:
            place = f" (column {error.colno}: {error.msg})" if isinstance(error, json.JSONDecodeError) else ""
            roster.faults.append(Fault(number, f"this is no JSON object{place}: write each mailbox on one line"))
            continue
        if not isinstance(given, dict):
            roster.faults.append(Fault(number, "this is JSON, but no object: it needs braces and names"))
            continue
        row = Row(number, {})
        for name, value in _flat(given):
            if _known(name, number, roster, unknown):
                row.values[_column(name)] = value
        roster.rows.append(row)
    roster.unknown = list(unknown)


def _flat(given: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Also written as POST /v1/mailboxes takes it, with `imap`, `smtp` and `auth` as objects."""
    for name, value in given.items():
        if name in ("imap", "smtp") and isinstance(value, dict):
            yield from ((f"{name}_{part}", one) for part, one in value.items())
        elif name == "auth" and isinstance(value, dict):
            yield from ((part, one) for part, one in value.items() if (part, one) != ("kind", "password"))
        else:
            yield name, value


def _table(text: str, roster: Roster) -> None:
    lines = text.splitlines(keepends=True)
    above = 0
    delimiter = None
    if lines[0].lower().startswith("sep=") and len(lines[0].rstrip()) == 5:  # what Excel writes for itself
        above, delimiter = 1, lines[0][4]
    header = next((one for one in lines[above:] if one.strip()), "")
    delimiter = delimiter or max(_DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO("".join(lines[above:]), newline=""), delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    while True:
        number = reader.line_num + above + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            mend = 'a quotation mark is not closed, or stands in a value: write it twice ("") and the value in quotes'
            roster.faults.append(Fault(number, f"this cannot be read as CSV ({error}): {mend}"))
            return
        if cells is None:
            return
        if not any(one.strip() for one in cells):
            continue
        if columns is None:
            columns = _columns(cells, number, roster)
            if columns is None:
                return
            continue
        if len(cells) > len(columns) and any(cells[len(columns) :]):
            mend = f"a value that holds “{delimiter}” must stand in quotes"
            roster.faults.append(Fault(number, f"{len(cells)} values for {len(columns)} columns: {mend}"))
            continue
        values = {name: cell for name, cell in zip(columns, cells, strict=False) if name and cell.strip()}
        roster.rows.append(Row(number, values))


def _columns(cells: list[str], line: int, roster: Roster) -> list[str] | None:
    """The names in the header line, empty for those that are passed over."""
    unknown: dict[str, None] = {}
    columns = [_column(one) if _known(one, line, roster, unknown) else "" for one in cells]
    roster.unknown = list(unknown)
    for name in dict.fromkeys(one for one in columns if one and columns.count(one) > 1):
        roster.faults.append(Fault(line, f"there are two columns named {name}: remove one"))
    for name in ("address", "password"):
        if name not in columns and not any(one.words.endswith(f"name it {name}") for one in roster.faults):
            first = f"the first line must name the columns, as in: {','.join(COLUMNS[:3])}"
            roster.faults.append(Fault(line, f"there is no column named {name}: {first}"))
    return None if roster.faults else columns


def _column(name: str) -> str:
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    return _OTHER_NAMES.get(plain, plain)


def _known(name: str, line: int, roster: Roster, unknown: dict[str, None]) -> bool:
    """A name that is nearly one of ours is a misspelling, which must not be ignored in silence."""
    column = _column(name)
    if column in COLUMNS:
        return True
    if column and column not in REPORTED:
        meant = difflib.get_close_matches(column, COLUMNS, 1, 0.8)
        if meant:
            roster.faults.append(Fault(line, f"“{name.strip()}” is no column: name it {meant[0]}"))
        else:
            unknown[name.strip()] = None
    return False


def _check(roster: Roster, ca_certificate: str | None) -> None:
    """Every row by the rules of POST /v1/mailboxes, and each address once."""
    seen: dict[str, int] = {}
    for row in roster.rows:
        applicant = _applicant(row, roster, ca_certificate)
        if applicant is None:
            continue
        first = seen.setdefault(applicant.address.casefold(), row.line)
        if first != row.line:
            words = f"{applicant.address} stands in line {first} already: remove one of the two"
            roster.faults.append(Fault(row.line, words))
            continue
        roster.applicants.append(applicant)


def _applicant(row: Row, roster: Roster, ca_certificate: str | None) -> Applicant | None:
    # Here, so that other commands do not load a web framework.
    from postroom.web.schema.connection import NewMailbox
    from postroom.web.validation import problem_of

    for name in ("address", "password"):
        if row.values.get(name) in (None, ""):
            roster.faults.append(Fault(row.line, f"{name} is missing: fill it in, or remove the line"))
            return None
    try:
        given = NewMailbox.model_validate(_body(row.values, ca_certificate))
    except ValidationError as invalid:
        found = invalid.errors(include_input=False, include_url=False)
        errors = problem_of([{**one, "loc": ("body", *one["loc"])} for one in found]).errors
        roster.faults += [Fault(row.line, f"{_told(one.field)}: {one.message}") for one in errors]
        return None

    def end(direction: Direction) -> Endpoint | None:
        one = given.imap if direction is Direction.IMAP else given.smtp
        return one.endpoint(direction, username or given.address) if one else None

    username = row.values.get("username")
    return Applicant(
        line=row.line,
        address=given.address,
        name=given.name,
        imap=end(Direction.IMAP),
        smtp=end(Direction.SMTP),
        username=username,
        credential=Credential(password=row.values["password"]),
        ca_certificate=given.ca_certificate,
        hold_hours=given.hold_hours,
        folders=tuple(dict.fromkeys(given.folders)),
        reference=given.reference,
        unconfirmed=given.unconfirmed,
        sync_days=given.sync_days,
    )


def _body(values: dict[str, Any], ca_certificate: str | None) -> dict[str, Any]:
    """What POST /v1/mailboxes would be given."""
    given = {name: _typed(name, value) for name, value in values.items() if value not in (None, "")}
    body: dict[str, Any] = {name: given[name] for name in PLAIN if name in given}
    body["auth"] = {"kind": "password", "password": given["password"]}
    if ca_certificate is not None:
        body.setdefault("ca_certificate", ca_certificate)
    for direction in ("imap", "smtp"):
        end = {part: given[f"{direction}_{part}"] for part in ENDPOINT if f"{direction}_{part}" in given}
        if end:
            if end.get("port") in STARTTLS:
                end.setdefault("security", "starttls")
            body[direction] = end
    return body


def _typed(name: str, value: object) -> object:
    """A cell of a table is text: its numbers and lists are read from it, and around a word it may have spaces."""
    if not isinstance(value, str) or name in ("password", "ca_certificate"):
        return value
    plain = value.strip()
    if name in NUMBERS and plain.isdecimal():
        return int(plain)
    if name == "folders":
        return [one.strip() for one in plain.split("|") if one.strip()]
    return plain.lower() if name.endswith("_security") else plain


def _told(path: str) -> str:
    """`imap.host` as the column `imap_host`, `auth.password` as `password`."""
    return "password" if path.startswith("auth") else path.replace(".", "_")
