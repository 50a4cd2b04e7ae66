"""What a reply says anew is told from what it quotes, in the shapes that mail programs give it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.core.parse import new_part

SECONDS = 3.0
"""Of processor time: where time grew with the square of the length, these would take minutes."""
BLOCK = "\n\n{}\n\nPlease try again.\nTeam\n"
ENDINGS = {
    "Gmail": "\n\nOn Mon, 23 Nov 2026 at 10:00, Team <team@shop.example> wrote:\n> Please try again\n>\n> Team\n",
    "Gmail, broken over lines": (
        "\n\nOn Mon, 23 Nov 2026 at 10:00, The Very Long Name of a Team <team@shop.example>\nwrote:\n\n> Try\n"
    ),
    "Gmail as text of its HTML": "\n\nOn Mon, Nov 23, 2026 at 10:00 AM Team <team@shop.example> wrote:\n\nTry again.\n",
    "Gmail, German": "\n\nAm Mo., 23. Nov. 2026 um 10:00 Uhr schrieb Team <team@shop.example>:\n\n> Bitte nochmal\n",
    "Gmail, French": "\n\nLe lun. 23 nov. 2026 à 10:00, Équipe <team@shop.example> a écrit :\n\n> Essayez\n",
    "Gmail, Dutch": "\n\nOp ma 23 nov 2026 om 10:00 schreef Team <team@shop.example>:\n\n> Probeer\n",
    "Gmail, Turkish": "\n\nTeam <team@shop.example>, 23 Kas 2026 Pzt, 10:00 tarihinde şunu yazdı:\n\n> Dene\n",
    "Gmail, Japanese": "\n\n2026年11月23日(月) 10:00 Team <team@shop.example>:\n\n> 試して\n",
    "Gmail, Spanish": "\n\nEl lun, 23 nov 2026 a las 10:00, Equipo (<team@shop.example>) escribió:\n\n> Prueba\n",
    "Apple Mail": "\n\n> On 23 Nov 2026, at 10:00, Team <team@shop.example> wrote:\n> \n> Try\n",
    "Thunderbird": "\n\nOn 11/23/26 10:00, Team wrote:\n> Try\n> again\n",
    "Outlook": BLOCK.format(
        "From: Team <team@shop.example>\nSent: Monday, November 23, 2026 10:00 AM\nTo: Me\nSubject: RE: Help"
    ),
    "Outlook on the web": BLOCK.format(
        "________________________________\nFrom: Team <team@shop.example>\nSent: Monday\nTo: Me\nSubject: Help"
    ),
    "Outlook, German": BLOCK.format("Von: Team\nGesendet: Montag, 23. November 2026\nAn: Ich\nBetreff: AW: Hilfe"),
    "Outlook, Chinese": BLOCK.format("发件人: Team\n发送时间: 2026年11月23日\n收件人: 我\n主题: 答复"),
    "Outlook, with asterisks": BLOCK.format("*From:* Team\n*Sent:* Monday\n*To:* Me\n*Subject:* RE: Help"),
    "Outlook of old": "\n\n-----Original Message-----\nFrom: Team\n\nPlease try again.\n",
    "Outlook of old, German": "\n\n-----Ursprüngliche Nachricht-----\nVon: Team\n\nBitte nochmal.\n",
    "a quotation without a word": "\n\n> Please try again\n",
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=list(ENDINGS))
def test_the_quoted_message_is_cut_off(ending):
    assert new_part("Thanks, it works.\n\nBob" + ending, "Re: Help") == "Thanks, it works.\n\nBob"


WHOLE = {
    "answers between the lines": "> What is your number?\n\n42\n\n> And your name?\n\nBob",
    "an answer below": "On Mon, 23 Nov 2026 at 10:00, Team <team@shop.example> wrote:\n> Try\n\nI did, and it works.",
    "their own words": "On Monday I wrote:\nthat this is fine\nBye",
    "a list with From and To": "From: the shop\nI want two things.\nTo: me",
    "nothing but a quotation": "> Please try again",
    "a forwarded message": "See below.\n\n---------- Forwarded message ---------\nFrom: A\nDate: Monday\n\nText",
    "text without any": "Hello\n\n-- \nBob\nSince 2026: 10:00 to 12:00",
}


@pytest.mark.parametrize("text", WHOLE.values(), ids=list(WHOLE))
def test_what_means_nothing_alone_stays_whole(text):
    assert new_part(text, "Help") == text


def test_a_message_forwarded_by_outlook_is_known_by_its_subject():
    text = "See below." + BLOCK.format("From: A\nSent: Monday\nTo: B\nSubject: Help")
    assert new_part(text, "FW: Help") == text.rstrip("\n")
    assert new_part(text, "RE: Help") == "See below."


@given(st.lists(st.sampled_from(["> a", "b", "", "From: x", "To: y", "Sent: z", "On 2026 x wrote:", ">", "___"])))
def test_the_new_part_is_the_beginning_and_never_empty(lines):
    text = "\n".join(lines)
    found = new_part(text)
    assert text.startswith(found)
    assert bool(found.strip()) == bool(text.strip())


@pytest.mark.parametrize(
    "text", [">\n" * 9000 + "b", "From: x\n" * 9000, "On 2026 x wrote:\na\n>\n" * 3000, ("wrote " * 60 + ":\n") * 2000]
)
def test_no_text_takes_long(text):
    began = time.process_time()
    new_part(text)
    assert time.process_time() - began < SECONDS
