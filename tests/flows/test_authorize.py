"""A person's sign-in, on real servers: new and again, with browser and device code, and everything that goes wrong."""

from urllib.parse import parse_qs, urlsplit

import pytest

from postroom.core.compose import Draft
from postroom.core.health import State
from postroom.core.mailbox import AuthKind, Direction
from postroom.core.message import Address
from postroom.core.oauth.authorization import Flow, Progress
from postroom.flows.sign_in import NoClient, SignInFailed, Wanted, Why
from postroom.flows.wishes import Wishes
from tests.flows.house import until
from tests.flows.signed_in import signed_in


def answer_of(location):
    """What stands in the address that the browser is sent back to, as `finish` takes it."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    return {
        "state": query.get("state", ""),
        "code": query.get("code", ""),
        "error": query.get("error", ""),
        "description": query.get("error_description", ""),
    }


def wanted(signed, user, **more):
    imap, smtp = signed.endpoints(user)
    wishes = Wishes(name="Support", imap=imap, smtp=smtp, **more)
    return Wanted(address=user.address, client=signed.client.id, wishes=wishes)


async def walk(signed, begun):
    """The browser's part: consents, comes back."""
    return await signed.house.authorize.finish(**answer_of(signed.provider.visit(begun.url)))


async def test_a_person_signs_in_and_the_mailbox_is_connected(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address) as signed:
        begun = await signed.house.authorize.begin(wanted(signed, user, reference="crm-7", folders=("INBOX",)))
        query = parse_qs(urlsplit(begun.url).query)
        assert query["login_hint"] == [user.address]
        assert query["code_challenge_method"] == ["S256"]
        view = await walk(signed, begun)
        assert (view.mailbox.auth_kind, view.mailbox.reference) == (AuthKind.OAUTH, "crm-7")
        await signed.receives(user, view.mailbox, "Hello")
        done = await signed.store.authorization(begun.authorization.id)
        assert (done.progress, done.tokens, done.verifier) == (Progress.CONNECTED, None, "")
        held = await signed.store.held_credential(view.mailbox.id)
        assert held.credential.identity == user.address


async def test_a_dead_mailbox_is_signed_in_to_again_at_its_place(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address) as signed:
        mailbox = await signed.connect(user)
        await signed.receives(user, mailbox, "Before")
        signed.provider.revoke()
        signed.world.move(hours=2)
        await dovecot.kick(user.name)
        draft = Draft(mailbox.id, (Address("anna@customer.test"),), subject="Waiting", text="…")
        delivery = (await signed.house.accept.accept(draft)).delivery
        for one in Direction:
            await until(
                lambda one=one: signed.store.health(mailbox.id, one), lambda seen: seen.state is State.NEEDS_REAUTH, 30
            )
        before = (await signed.store.cursor(mailbox.id, "INBOX")).last_uid
        begun = await signed.house.authorize.begin(Wanted(mailbox_id=mailbox.id))
        assert begun.authorization.client == signed.client.id
        view = await walk(signed, begun)
        assert view.mailbox.id == mailbox.id
        await until(lambda: signed.store.delivery(delivery.id), lambda seen: seen.state == "sent")
        await signed.receives(user, mailbox, "After")
        assert (await signed.store.cursor(mailbox.id, "INBOX")).last_uid == before + 1


async def test_another_account_is_refused_in_clear_words(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person="boss@rig.test", engine=False) as signed:
        begun = await signed.house.authorize.begin(wanted(signed, user))
        with pytest.raises(
            SignInFailed, match=f"You signed in as boss@rig.test, this mailbox is {user.address}"
        ) as why:
            await walk(signed, begun)
        assert why.value.why is Why.ANOTHER
        assert (await signed.store.mailboxes()).items == ()
        ended = await signed.store.authorization(begun.authorization.id)
        assert (ended.progress, ended.tokens) == (Progress.REFUSED, None)


async def test_whoever_has_access_may_sign_in_for_a_shared_mailbox(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address, engine=False) as signed:
        imap, smtp = signed.endpoints(user)
        shared = Wanted(
            address="shared@rig.test",
            username=user.address,
            client=signed.client.id,
            wishes=Wishes(imap=imap, smtp=smtp),
        )
        begun = await signed.house.authorize.begin(shared)
        assert parse_qs(urlsplit(begun.url).query)["login_hint"] == [user.address]
        view = await walk(signed, begun)
        assert (view.mailbox.address, view.mailbox.imap.username) == ("shared@rig.test", user.address)


