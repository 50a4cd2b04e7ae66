"""Texts about names, connections, TLS and settings. Which evidence means which cause is the rules' work."""

from __future__ import annotations

from postroom.core.diagnosis.causes.cause import Cause
from postroom.core.diagnosis.text import mark as _

WITH_OAUTH = _(
    "Connect the mailbox with OAuth instead of a password: sign in with the provider for it in Postroom. Where "
    "Postroom has no OAuth client of this provider yet, its operator enters one first (postroom oauth guide says how)."
)
AUTOMATIC = "{automatic}"
"""That it is tried again, by whom depends: Postroom does it for a mailbox that is saved, and only for that."""
CHECK_HOST = _("Check server name and {port} in the mailbox's settings. {hosts}")
FIREWALL = _("See that no firewall between this machine and {host} blocks {port}.")
ASK = _("If it goes on, ask {provider} whether the mailbox is active and its servers work.")
OWN_CA = _(
    "If the server uses a certificate authority of your own, upload its CA certificate (PEM) in the mailbox's settings."
)
RENEW = _("Ask whoever runs {host} to install a valid certificate with its whole chain.")
CONNECT_AGAIN = "{again}"
"""That it is to be tried again when it is mended."""

CONNECTING: dict[str, Cause] = {
    "name_unknown": Cause(
        _("The name of the mail server, {host}, could not be found in the DNS."),
        (
            _("Check the spelling of the server name. {hosts}"),
            _("See that this machine can look up names (its DNS server answers)."),
            AUTOMATIC,
        ),
    ),
    "connection_refused": Cause(
        _("{host} refused the connection: nothing listens on {port} there, or a firewall turns us away."),
        (CHECK_HOST, FIREWALL, ASK),
    ),
    "unreachable": Cause(
        _("There is no way through the network to {host} on {port}."),
        (_("See that this machine is connected to the internet."), FIREWALL, CHECK_HOST),
    ),
    "timeout": Cause(_("{host} did not answer on {port} in time."), (AUTOMATIC, CHECK_HOST, FIREWALL, ASK)),
    "connection_lost": Cause(_("The connection to {host} was closed before the work was done."), (AUTOMATIC, ASK)),
    "connection_failed": Cause(
        _("No connection to {host} on {port} could be made; the program that reported it did not say why."),
        (AUTOMATIC, CHECK_HOST, FIREWALL, ASK),
    ),
    "server_later": Cause(_("{host} answered that it is busy or closed for the moment."), (AUTOMATIC, ASK)),
    "session_used_up": Cause(
        _("{host} takes only so many messages over one connection; the rest goes over the next one."), (AUTOMATIC,)
    ),
    "plaintext_refused": Cause(
        _(
            "The connection to {host} would not be encrypted: password and mail could be read on the way, so Postroom "
            "does not make it unless its operator allows this server by name."
        ),
        (
            _("Set the security to TLS or STARTTLS: nearly every server offers one of them. {hosts}"),
            _(
                "If this server has neither, let the operator add {host} to POSTROOM_PLAINTEXT_HOSTS and restart "
                "Postroom."
            ),
        ),
    ),
    "private_host": Cause(
        _(
            "{host} leads to a private network address, and Postroom refuses such addresses unless it is told "
            "otherwise."
        ),
        (
            _(
                "If this is your own mail server, let the operator set POSTROOM_ALLOW_PRIVATE_HOSTS=true and "
                "restart Postroom."
            ),
            _("Else correct the server name. {hosts}"),
        ),
    ),
    "wrong_port": Cause(
        _("Another service than the mail server that was expected answers on {port} of {host}."),
        (_("Correct the port and the protocol in the mailbox's settings. {hosts}"), CONNECT_AGAIN),
    ),
    "tls_port_plain_client": Cause(
        _(
            "{host} gave no greeting on {port}: most often this port speaks TLS from the first byte, and the "
            "client did not."
        ),
        (_("Set the security to TLS for ports 465 and 993, to STARTTLS for 587 and 143. {hosts}"), CONNECT_AGAIN),
    ),
    "tls_expected": Cause(
        _(
            "{host} was silent on {port} in clear text and answers TLS there: security and port do not fit each "
            "other. This port wants TLS from the first byte."
        ),
        (_("Set the security to TLS for this port. {hosts}"), CONNECT_AGAIN),
    ),
    "starttls_not_offered": Cause(
        _("{host} does not offer STARTTLS on {port}, so the connection cannot be protected there."),
        (
            _("Set the security to TLS and the port to 465 (sending) or 993 (receiving). {hosts}"),
            _("If it is your own server, switch on TLS in it."),
        ),
    ),
    "tls_required": Cause(
        _("{host} takes a sign-in over a protected connection only, and this one was not."),
        (
            _("Set the security to TLS (ports 465, 993) or STARTTLS (587, 143) in the mailbox's settings. {hosts}"),
            CONNECT_AGAIN,
        ),
    ),
    "auth_not_offered": Cause(
        _(
            "{host} offers no sign-in on {port}: this is most often the port for mail between servers, or a "
            "connection without TLS."
        ),
        (_("Use port 587 with STARTTLS or 465 with TLS for sending. {hosts}"), CONNECT_AGAIN),
    ),
    "auth_mechanism": Cause(
        _("{host} does not know the way of signing in that was used."),
        (
            WITH_OAUTH,
            _("Check that server, port and security are those for mail programs. {hosts}"),
        ),
    ),
    "other_server": Cause(
        _("{host} says that this mailbox lives on another server."),
        (
            _("Enter the server that the answer names in the mailbox's settings."),
            _("If it names none, ask {provider} for the right one. {hosts}"),
        ),
    ),
    "helo_refused": Cause(
        _("{host} refused the name with which this machine introduced itself (EHLO)."),
        (
            _("Let the operator give this machine a full host name that exists in the DNS."),
            _("Use the provider's submission port, which asks no such thing. {hosts}"),
        ),
    ),
    "submission_port": Cause(
        _("{host} takes mail from mail programs on another port only."),
        (_("Set port 587 with STARTTLS, or 465 with TLS. {hosts}"),),
    ),
    "server_repair": Cause(
        _("The mail server says that the mailbox's files are damaged or of an old form."),
        (
            _("Ask {provider} to repair the mailbox; on your own server, run its repair program for this user."),
            CONNECT_AGAIN,
        ),
    ),
    "certificate_expired": Cause(
        _("The certificate of {host} expired{expired_on}."),
        (RENEW, _("See that this machine's clock is right."), CONNECT_AGAIN),
    ),
    "certificate_not_yet_valid": Cause(
        _("The certificate of {host} is not valid{valid_from}."),
        (_("See that this machine's clock is right."), RENEW),
    ),
    "certificate_wrong_host": Cause(
        _("The certificate is for {names}, not for {host}."),
        (_("Enter one of the names in the certificate as server name, if it is the same server. {hosts}"), RENEW),
    ),
    "certificate_self_signed": Cause(
        _("The certificate of {host} is self-signed{issuer}: no authority vouches for it."),
        (
            _("If it is your own server, upload its certificate (PEM) as CA certificate in the mailbox's settings."),
            RENEW,
            _(
                "If it is a large provider's server, something in between (virus scanner, proxy) replaces the "
                "certificate: exempt this connection there."
            ),
        ),
    ),
    "certificate_unknown_ca": Cause(
        _(
            "The certificate of {host} comes from an authority{issuer} that this machine does not know, or an "
            "intermediate certificate is missing."
        ),
        (OWN_CA, RENEW, CONNECT_AGAIN),
    ),
    "tls_plain_port": Cause(
        _(
            "TLS was spoken to {port} of {host}, and the server answered in clear text: security and port do not fit "
            "each other. No certificate came into play."
        ),
        (_("Set the security to STARTTLS for ports 587 and 143, to TLS for 465 and 993. {hosts}"), CONNECT_AGAIN),
    ),
    "tls_version": Cause(
        _(
            "{host} and this machine found no TLS version and cipher that both accept{detail}; TLS 1.2 or newer is "
            "needed."
        ),
        (_("Ask whoever runs {host} to switch on TLS 1.2 or newer."), CONNECT_AGAIN),
    ),
    "tls_revocation": Cause(
        _("It could not be asked whether the certificate of {host} is revoked, because that service did not answer."),
        (AUTOMATIC, ASK),
    ),
    "tls_certificate": Cause(
        _("The certificate of {host} could not be verified{detail}."), (OWN_CA, RENEW, CONNECT_AGAIN)
    ),
    "tls_failed": Cause(
        _("The TLS handshake with {host} on {port} failed{detail}."),
        (
            _("Check that the security fits the port: TLS for 465 and 993, STARTTLS for 587 and 143. {hosts}"),
            OWN_CA,
            RENEW,
        ),
    ),
}
