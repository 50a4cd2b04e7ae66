"""Separates what a reply says anew from what it quotes. It changes no text, and it does not look into HTML."""

from __future__ import annotations

import re

MOST_LINES = 10_000
"""Lines that are looked at; a text that is longer is shown whole."""
WRAPPED = 3
"""Lines over which programs break the line that introduces a quotation."""
LONGEST_INTRODUCTION = 400
"""Characters of that line, joined."""

_VERBS = (
    "wrote|writes|said|schrieb|schreibt|a écrit|a ecrit|écrit|escribió|escribio|scritto|ha scritto|escreveu|schreef|"
    r"geschreven|napisał\(a\)|napisał|napisała|pisze|skrev|skriver|kirjoitti|napsal\(a\)|napsal|napísal|írta|a scris|"
    r"έγραψε|написал\(а\)|написал|пишет|написав|пише|yazdı|şunu yazdı|写道|寫道|のメール|さんは書きました|작성|viết"
)
# `On <date>, <name> wrote:` in the languages of the world's mail programs: a verb near the end, and the colon. Dutch
# and Turkish put more behind the verb, German puts the name there.
_INTRODUCTION = re.compile(rf"(?:^|[\s,>])(?:{_VERBS})(?:[\s,].{{0,120}})?\s?[:：]\s*$", re.IGNORECASE)
_ADDRESSED = re.compile(r"<[^<>\s]{1,200}@[^<>\s]{1,200}>\s?[:：]$")  # Gmail in Japanese has no verb
_DATED = re.compile(r"\d{1,2}[:.h]\d{2}|\b(?:19|20)\d{2}\b|\d{1,2}[./-]\d{1,2}[./-]\d{2}")

_ORIGINAL = re.compile(
    r"\s*[-_—*]{2,}\s*(?:original (?:message|appointment)|reply message|ursprüngliche (?:nachricht|mail)|"
    r"original(?:nachricht|meldung)|message d['’]origine|message original|mensaje original|mensagem original|"
    r"messaggio originale|oorspronkelijk bericht|wiadomość oryginalna|oryginalna wiadomość|ursprungligt meddelande|"
    r"oprindelig meddelelse|opprinnelig melding|alkuperäinen viesti|původní zpráva|исходное сообщение|"
    r"оригинальное сообщение|orijinal mesaj|原始邮件|原始郵件|元のメッセージ|원본 메일)\s*[-_—*]{2,}\s*",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"\s*(?:[-_—*]{2,}\s*(?:forwarded message|weitergeleitete nachricht|message (?:transféré|réexpédié)|"
    r"mensaje reenviado|mensagem encaminhada|messaggio inoltrato|doorgestuurd bericht|vidarebefordrat meddelande|"
    r"wiadomość przekazana dalej|пересылаемое сообщение|转发邮件|轉寄郵件|転送メッセージ)\s*[-_—*]{2,}"
    r"|begin forwarded message:|anfang der weitergeleiteten (?:nachricht|e-mail):|début du message réexpédié\s*:)\s*",
    re.IGNORECASE,
)
_FORWARD_SUBJECT = re.compile(r"\s*(?:fwd?|wg|tr|rv|enc|i|doorst|vb|vs|pd|转发|轉寄)\s*[:：]", re.IGNORECASE)
_RULE = re.compile(r"\s*_{5,}\s*")

# The block that Outlook puts above what it quotes: From, Sent, To, Subject, in the sender's language.
_FROM = r"from|von|de|da|van|od|från|fra|lähettäjä|от|від|kimden|发件人|寄件者|差出人|보낸 사람|από|feladó|de la"
_OTHERS = (
    r"sent|date|to|cc|subject|gesendet|datum|an|kopie|betreff|envoyé|à|objet|enviado(?: el)?|fecha|para|asunto|"
    r"inviato|data|a|oggetto|enviada(?: em)?|assunto|verzonden|aan|onderwerp|wysłano|do|temat|skickat|till|ämne|"
    r"sendt|til|emne|lähetetty|vastaanottaja|aihe|odesláno|komu|předmět|отправлено|дата|кому|тема|gönderildi|kime|"
    r"konu|发送时间|收件人|主题|寄件日期|收件者|主旨|送信日時|宛先|件名|보낸 날짜|받는 사람|제목|elküldve|címzett|tárgy"
)
_FROM_LINE = re.compile(rf"\s*\*?(?:{_FROM})\*?\s?[:：]\*?\s*\S.*", re.IGNORECASE)
_OTHER_LINE = re.compile(rf"\s*\*?(?:{_OTHERS})\*?\s?[:：]", re.IGNORECASE)
_BLOCK = 8
"""Lines of that block in which at least two further fields must stand."""


def new_part(text: str, subject: str = "") -> str:
    """What the sender wrote this time: `text` without the quoted message at its end.

    Answers between quoted lines or below them keep the whole text, for they mean nothing without it, and so does a
    forwarded message, which is the point of sending it. Never empty where the text is not.
    """
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        return text
    end = _begins(lines, forward=_FORWARD_SUBJECT.match(subject) is not None)
    kept = "\n".join(lines[:end]).rstrip()
    return kept if kept.strip() else text


def _begins(lines: list[str], *, forward: bool) -> int:
    """The line with which the quotation begins; their number where there is none."""
    last_quoted = _last(lines, quoted=True)
    last_plain = _last(lines, quoted=False)
    for at, line in enumerate(lines):
        if not line or line.isspace():
            continue
        if _FORWARDED.fullmatch(line):
            break
        if _ORIGINAL.fullmatch(line):
            return len(lines) if forward else at
        if _is_block(lines, at):
            if forward:
                break
            return at - 1 if at and _RULE.fullmatch(lines[at - 1]) else at
        if line.startswith(">"):
            if last_plain < at:
                return at
            continue
        after = _introduced(lines, at)
        # Text that was made of HTML does not mark what it quotes.
        if after is not None and (last_plain < after <= last_quoted or last_quoted < after <= last_plain):
            return at
    return len(lines)


def _last(lines: list[str], *, quoted: bool) -> int:
    """The last line that is quoted, or the last that is neither quoted nor blank; -1 where there is none."""
    found = (at for at in range(len(lines) - 1, -1, -1) if lines[at].strip() and lines[at].startswith(">") is quoted)
    return next(found, -1)


def _introduced(lines: list[str], at: int) -> int | None:
    """The line after an introduction that begins at `at`, None where none does."""
    joined = ""
    for following in range(at, min(at + WRAPPED, len(lines))):
        piece = lines[following].strip()
        if not piece or len(joined) + len(piece) > LONGEST_INTRODUCTION:
            return None
        joined = f"{joined} {piece}" if joined else piece
        if piece.endswith((":", "：")):
            introduces = _INTRODUCTION.search(joined) or _ADDRESSED.search(joined)
            # `I wrote:` without a date introduces a person's own words.
            return following + 1 if introduces and _DATED.search(joined) else None
    return None


def _is_block(lines: list[str], at: int) -> bool:
    if not _FROM_LINE.fullmatch(lines[at]):
        return False
    return sum(1 for line in lines[at + 1 : at + _BLOCK] if _OTHER_LINE.match(line)) >= 2
