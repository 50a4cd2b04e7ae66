"""Every secret of a mailbox's life with OAuth is looked for in everything that a run wrote, answered or printed."""

import base64
import html
import re
from urllib.parse import quote, urlencode, urlsplit

import httpx2

from postroom.simulator import Behaviour, Fault, Service, Simulator
from tests.walks.letters import arrived
from tests.walks.postroom import Postroom

ADDRESS, PASSWORD = "team@shop.test", "the-person's-password"
BY_PASSWORD, WRONG = "plain@shop.test", "not-the-password-of-anybody"
CLIENT_SECRET, OLD_SECRET = "the-secret-of-the-client", "a-secret-that-the-provider-does-not-know"
SCOPES = ["openid", "email", "mail"]


class Heard:
    """Everything that Postroom said to anybody, by where it was said."""

    def __init__(self):
        self.said = []

    async def answer(self, response):
        await response.aread()
        self.said.append((f"the answer of {response.request.method} {response.request.url.path}", response.content))

    def holds(self, secrets):
        return [(where, what) for where, raw in self.said for what, secret in secrets.items() if secret.encode() in raw]


def spellings(simulator):
    """Each secret that was used, as it is and as protocols write it."""
    named = {"password": PASSWORD, "wrong password": WRONG, "client secret": CLIENT_SECRET, "old secret": OLD_SECRET}
    named |= {f"token {number}": one for number, one in enumerate(sorted(simulator.oauth.issued))}
    spelt = dict(named)
    for name, one in named.items():
        spelt[f"{name}, as in an address"] = quote(one, safe="")
        for address in (ADDRESS, BY_PASSWORD):
            for form in (f"\0{address}\0{one}", f"user={address}\x01auth=Bearer {one}\x01\x01", one):
                spelt[f"{name}, in base64 for {address} ({len(form)})"] = base64.b64encode(form.encode()).decode()
            bearer = f"n,a={address},\x01host=localhost\x01port="
            spelt[f"{name}, as OAUTHBEARER"] = base64.b64encode(f"{bearer}{one}".encode()).decode()
    return spelt


async def sign_in(postroom, simulator, browser, url):
    """The person's way through the provider and back; the page that it ends on."""
    query = urlsplit(url).query
    form = {"request": query, "address": ADDRESS, "password": PASSWORD, "do": "allow"}
    consented = await browser.post(f"{simulator.issuer}/authorize", data=form)
    back = urlsplit(consented.headers["location"])
    assert back.path == "/oauth/callback", back
    return await browser.get(f"{postroom.url}{back.path}?{back.query}")


async def test_no_secret_stands_in_anything_that_was_written_answered_or_printed(tmp_path):
    heard = Heard()
    async with (
        Simulator() as simulator,
        Postroom(tmp_path, confirm_seconds=0.2) as postroom,
        httpx2.AsyncClient(timeout=60, trust_env=False) as browser,
    ):
        simulator.change_oauth(client_secret=CLIENT_SECRET)
        postroom.api.event_hooks["response"].append(heard.answer)
        simulator.create_account(ADDRESS, PASSWORD)
        simulator.create_account(BY_PASSWORD, PASSWORD)
        mailbox = await life(postroom, simulator, browser, heard)
        for command in (["mailbox", "list"], ["mailbox", "show", ADDRESS], ["oauth", "list", "--json"]):
            heard.said.append((" ".join(command), (await postroom.command(*command)).encode()))
        checked = await postroom.command("mailbox", "check", ADDRESS, "--json")
        heard.said.append(("postroom mailbox check", checked.encode()))
        refused = await postroom.command(
            *("check", BY_PASSWORD, "--json", f"--imap=127.0.0.1:{simulator.imap_port}", "--imap-security=none"),
            *(f"--smtp=127.0.0.1:{simulator.smtp_port}", "--smtp-security=none"),
            code=1,
            POSTROOM_MAILBOX_PASSWORD=WRONG,
            POSTROOM_LOG_LEVEL="debug",
        )
        heard.said.append(("postroom check", refused.encode()))
        for path in (f"/mailboxes/{mailbox}", "/mailboxes", "/oauth/clients", "/deliveries", "/connect-links"):
            await postroom.get(path)
        secrets = spellings(simulator)
        assert simulator.crashes == []
    heard.said.append(("standard output", await postroom.process.stdout.read()))
    heard.said += [(str(one), one.read_bytes()) for one in tmp_path.rglob("*") if one.is_file()]
    places = " ".join(where for where, _ in heard.said)
    assert "postroom.log" in places
    assert "postroom.db" in places
    log = (tmp_path / "postroom.log").read_bytes()
    assert all(words in log for words in (b"sign-in failed", b"the OAuth client is refused", b'"health"'))
    assert heard.holds(secrets) == []


