"""Texts about messages, recipients, senders, folders and limits. Which evidence means which is the rules' work."""

from __future__ import annotations

from postroom.core.diagnosis.causes.cause import Cause
from postroom.core.diagnosis.causes.connecting import AUTOMATIC, CONNECT_AGAIN
from postroom.core.diagnosis.text import mark as _

CHECK = CONNECT_AGAIN
LATER = _("Nothing has to be done: the message is tried again by itself, and the others go on.")
SEND_AGAIN = _("Then send the message again.")
ANSWER = _("The server's own answer stands below; it often names the reason or a page about it.")

MESSAGES: dict[str, Cause] = {
    "sending_limit": Cause(
        _("This mailbox has sent as much as {provider} allows for now."),
        ("{sending_limit}", _("Sending goes on by itself when the limit has cleared.")),
    ),
    "credits_used_up": Cause(
        _("The messages that were paid for at {provider} are used up."), ("{sending_limit}", CHECK)
    ),
    "mailbox_full": Cause(
        _("The mailbox has used up its storage."),
        (
            _(
                "Delete mail that is no longer needed and empty the Trash and Spam folders, or buy more storage "
                "from {provider}."
            ),
            CHECK,
        ),
    ),
    "send_as": Cause(
        _("The user who signed in may not send with this sender address."),
        (_("See that the mailbox's address and its user name belong together."), "{shared}", CHECK),
    ),
    "relay": Cause(
        _(
            "The server did not take the message for {recipient}: it passes on mail for signed-in users of its own "
            "addresses only."
        ),
        (
            _("See that user name and password are set for outgoing mail. {hosts}"),
            _("See that the sender address belongs to the account that signs in."),
            CHECK,
        ),
    ),
    "ip_blocked": Cause(
        _("The server does not take mail from this machine's network address."),
        (
            _(
                "Look whether the address is on a blocklist; the server's answer below often names the list and "
                "how to leave it."
            ),
            _(
                "Send through the provider's submission port with a sign-in, and let the operator give the address "
                "a reverse DNS name. {hosts}"
            ),
            CHECK,
        ),
    ),
    "policy": Cause(
        _("A policy of {provider} or of the organisation does not allow this mailbox to send this."),
        (_("Ask the administrator whether this mailbox may send to {recipient} and which rule refused it."), CHECK),
    ),
    "recipient_unknown": Cause(
        _("The address {recipient} does not exist or takes no mail."),
        (_("Check the spelling of the address with the person you write to."), SEND_AGAIN),
    ),
    "recipient_restricts": Cause(
        _("{recipient} takes mail only from certain senders, and this mailbox is not one of them."),
        (_("Ask the recipient, in another way, to allow your address."), SEND_AGAIN),
    ),
    "recipient_full": Cause(
        _("The recipient's mailbox is full; yours is healthy."),
        (LATER, _("If it stays full, tell the recipient in another way.")),
    ),
    "recipient_busy": Cause(_("The recipient gets more mail just now than their provider allows."), (LATER,)),
    "recipient_later": Cause(
        _("The recipient's server could not check the address just now."),
        (LATER, _("If it goes on, check the spelling of the address.")),
    ),
    "greylisted": Cause(
        _("The recipient's server puts off first messages from senders it does not know (greylisting)."), (LATER,)
    ),
    "too_many_recipients": Cause(
        _("The message has more recipients than the server takes at a time."),
        (_("Split the recipients over several messages."),),
    ),
    "message_too_big": Cause(
        _("The message is larger than the server takes."),
        (_("Send large files as a link instead of an attachment."), SEND_AGAIN),
    ),
    "message_suspicious": Cause(
        _("The server took this message for unwanted or dangerous; the mailbox itself works."),
        (
            ANSWER,
            _(
                "Leave out links, attached programs or whatever else may have looked suspicious, and send the "
                "message again."
            ),
        ),
    ),
    "message_malformed": Cause(
        _("The server says that this message or an address in it is not well formed."),
        (_("Check the addresses of the message for typing errors."), ANSWER, SEND_AGAIN),
    ),
    "message_throttled": Cause(
        _("The server slows down messages of this kind for now; the mailbox itself works."), (LATER,)
    ),
    "message_later": Cause(_("The server could not take this message or recipient just now."), (LATER,)),
    "message_refused": Cause(
        _("The server refused this message or recipient for good; the mailbox itself works."),
        (ANSWER, _("Correct what it names and send the message again.")),
    ),
    "sender_domain": Cause(
        _(
            "The server does not accept the domain of the sender address: it was not found in the DNS, or the "
            "address is not well formed."
        ),
        (
            _("Check the mailbox's address for typing errors."),
            _("The domain's owner sees that it has MX and A records in the DNS."),
            SEND_AGAIN,
        ),
    ),
    "domain_authentication": Cause(
        _("The sender's domain did not prove that this message is really from it (SPF, DKIM or DMARC)."),
        (
            _("The domain's owner adds the SPF, DKIM and DMARC records that {provider} names for it in the DNS."),
            SEND_AGAIN,
        ),
    ),
    "command_order": Cause(
        _("The server did not expect this command; most often it had refused an earlier one."),
        (ANSWER, _("If it goes on, report it to the makers of Postroom with the server's answer.")),
    ),
    "folder_missing": Cause(
        _("The folder {folder} could not be opened: it does not exist, is restricted, or holds no messages."),
        (
            _(
                "See on the provider's web page that the folder exists, and correct its name in the mailbox's "
                "settings; some servers want INBOX. in front of it."
            ),
            _(
                "For a shared mailbox see that the signing-in user may open the folder; the Inbox must exist "
                "without restrictions."
            ),
            CHECK,
        ),
    ),
    "folder_name": Cause(
        _("The server does not allow this folder name."),
        (_("Choose an existing folder with a plain name in the mailbox's settings."), CHECK),
    ),
    "folder_busy": Cause(
        _("Another program is using the folder just now, and the server does not let two in."),
        (AUTOMATIC, _("Close other mail programs that use this mailbox.")),
    ),
    "mailbox_access": Cause(
        _("The sign-in was right, but this user has no right to open the mailbox or folder."), ("{shared}", CHECK)
    ),
    "append_refused": Cause(
        _("The server did not take this message into the folder; the mailbox itself works."),
        (_("Nothing has to be done for sending: only the copy in the folder is missing."), ANSWER),
    ),
    "protocol": Cause(
        _("The server refused a command as wrong, or answered in a way that the protocol does not know."),
        (
            _("Look whether the server is up to date, and ask {provider} with its answer below."),
            _("If it goes on, report it to the makers of Postroom with the server's answer."),
        ),
    ),
    "server_bug": Cause(
        _("The mail server met an error of its own."),
        (AUTOMATIC, _("If it goes on, ask {provider} to look at the server's log.")),
    ),
    "completed": Cause(
        _("The server reported a hindrance, but then completed the command: nothing is broken."), (AUTOMATIC,)
    ),
    "unknown": Cause(
        _("The server's answer, which stands below, fits no failure that Postroom knows."),
        (
            _("Read the server's answer: it may say what to do."),
            _("Ask {provider}, and give the answer word for word."),
        ),
    ),
    "nothing_said": Cause(
        _("The operation failed, and neither the server nor the program that reported it said why."),
        (
            _("Check the mailbox: that tries every step and shows the server's own words."),
            _("If it goes on, ask {provider}."),
        ),
    ),
}
