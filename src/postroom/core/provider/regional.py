"""The table: providers of one country or language. Facts change; each stands here once, with its source."""

from __future__ import annotations

from postroom.core.mailbox import Security
from postroom.core.provider.entry import Provider, Server, Site

_STARTTLS = Security.STARTTLS
_OBSERVED = "no page of the provider: seen by writers of IMAP clients, in their issue threads"


def _own(imap: str, smtp: str, *domains: str) -> Site:
    return Site(Server(imap, 993), Server(smtp, 465), domains)


REGIONAL = (
    Provider(
        key="gmx",
        name="GMX",
        sites=(
            _own("imap.gmx.com", "mail.gmx.com", "gmx.com", "gmx.us", "gmx.co.uk", "gmx.fr", "gmx.es"),
            _own("imap.gmx.net", "mail.gmx.net"),
        ),
        domains=("gmx.net", "gmx.de", "gmx.at", "gmx.ch", "gmx.eu", "gmx.com", "gmx.us", "gmx.co.uk", "gmx.fr",
                 "gmx.es"),
        mx=("gmx.net", "gmx.com"),
        hosts=("gmx.net", "gmx.com", "gmx.de"),
        sources={"sites": "https://support.gmx.com/pop-imap/imap/server.html"},
    ),
    Provider(
        key="webde",
        name="WEB.DE",
        sites=(Site(Server("imap.web.de", 993), Server("smtp.web.de", 587, _STARTTLS)),),
        domains=("web.de", "email.de"),
        mx=("web.de",),
        hosts=("web.de",),
        sources={"sites": "https://hilfe.web.de/pop-imap/imap/imap-serverdaten.html"},
    ),
    Provider(
        key="ionos",
        name="IONOS",
        sites=(_own("imap.ionos.de", "smtp.ionos.de"), _own("imap.ionos.com", "smtp.ionos.com")),
        domains=("online.de",),
        mx=("kundenserver.de", "perfora.net", "1and1.com", "1and1.co.uk", "ionos.com", "ionos.de", "ionos.co.uk",
            "ionos.fr", "ionos.es", "ionos.it"),
        hosts=("ionos.com", "ionos.de", "ionos.co.uk", "ionos.fr", "ionos.es", "ionos.it", "1und1.de", "1and1.com",
               "1and1.co.uk", "kundenserver.de"),
        sources={
            "sites": "https://www.ionos.com/help/email/general-topics/settings-for-your-email-programs-imap-pop3/"
        },
    ),
    Provider(
        key="t-online",
        name="T-Online",
        sites=(_own("secureimap.t-online.de", "securesmtp.t-online.de"),),
        domains=("t-online.de", "magenta.de"),
        mx=("t-online.de",),
        hosts=("t-online.de",),
        needs_app_password=True,  # its "E-Mail-Passwort", which is not that of the account
        sources={
            "sites": "https://www.telekom.de/hilfe/apps-dienste/e-mail/e-mail-server",
            "needs_app_password": "https://www.telekom.de/hilfe/apps-dienste/e-mail/e-mail-server",
        },
    ),
    Provider(
        key="ovh",
        name="OVHcloud",
        sites=(_own("ssl0.ovh.net", "ssl0.ovh.net"),),
        mx=("mail.ovh.net", "ovh.net", "mail.ovh.ca"),
        hosts=("ovh.net", "ovh.ca"),
        sources={"sites": "https://help.ovhcloud.com/csm/en-mx-plan-email-configuration"},
    ),
    Provider(
        key="orange",
        name="Orange",
        sites=(_own("imap.orange.fr", "smtp.orange.fr"),),
        domains=("orange.fr", "wanadoo.fr"),
        mx=("smtp-in.orange.fr",),
        hosts=("orange.fr", "wanadoo.fr"),
        sources={"sites": "https://assistance.orange.fr/ordinateurs-peripheriques/"},
    ),
    Provider(
        key="laposte",
        name="La Poste",
        sites=(_own("imap.laposte.net", "smtp.laposte.net"),),
        domains=("laposte.net",),
        mx=("laposte.net",),
        hosts=("laposte.net",),
        sources={"sites": "https://aide.laposte.net/"},
    ),
    Provider(
        key="yandex",
        name="Yandex Mail",
        sites=(
            _own("imap.yandex.ru", "smtp.yandex.ru", "yandex.ru", "ya.ru", "yandex.by", "yandex.kz", "narod.ru"),
            _own("imap.yandex.com", "smtp.yandex.com"),
        ),
        domains=("yandex.ru", "yandex.com", "yandex.by", "yandex.kz", "yandex.ua", "yandex.com.tr", "ya.ru",
                 "narod.ru"),
        mx=("mx.yandex.net", "mx.yandex.ru"),
        hosts=("yandex.ru", "yandex.com", "yandex.net"),
        needs_app_password=True,
        sources={
            "sites": "https://yandex.com/support/mail/mail-clients/others.html",
            "needs_app_password": "https://yandex.com/support/passport/authorization/app-passwords.html",
        },
    ),
    Provider(
        key="mailru",
        name="Mail.ru",
        sites=(_own("imap.mail.ru", "smtp.mail.ru"),),
        domains=("mail.ru", "inbox.ru", "list.ru", "bk.ru", "internet.ru", "xmail.ru"),
        mx=("mail.ru",),
        hosts=("mail.ru",),
        needs_app_password=True,
        sources={
            "sites": "https://help.mail.ru/mail/mailer/popsmtp",
            "needs_app_password": "https://help.mail.ru/mail/security/protection/external",
        },
    ),
    Provider(
        key="rambler",
        name="Rambler",
        sites=(_own("imap.rambler.ru", "smtp.rambler.ru"),),
        domains=("rambler.ru", "lenta.ru", "autorambler.ru", "myrambler.ru", "ro.ru", "rambler.ua"),
        mx=("rambler.ru",),
        hosts=("rambler.ru",),
        idle_seconds=50,
        sources={"sites": "https://help.rambler.ru/mail/", "idle_seconds": _OBSERVED},
    ),
    Provider(
        key="qq",
        name="QQ Mail",
        sites=(
            _own("imap.qq.com", "smtp.qq.com", "qq.com", "vip.qq.com", "foxmail.com"),
            _own("imap.exmail.qq.com", "smtp.exmail.qq.com"),
        ),
        domains=("qq.com", "vip.qq.com", "foxmail.com"),
        mx=("qq.com",),
        hosts=("qq.com",),
        needs_app_password=True,  # its authorisation code
        sources={"sites": "https://service.mail.qq.com/", "needs_app_password": "https://service.mail.qq.com/"},
    ),
    Provider(
        key="163",
        name="NetEase Mail (163, 126)",
        sites=(
            _own("imap.{domain}", "smtp.{domain}", "163.com", "126.com", "yeah.net"),
            _own("imap.vip.163.com", "smtp.vip.163.com", "vip.163.com"),
            _own("imap.qiye.163.com", "smtp.qiye.163.com"),
        ),
        domains=("163.com", "126.com", "yeah.net", "vip.163.com"),
        mx=("mxmail.netease.com",),
        hosts=("163.com", "126.com", "yeah.net"),
        idle_seconds=50,
        needs_app_password=True,  # its authorisation code
        sources={
            "sites": "https://help.mail.163.com/",
            "idle_seconds": _OBSERVED,
            "needs_app_password": "https://help.mail.163.com/",
        },
    ),
    Provider(
        key="aliyun",
        name="Alibaba Mail",
        sites=(
            _own("imap.aliyun.com", "smtp.aliyun.com", "aliyun.com"),
            _own("imap.qiye.aliyun.com", "smtp.qiye.aliyun.com"),
        ),
        domains=("aliyun.com",),
        mx=("mxhichina.com", "qiye.aliyun.com"),
        hosts=("aliyun.com", "mxhichina.com"),
        sources={"sites": "https://help.aliyun.com/document_detail/36576.html"},
    ),
)  # fmt: skip
