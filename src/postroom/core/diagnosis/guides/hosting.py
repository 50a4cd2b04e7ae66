"""The guides of hosting companies, smaller providers and mail server programs. The large ones are in `large`."""

from __future__ import annotations

from postroom.core.diagnosis.guides.guide import Guide
from postroom.core.diagnosis.text import mark as _

HOSTING: dict[str, Guide] = {
    "gmx": Guide(
        name="GMX",
        source="hilfe.gmx.net/pop-imap, support.gmx.com/pop-imap",
        app_password=_(
            "Open GMX on the web, My Account, Security options, Two-factor authentication, Application-specific "
            "passwords, make one, and use it as the password."
        ),
        imap_on=_(
            "Open GMX on the web, E-mail, Settings, POP3 & IMAP, and tick Send and receive emails via external program."
        ),
        smtp_on=_(
            "Open GMX on the web, E-mail, Settings, POP3 & IMAP, and tick Send and receive emails via external program."
        ),
        hosts=_(
            "Use imap.gmx.net (imap.gmx.com outside Germany), port 993 with TLS, and mail.gmx.net, port 465 with TLS."
        ),
    ),
    "webde": Guide(
        name="WEB.DE",
        source="hilfe.web.de/pop-imap",
        app_password=_(
            "Open WEB.DE on the web, My Account, Security, Two-factor authentication, make an application-specific "
            "password (anwendungsspezifisches Passwort), and use it as the password."
        ),
        imap_on=_("Open WEB.DE on the web, E-Mail, Einstellungen, POP3/IMAP Abruf, and allow POP3 and IMAP access."),
        smtp_on=_("Open WEB.DE on the web, E-Mail, Einstellungen, POP3/IMAP Abruf, and allow POP3 and IMAP access."),
        hosts=_("Use imap.web.de, port 993 with TLS, and smtp.web.de, port 587 with STARTTLS."),
    ),
    "ionos": Guide(
        name="IONOS",
        source="ionos.com/help/email",
        smtp_on=_(
            "Open the IONOS control panel, Email, the address, and see whether sending is blocked there; else ask "
            "IONOS."
        ),
        unlock=_(
            "Open the IONOS control panel, Email, the address, and set a new password; IONOS lists blocked "
            "mailboxes there."
        ),
        hosts=_(
            "Use imap.ionos.com (imap.ionos.de), port 993 with TLS, and smtp.ionos.com (smtp.ionos.de), port 465 "
            "with TLS."
        ),
    ),
    "t-online": Guide(
        name="T-Online (Telekom)",
        source="telekom.de/hilfe: E-Mail-Passwort",
        app_password=_(
            "Open the Telekom e-mail center, Einstellungen, Passwörter, set the separate e-mail password for mail "
            "programs (Passwort für E-Mail-Programme), and use it as the password."
        ),
        hosts=_("Use secureimap.t-online.de, port 993 with TLS, and securesmtp.t-online.de, port 465 with TLS."),
    ),
    "proton": Guide(
        name="Proton Mail (Bridge)",
        source="proton.me/support/protonmail-bridge-configure-client",
        app_password=_(
            "Open Proton Mail Bridge, the account, Mailbox details, and use the password shown there, not that of "
            "the Proton Account."
        ),
        unlock=_("Open Proton Mail Bridge and see that the account is signed in and connected."),
        smtp_on=_("Open Proton Mail Bridge and see that the account and the sending address are active there."),
        hosts=_(
            "Open Proton Mail Bridge, Mailbox details: server 127.0.0.1, ports 1143 (IMAP) and 1025 (SMTP) unless "
            "changed, STARTTLS."
        ),
    ),
    "workmail": Guide(
        name="Amazon WorkMail",
        source="docs.aws.amazon.com/workmail/latest/userguide/using_IMAP.html",
        imap_on=_(
            "The administrator opens the WorkMail console, the organization, Access control rules, and allows IMAP."
        ),
        smtp_on=_(
            "The administrator opens the WorkMail console, the organization, Access control rules, and allows SMTP."
        ),
        hosts=_(
            "Use imap.mail.REGION.awsapps.com, port 993 with TLS, and smtp.mail.REGION.awsapps.com, port 465 with "
            "TLS, with the address as user name."
        ),
    ),
    "ses": Guide(
        name="Amazon SES",
        source="docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html, /troubleshoot-smtp.html",
        app_password=_(
            "Make SMTP credentials in the SES console, SMTP settings, Create SMTP credentials; an AWS access key "
            "does not work."
        ),
        smtp_on=_(
            "Open the SES console, Identities, and verify the address or domain that sends; in the sandbox also "
            "each recipient."
        ),
        sending_limit=_(
            "Open the SES console, Account dashboard, which shows the daily quota and the rate, and asks for more."
        ),
        hosts=_(
            "Use email-smtp.REGION.amazonaws.com, port 465 with TLS or 587 with STARTTLS, in the region of the "
            "credentials."
        ),
    ),
    "rackspace": Guide(
        name="Rackspace Email",
        source="docs.rackspace.com/docs/rackspace-email-settings, /rackspace-email-sending-limits",
        sending_limit=_("Rackspace Email allows 10,000 recipients a day; it clears after 24 hours."),
        unlock=_(
            "The administrator opens the Rackspace control panel (cp.rackspace.com), the mailbox, and enables it "
            "or sets a new password."
        ),
        hosts=_("Use secure.emailsrvr.com, port 993 with TLS for IMAP and 465 with TLS for SMTP."),
    ),
    "ovh": Guide(
        name="OVHcloud",
        source="help.ovhcloud.com: email general settings",
        sending_limit=_("OVHcloud allows 200 messages an hour and mailbox (300 an hour and IP address); wait an hour."),
        wait=3600,
        unlock=_(
            "Open the OVHcloud control panel, Web Cloud, Emails, the domain, the address; set a new password, "
            "which also lifts a block for spam."
        ),
        hosts=_(
            "Use ssl0.ovh.net (or the name in your control panel), port 993 with TLS for IMAP and 465 with TLS for "
            "SMTP."
        ),
    ),
    "godaddy": Guide(
        name="GoDaddy",
        source="godaddy.com/help: Workspace Email and Titan server settings, SMTP relays",
        sending_limit=_(
            "GoDaddy Workspace Email allows 250 SMTP relays a day and mailbox; buy more in Email & Office, or wait "
            "24 hours."
        ),
        wait=3600,
        hosts=_("Use imap.secureserver.net, port 993 with TLS, and smtpout.secureserver.net, port 465 with TLS."),
    ),
    "hostinger": Guide(
        name="Hostinger",
        source="support.hostinger.com: email limits, email account settings",
        sending_limit=_(
            "Hostinger counts messages a day by plan (hPanel, Emails, Manage, shows it) and a rate by the minute; "
            "wait, or change the plan."
        ),
        hosts=_("Use imap.hostinger.com, port 993 with TLS, and smtp.hostinger.com, port 465 with TLS."),
    ),
    "mailgun": Guide(
        name="Mailgun",
        source="documentation.mailgun.com: sending over SMTP",
        app_password=_("Make SMTP credentials in Mailgun, Sending, Domain settings, SMTP credentials."),
        sending_limit=_(
            "Look in Mailgun under Plan & billing for the plan's messages, and raise the plan if they are used up."
        ),
    ),
    "sendgrid": Guide(
        name="SendGrid",
        source="docs.sendgrid.com/for-developers/sending-email/upgrade-your-authentication-method-to-api-keys",
        app_password=_(
            "Make an API key in SendGrid, Settings, API Keys; the user name is the word apikey, the password the key."
        ),
        sending_limit=_(
            "Look in SendGrid, Settings, Account details, for the plan's credits, and raise the plan if they are "
            "used up."
        ),
    ),
    "cpanel": Guide(
        name=_("the hosting provider (cPanel)"),
        source="docs.cpanel.net: Email Accounts; WHM Tweak Settings, Max hourly emails per domain",
        sending_limit=_(
            "The server counts messages an hour and domain (WHM, Tweak Settings, Max hourly emails per domain): "
            "wait an hour or ask your host."
        ),
        wait=3600,
        unlock=_(
            "Open cPanel, Email Accounts, Manage, and see whether log in or sending is suspended; else ask your host."
        ),
        smtp_on=_("Open cPanel, Email Accounts, Manage, and see that outgoing mail is allowed; else ask your host."),
        connections=_(
            "Close other mail programs that use this mailbox, or raise the connections a user in WHM, Mailserver "
            "Configuration."
        ),
    ),
    "dovecot": Guide(
        name=_("the mail server (Dovecot)"),
        source="doc.dovecot.org: mail_max_userip_connections, quota, auth",
        connections=_(
            "Close other mail programs that use this mailbox, or raise mail_max_userip_connections (10 by default) "
            "in the server's protocol imap section and reload it."
        ),
    ),
    "courier": Guide(
        name=_("the mail server (Courier)"),
        source="courier-mta.org: imapd configuration, MAXPERIP",
        connections=_(
            "Close other mail programs that use this mailbox, or raise MAXPERIP (4 by default) in the server's "
            "imapd file."
        ),
    ),
    "postfix": Guide(
        name=_("the mail server (Postfix)"),
        source="postfix.org/SASL_README.html, postconf.5: smtpd_sender_login_maps, smtpd_client_connection_rate_limit",
        smtp_on=_("The server's administrator looks at smtpd_sender_login_maps and smtpd_relay_restrictions."),
    ),
    "zimbra": Guide(
        name=_("the mail server (Zimbra)"),
        source="Zimbra administration guide: class of service, features",
        imap_on=_(
            "The administrator opens the Zimbra admin console, Manage, Accounts, the account, Features, and "
            "enables IMAP."
        ),
        unlock=_(
            "The administrator opens the Zimbra admin console, Manage, Accounts, the account, and sets its status "
            "to Active."
        ),
    ),
    "hmailserver": Guide(
        name=_("the mail server (hMailServer)"),
        source="hmailserver.com/documentation: auto-ban, IP ranges",
        unlock=_(
            "The administrator opens hMailServer Administrator, Settings, Advanced, IP Ranges, and deletes the "
            "Auto-ban entry of our address."
        ),
    ),
}
