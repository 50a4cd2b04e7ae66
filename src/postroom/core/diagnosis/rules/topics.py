"""Rows for words that tell only what an answer is about. They are asked after all words and codes that prove more.

What nobody has worded so before is judged by its subject: our own address, limits and account are for a person or for
time, the recipient and the content are for the author of the message.
"""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import Phrases, phrases
from postroom.core.diagnosis.rule import MESSAGE, Rule
from postroom.core.diagnosis.verdict import Action

AT_MAIL = {"stage": Stage.MAIL}
OF_THE_RECIPIENT = phrases("recipient | destinat | to address | user unknown")
OF_THE_CONTENT = phrases(
    """
    message | content | virus | spam | header | subject | body | url | link | attachment | size | length | line␣
    syntax | format | malformed | hops | loop | too big | too large
    """
)


def _refusal(name: str, smtp: str, cause: str, words: Phrases, unless: Phrases, example: str) -> Rule:
    return Rule(
        id=f"topic.{name}",
        smtp=smtp,
        cause=cause,
        stages=MESSAGE,
        replies=(5,),
        words=words,
        unless=unless,
        topic=True,
        example=example,
        given=AT_MAIL,
        source="the subject of a refusal in words that no other row knows",
    )


def _sign_in(
    name: str,
    imap: str,
    cause: str,
    words: Phrases,
    example: str,
    action: Action | None = None,
    stage: Stage = Stage.AUTH,
) -> Rule:
    return Rule(
        id=f"topic.{name}",
        imap=imap,
        cause=cause,
        action=action,
        stages=frozenset({stage}),
        given={"stage": stage},
        words=words,
        unless=phrases("password | credential | username | user name"),
        topic=True,
        example=example,
        source="the subject of a refused sign-in in words that no other row knows",
    )


RULES = (
    _refusal(
        "limit",
        "mailbox_limit_exceeded",
        "sending_limit",
        phrases(
            """
            too much | too fast | too often | too quickly | slow down | limit | quota | exceed | threshold | throttl
            per second | allowance
            """
        ),
        (*OF_THE_RECIPIENT, *OF_THE_CONTENT),
        "550 Threshold crossed, come back tomorrow",
    ),
    _refusal(
        "our-address",
        "access_restricted",
        "ip_blocked",
        phrases(
            """
            ip␣ | ip: | ip address | client ip | client host | host network | your host | your server | your system
            hostname | rdns
            reverse | ptr␣ | helo | ehlo | blacklist | blocklist | dnsbl | rbl | reputation | connecting host
            """
        ),
        phrases("recipient address | recipient reject | url | link | attachment | virus | content | header"),
        "554 Nothing is taken from a client IP such as yours",
    ),
    _refusal(
        "our-sender",
        "access_restricted",
        "send_as",
        phrases(
            """
            sender | mail from | from address | from domain | return path | return-path | reverse-path | originator
            spoof | forge | impersonat | your address | your domain | sending domain | authenticated as
            """
        ),
        (
            *OF_THE_RECIPIENT,
            *phrases("virus | spam | header | syntax | format | malformed | invalid address | this message"),
        ),
        "550 Not with that originator",
    ),
    _refusal(
        "our-account",
        "account_disabled",
        "sending_blocked",
        phrases(
            """
            your account | your mailbox | your subscription | for this account | from this account
            this login | unpaid
            """
        ),
        OF_THE_RECIPIENT,
        "550 Have a look at your account",
    ),
    Rule(
        id="topic.at-mail",
        smtp="access_restricted",
        cause="policy",
        stages=frozenset({Stage.MAIL}),
        replies=(517, 521, 541, 550, 551, 554, 571),
        unless=OF_THE_CONTENT,
        example="550 no",
        given={"stage": Stage.MAIL},
        source="RFC 5321 section 3.3: before a recipient is named, a refusal concerns the sender",
    ),
    _sign_in(
        "sign-in.limit",
        "connection_limit",
        "connections",
        phrases("sessions | connections | concurrent | simultaneous | at once"),
        "NO All sessions are taken",
        Action.RETRY,
    ),
    _sign_in(
        "sign-in.place",
        "access_denied",
        "login_denied",
        phrases("country | region | location | ip␣ | ip address | network | this host"),
        "NO Nobody signs in from that region",
    ),
    _sign_in(
        "sign-in.plan",
        "account_blocked",
        "imap_off",
        phrases(
            """
            subscription | your plan | tariff | taken … away | upgrade | premium | pro users | only available
            paid | payment | billing
            """
        ),
        "NO IMAP comes with a premium mailbox",
    ),
    _sign_in(
        "sign-in.state",
        "account_blocked",
        "account_disabled",
        phrases(
            """
            disabled | suspend | blocked | switched off | turned off | deactivat | inactive | terminated | closed
            banned | not active
            """
        ),
        "NO Banned",
    ),
    _sign_in(
        "sign-in.trouble",
        "account_unreachable",
        "backend_down",
        phrases("backend | storage | memory | daemon | disk | overload | mailbox location"),
        "NO out of memory",
        Action.RETRY,
    ),
    _sign_in(
        "sign-in.tries",
        "account_blocked",
        "failed_logins",
        phrases("tries … wait | attempts … wait | tries, | attempts,"),
        "NO Five wrong tries, wait for 15 minutes",
        Action.RETRY,
    ),
    _sign_in(
        "sign-in.later",
        "account_unreachable",
        "backend_down",
        phrases(
            "come back | in a minute | minutes | for now | for the moment | just now | queue is | busy | maintenance"
        ),
        "NO The queue is full",
        Action.RETRY,
    ),
    _sign_in(
        "select.access",
        "access_denied",
        "mailbox_access",
        phrases("granted | read access | full access | permission | forbid | you may"),
        "NO Nobody has granted that",
        stage=Stage.SELECT,
    ),
    _sign_in(
        "select.trouble",
        "protocol_error",
        "server_bug",
        phrases("could not be loaded | offline | storage | database | disk | index | for now | just now | timeout"),
        "NO The index could not be loaded",
        Action.RETRY,
        Stage.SELECT,
    ),
)
