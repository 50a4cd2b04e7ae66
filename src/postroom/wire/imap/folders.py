"""Folders: SELECT and EXAMINE, CREATE, MYRIGHTS, and which one is Sent or Junk. It reads no messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from postroom.core.cursor import Selected
from postroom.core.diagnosis.evidence import Stage
from postroom.wire.imap.dialogue import Dialogue
from postroom.wire.imap.grammar import Data, Status
from postroom.wire.imap.listing import Folder
from postroom.wire.imap.naming import argument, found_by_another_name, to_be_made
from postroom.wire.imap.tokens import Unparsable, number

# Where no folder says that it is Sent (RFC 6154): the names that mail programs and providers give it, likeliest first.
_SENT_NAMES: Final = (
    "Sent",
    "Sent Items",
    "Sent Messages",
    "Sent Mail",
    "Sent-Mail",
    "SentMail",
    "Gesendet",
    "Gesendete Elemente",
    "Gesendete Objekte",
    "Gesendete Nachrichten",
    "Envoyés",
    "Éléments envoyés",
    "Messages envoyés",
    "Courrier envoyé",
    "Objets envoyés",
    "Enviados",
    "Elementos enviados",
    "Correo enviado",
    "Mensajes enviados",
    "Itens enviados",
    "Mensagens enviadas",
    "Posta inviata",
    "Inviata",
    "Inviati",
    "Messaggi inviati",
    "Verzonden",
    "Verzonden items",
    "Verzonden berichten",
    "Wysłane",
    "Elementy wysłane",
    "Odeslané",
    "Odeslaná pošta",
    "Odoslané",
    "Elküldött",
    "Elküldött elemek",
    "Trimise",
    "Skickat",
    "Skickade objekt",
    "Sendt",
    "Sendte elementer",
    "Sendt post",
    "Lähetetyt",
    "Saadetud",
    "Gönderilmiş Öğeler",
    "Gönderilmiş Postalar",
    "Απεσταλμένα",
    "Отправленные",
    "Надіслані",
    "已发送",
    "已发送邮件",
    "寄件備份",
    "送信済み",
    "送信済みアイテム",
    "送信済みメール",
    "보낸편지함",
)
_JUNK_NAMES: Final = (
    "Junk",
    "Spam",
    "Junk Email",
    "Junk E-mail",
    "Junk-E-Mail",
    "Bulk Mail",
    "Bulk",
    "Spamverdacht",
    "Unerwünscht",
    "Courrier indésirable",
    "Indésirables",
    "Correo no deseado",
    "Posta indesiderata",
    "Lixo Eletrônico",
    "Ongewenste e-mail",
    "Wiadomości-śmieci",
    "Спам",
    "垃圾邮件",
    "迷惑メール",
)


@dataclass(frozen=True, slots=True)
class Use:
    """What a folder is for: its attribute (RFC 6154), and the usual names by rank where none says so."""

    attribute: str
    ranks: dict[str, int]


def _use(attribute: str, names: tuple[str, ...]) -> Use:
    return Use(attribute, {name.casefold(): rank for rank, name in enumerate(names)})


SENT: Final = _use("\\sent", _SENT_NAMES)
JUNK: Final = _use("\\junk", _JUNK_NAMES)


async def select(dialogue: Dialogue, folder: str, *, read_only: bool) -> Selected:
    """SELECT or EXAMINE. Raises Failure, stage select; also where no UIDVALIDITY comes, for without it UIDs mean
    nothing."""
    dialogue.begin(Stage.SELECT, folder)
    dialogue.exists = dialogue.recent = 0
    command = b"EXAMINE " if read_only else b"SELECT "
    status, numbers = await _opened(dialogue, command + argument(dialogue, folder))
    if await found_by_another_name(dialogue, folder, status):
        status, numbers = await _opened(dialogue, command + argument(dialogue, folder))
    dialogue.accepted(status)
    dialogue.examined = folder if read_only else None
    dialogue.news = False
    try:
        return Selected(
            folder=folder,
            uid_validity=number(numbers["UIDVALIDITY"]),
            uid_next=number(numbers["UIDNEXT"]) if "UIDNEXT" in numbers else None,
            exists=dialogue.exists,
            highest_modseq=number(numbers["HIGHESTMODSEQ"], most=2**63 - 1) if "HIGHESTMODSEQ" in numbers else None,
            read_only=read_only or status.code == "READ-ONLY",
        )
    except (KeyError, Unparsable) as error:
        raise dialogue.nonsense("the folder has no usable UIDVALIDITY, UIDNEXT or HIGHESTMODSEQ") from error


async def _opened(dialogue: Dialogue, command: bytes) -> tuple[Status, dict[str, str]]:
    """The server's answer, and what it said in response codes on the way."""
    numbers: dict[str, str] = {}
    dialogue.on_status = lambda status: numbers.setdefault(status.code or "", status.argument)
    try:
        return await dialogue.ask(command), numbers
    finally:
        dialogue.on_status = None


