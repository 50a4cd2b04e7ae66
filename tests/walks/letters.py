"""Mail from customers for the walks, with the Message-IDs that tests compare by, and the wait until it shows."""

import imaplib


def letter(name, text="Where is my parcel?", *, subject="A question", in_reply_to=None, references=()):
    """A plain message with the Message-ID <name@customer.test> and CRLF line ends."""
    head = [
        "From: Anna Customer <anna@customer.test>",
        "To: team@rig.test",
        f"Subject: {subject}",
        f"Message-ID: <{name}@customer.test>",
        "Date: Mon, 06 Jul 2026 09:30:00 +0000",
        *([f"In-Reply-To: <{in_reply_to}@customer.test>"] if in_reply_to else []),
        *(["References: " + " ".join(f"<{one}@customer.test>" for one in references)] if references else []),
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
    ]
    return "\r\n".join([*head, "", text, ""]).encode()


def many(name, count, size=2000):
    """Distinct messages of about `size` bytes, <name-1@customer.test> and so on; fifty make a conversation."""
    line = "The parcel was to come on Monday and has not come yet. Where is it now?\r\n"
    for number in range(1, count + 1):
        root = [f"{name}-root-{(number - 1) // 50}"]
        yield letter(f"{name}-{number}", line * (size // len(line)), subject=f"Question {number}", references=root)


def numbered(name, count):
    """The names of `many`, sorted."""
    return sorted(f"{name}-{number}" for number in range(1, count + 1))


async def arrived(postroom, mailbox, count, seconds=90.0):
    """Waits until the mailbox shows so many messages (or more), and gives them all."""

    async def shown():
        conversations = await postroom.everything("/conversations", mailbox_id=mailbox["id"])
        return sum(one["message_count"] for one in conversations)

    await postroom.until(shown, lambda found: found >= count, seconds)
    return await postroom.messages(mailbox["id"])


def names(messages):
    """The names of messages that the API shows, sorted: a message that is there twice is there twice."""
    return sorted((one["message_id"] or "").removesuffix("@customer.test") for one in messages)


def as_served(port, user, folder="INBOX"):
    """What another IMAP client gets of a folder: every message's bytes, in the order of UIDs."""
    with imaplib.IMAP4("localhost", port, timeout=60) as client:
        client.login(user.name, user.password)
        client.select(folder, readonly=True)
        _, found = client.uid("search", "ALL")
        return [client.uid("fetch", uid, "(BODY.PEEK[])")[1][0][1] for uid in found[0].split()]