async def life(postroom, simulator, browser, heard):
    """Whatever may tempt somebody to say too much; the mailbox's id."""
    entered = {"provider": "issuer", "issuer": simulator.issuer, "client_id": "postroom", "scopes": SCOPES}
    client = await postroom.post("/oauth/clients", {**entered, "secret": OLD_SECRET}, status=201)
    ends = {
        "imap": {"host": "127.0.0.1", "port": simulator.imap_port, "security": "none"},
        "smtp": {"host": "127.0.0.1", "port": simulator.smtp_port, "security": "none"},
    }
    wanted = {"address": ADDRESS, "client": client["id"], **ends}

    async def tries(status, body=wanted):
        begun = await postroom.post("/oauth/authorizations", body, status=201)
        page = await sign_in(postroom, simulator, browser, begun["url"])
        heard.said.append(("the landing page", page.content))
        assert page.status_code == status, html.unescape(re.sub(r"<[^>]+>", " ", page.text))

    await tries(400)  # the client's secret is wrong
    answer = await postroom.api.patch(f"/v1/oauth/clients/{client['id']}", json={"secret": CLIENT_SECRET})
    assert answer.status_code == 200
    for said in ("HTTP 200\n<html>Maintenance</html>", "HTTP 502\nBad gateway"):
        await simulator.add_fault(Fault(protocol=Service.OAUTH, stage="token", answer=said, times=1))
        await tries(400)
    await tries(200)
    (mailbox,) = await postroom.everything("/mailboxes")
    # The mail servers fail while the token is shown to them, and while a message is handed over.
    for protocol, said in (("imap", "{tag} NO [UNAVAILABLE] later"), ("smtp", "454 4.7.0 Temporary failure")):
        fault = Fault(protocol=Service(protocol), stage="auth", answer=said, times=1)
        await simulator.add_fault(fault)
    await simulator.add_fault(Fault(protocol=Service.SMTP, stage="dot", behaviour=Behaviour.CLOSE, times=1))
    simulator.kick()
    sent = await postroom.send(mailbox["id"])
    simulator.deliver(ADDRESS, subject="A question")
    await arrived(postroom, mailbox, 1)
    await postroom.until(
        lambda: postroom.get(f"/deliveries/{sent['id']}"), lambda one: one["attempt_count"] or one["diagnosis"], 60
    )
    # The token dies, its renewal is refused, a person comes back.
    simulator.revoke(ADDRESS)
    await postroom.send(mailbox["id"])
    await postroom.mailbox_in(mailbox["id"], receiving="needs_reauth", seconds=60)
    await tries(200, {"mailbox_id": mailbox["id"]})
    await postroom.mailbox_in(mailbox["id"], receiving="connected", seconds=60)
    for password, status in ((WRONG, 422), (PASSWORD, 201)):
        auth = {"kind": "password", "password": password}
        await postroom.connect({"address": BY_PASSWORD, "auth": auth, **ends}, status=status)
    # Nobody has these: whoever asks for something that is not there shows what it was.
    for path in ("/oauth/callback?" + urlencode({"state": WRONG, "code": CLIENT_SECRET}), f"/connect/{WRONG}"):
        page = await browser.get(postroom.url + path)
        heard.said.append((path.partition("?")[0], page.content))
        assert page.status_code >= 400
    return mailbox["id"]