async def status(dialogue: Dialogue, folder: str) -> Selected | None:
    """STATUS (RFC 9051 6.3.11) of a folder that is not selected; None where the server will not say."""
    dialogue.begin(Stage.SELECT, folder)
    found: dict[str, int] = {}

    def keep(data: Data) -> None:
        tokens = data.tokens() if data.name == "STATUS" else []
        if len(tokens) == 2 and isinstance(tokens[1], list):
            pairs = iter(tokens[1])
            found.update((str(name).upper(), number(value)) for name, value in zip(pairs, pairs, strict=False))

    words = b"STATUS " + argument(dialogue, folder) + b" (MESSAGES UIDNEXT UIDVALIDITY)"
    answer = await dialogue.ask(words, keep)
    if answer.word != "OK" or "UIDVALIDITY" not in found:
        return None
    return Selected(folder, found["UIDVALIDITY"], found.get("UIDNEXT"), found.get("MESSAGES", 0))


async def rights(dialogue: Dialogue, folder: str) -> str | None:
    """The letters of MYRIGHTS (RFC 4314 3.5, 2.1); None where the server offers no ACL or will not say."""
    if "ACL" not in dialogue.capabilities:
        return None
    dialogue.begin(Stage.SELECT, folder)
    found: list[str] = []

    def keep(data: Data) -> None:
        if data.name == "MYRIGHTS" and len(tokens := data.tokens()) == 2:
            letters = tokens[1]
            found.append(letters.decode(errors="replace") if isinstance(letters, bytes) else str(letters or ""))

    status = await dialogue.ask(b"MYRIGHTS " + argument(dialogue, folder), keep)
    return found[0] if status.word == "OK" and found else None


def sent_among(folders: list[Folder]) -> str | None:
    """The Sent folder."""
    return _used_among(folders, SENT)


def junk_among(folders: list[Folder]) -> str | None:
    """The Junk folder."""
    return _used_among(folders, JUNK)


def _used_among(folders: list[Folder], use: Use) -> str | None:
    """The folder for this use: the one that says so, else the one with the likeliest name, the nearest to the top."""
    usable = [folder for folder in folders if folder.selectable]
    for folder in usable:
        if use.attribute in folder.attributes:
            return folder.name
    named = [
        (use.ranks[last], depth, folder.name)
        for folder in usable
        for depth, last in [_last(folder)]
        if last in use.ranks
    ]
    return min(named)[2] if named else None


def _last(folder: Folder) -> tuple[int, str]:
    levels = folder.name.split(folder.delimiter) if folder.delimiter else [folder.name]
    return len(levels), levels[-1].casefold()


async def create(dialogue: Dialogue, folder: str) -> None:
    """CREATE, and SUBSCRIBE so that mail programs show it. That it exists already is no failure. It is made where this
    server has its users' folders, below INBOX for instance."""
    dialogue.begin(Stage.APPEND, folder)
    name = await to_be_made(dialogue, folder)
    status = await dialogue.ask(b"CREATE " + name)
    if not _exists(status):
        dialogue.accepted(status)
        await dialogue.ask(b"SUBSCRIBE " + name)


def _exists(status: Status) -> bool:
    return status.word == "NO" and (status.code == "ALREADYEXISTS" or "exist" in status.text.lower())