async def test_a_state_serves_once(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address, engine=False) as signed:
        begun = await signed.house.authorize.begin(wanted(signed, user))
        answer = answer_of(signed.provider.visit(begun.url))
        await signed.house.authorize.finish(**answer)
        with pytest.raises(SignInFailed, match=r"used already, and .* is connected") as why:
            await signed.house.authorize.finish(**answer)
        assert why.value.why is Why.USED


async def test_a_forged_state_is_unknown_and_the_stored_one_is_no_state(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address, engine=False) as signed:
        begun = await signed.house.authorize.begin(wanted(signed, user))
        for state in ("forged", "", begun.authorization.state):
            with pytest.raises(SignInFailed) as why:
                await signed.house.authorize.finish(state, code="code")
            assert why.value.why is Why.UNKNOWN
        assert signed.provider.asked["authorization_code"] == 0


async def test_an_answer_of_another_provider_is_not_taken(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address, engine=False) as signed:
        begun = await signed.house.authorize.begin(wanted(signed, user))
        answer = answer_of(signed.provider.visit(begun.url))
        with pytest.raises(SignInFailed, match=r"of https://id\.evil\.test, not of http") as why:
            await signed.house.authorize.finish(**answer, issuer="https://id.evil.test")
        assert why.value.why is Why.REFUSED
        assert signed.provider.asked["authorization_code"] == 0
        begun = await signed.house.authorize.begin(wanted(signed, user))
        answer = answer_of(signed.provider.visit(begun.url))
        view = await signed.house.authorize.finish(**answer, issuer=f"{signed.provider.url}/")
        assert view.mailbox.address == user.address


async def test_a_late_answer_is_not_taken(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address, engine=False) as signed:
        begun = await signed.house.authorize.begin(wanted(signed, user))
        answer = answer_of(signed.provider.visit(begun.url))
        signed.world.move(minutes=21)
        with pytest.raises(SignInFailed, match="longer than 20 minutes") as why:
            await signed.house.authorize.finish(**answer)
        assert why.value.why is Why.LATE
        assert signed.provider.asked["authorization_code"] == 0


@pytest.mark.parametrize(
    ("said", "why", "words"),
    [
        ({"error": "access_denied"}, Why.DECLINED, "You declined the access"),
        (
            {"error": "access_denied", "error_description": "AADSTS65004: User declined to consent to access the app."},
            Why.DECLINED,
            "You declined the access",
        ),
        (
            {"error": "consent_required", "error_description": "AADSTS65001: has not consented"},
            Why.REFUSED,
            "has not been given the consent",
        ),
        (
            {"error": "access_denied", "error_description": "AADSTS90094: The grant requires admin permission."},
            Why.REFUSED,
            "has not been given the consent",
        ),
        ({"error": "org_internal"}, Why.REFUSED, "does not allow this application"),
        ({"error": "admin_policy_enforced"}, Why.REFUSED, "does not allow this application"),
    ],
)
async def test_an_error_that_comes_back_is_told(tmp_path, dovecot, postfix, user, said, why, words):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        begun = await signed.house.authorize.begin(wanted(signed, user))
        signed.provider.declines = said
        with pytest.raises(SignInFailed, match=words) as failed:
            await walk(signed, begun)
        assert failed.value.why is why
        assert failed.value.diagnosis.steps


@pytest.mark.parametrize(
    ("status", "body", "code", "mend"),
    [
        (
            "401 Unauthorized",
            {"error": "invalid_client", "error_description": "AADSTS7000215"},
            "server_misconfigured",
            "The operator makes a new client secret",
        ),
        (
            "401 Unauthorized",
            {"error": "invalid_client", "error_description": "The provided client secret is invalid."},
            "server_misconfigured",
            "The operator makes a new client secret",
        ),
        (
            "400 Bad Request",
            {"error": "redirect_uri_mismatch"},
            "server_misconfigured",
            "The operator compares client ID, tenant, redirect address",
        ),
        (
            "400 Bad Request",
            {
                "error": "invalid_grant",
                "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim.",
            },
            "server_misconfigured",
            "The operator sets the clock",
        ),
        (
            "403 Forbidden",
            {"error": "access_denied", "error_description": "admin_policy_enforced"},
            "access_denied",
            "An administrator allows the application: for Google Workspace in admin.google.com",
        ),
        ("200 OK", "<html>Maintenance</html>", "server_connection", "whether a proxy or firewall stands between"),
        ("502 Bad Gateway", "<html>Bad Gateway</html>", "server_connection", "Postroom tries again by itself"),
        ("200 OK", "", "server_connection", "whether a proxy or firewall stands between"),
    ],
)
async def test_what_the_token_endpoint_refuses_has_a_diagnosis_with_steps_for_who_can_mend_it(
    tmp_path, dovecot, postfix, user, status, body, code, mend
):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address, engine=False) as signed:
        begun = await signed.house.authorize.begin(wanted(signed, user))
        signed.provider.refuse(status, body)
        with pytest.raises(SignInFailed) as failed:
            await walk(signed, begun)
        assert (failed.value.why, failed.value.diagnosis.code) == (Why.REFUSED, code)
        assert mend in " ".join(failed.value.diagnosis.steps)


async def test_where_a_direction_fails_the_tokens_wait_for_another_try(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address, engine=False) as signed:
        good = wanted(signed, user)
        wrong = Wishes(imap=good.wishes.imap, smtp=good.wishes.imap)
        begun = await signed.house.authorize.begin(Wanted(user.address, client=signed.client.id, wishes=wrong))
        with pytest.raises(SignInFailed, match="sign-in was right") as failed:
            await walk(signed, begun)
        assert failed.value.why is Why.NOT_CONNECTED
        assert failed.value.report.imap.ok
        assert not failed.value.report.smtp.ok
        credential = await signed.house.authorize.credential(begun.authorization.id, user.address)
        mailbox = await signed.connect(user, credential)
        await signed.house.authorize.served(begun.authorization.id, mailbox.id)
        with pytest.raises(SignInFailed, match="no finished sign-in"):
            await signed.house.authorize.credential(begun.authorization.id, user.address)


async def test_tokens_without_a_refresh_token_are_not_enough(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address, engine=False) as signed:
        signed.provider.gives_refresh_token = False
        begun = await signed.house.authorize.begin(wanted(signed, user))
        with pytest.raises(SignInFailed, match="no refresh token") as failed:
            await walk(signed, begun)
        assert failed.value.why is Why.INCOMPLETE


async def test_a_device_code_is_entered_elsewhere(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address, engine=False) as signed:
        given = wanted(signed, user)
        device = Wanted(given.address, client=given.client, flow=Flow.DEVICE, wishes=given.wishes)
        begun = await signed.house.authorize.begin(device)
        assert (begun.authorization.user_code, begun.url) == ("WDJB-MJHT", f"{signed.provider.url}/enter")
        look = signed.house.authorize.look
        signed.world.move(seconds=2)
        assert (await look(begun.authorization.id)).progress is Progress.PENDING
        assert (await look(begun.authorization.id)).progress is Progress.PENDING
        assert signed.provider.asked["/token"] == 1  # not more often than the provider allows
        signed.provider.consent_to_devices()
        signed.world.move(seconds=2)
        done = await look(begun.authorization.id)
        assert done.progress is Progress.CONNECTED
        assert (await signed.store.mailbox(done.mailbox_id)).mailbox.address == user.address


async def test_a_device_code_that_nobody_enters_ends(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address, engine=False) as signed:
        given = wanted(signed, user)
        device = Wanted(given.address, client=given.client, flow=Flow.DEVICE, wishes=given.wishes)
        begun = await signed.house.authorize.begin(device)
        signed.world.move(minutes=16)
        with pytest.raises(SignInFailed, match="not entered in time"):
            await signed.house.authorize.look(begun.authorization.id)
        assert (await signed.house.authorize.look(begun.authorization.id)).progress is Progress.REFUSED


async def test_without_a_client_the_way_to_enter_one_is_told(tmp_path, dovecot, postfix):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        with pytest.raises(NoClient, match="postroom oauth guide google") as none:
            await signed.house.authorize.begin(Wanted(address="anna@gmail.com"))
        assert none.value.provider == "google"
