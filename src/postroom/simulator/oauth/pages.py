"""The pages that a person meets at the simulated provider: sign in and consent, enter a code. No JavaScript."""

from __future__ import annotations

from html import escape

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:3rem auto;padding:0 1.25rem;color:#1d2733;"
    "background:#f4f6f9}main{background:#fff;border:1px solid #d8dee6;border-radius:.75rem;padding:1.5rem}"
    "h1{font-size:1.35rem;margin:0 0 .5rem}label{display:block;font-weight:600;margin:1rem 0 .25rem}"
    "input{box-sizing:border-box;width:100%;font:inherit;padding:.55rem .7rem;border:1px solid #8090a2;"
    "border-radius:.45rem}button{font:inherit;padding:.55rem 1.1rem;margin:1.25rem .5rem 0 0;border-radius:.45rem;"
    "border:1px solid #2a5bd7;background:#2a5bd7;color:#fff;cursor:pointer}button.plain{background:#fff;color:#2a5bd7}"
    ".wrong{color:#a3261a;font-weight:600}ul{padding-left:1.2rem}small{color:#5d6b7a}"
)


def sign_in(client: str, scope: str, *, request: str, address: str = "", wrong: str = "") -> str:
    """The person signs in and allows the client what it asks for; `request` is handed through."""
    wants = "".join(f"<li><code>{escape(one)}</code></li>" for one in scope.split()) or "<li>nothing</li>"
    return _page(
        "Sign in",
        f"{_said(wrong)}<p><strong>{escape(client)}</strong> wants access to your mailbox:</p><ul>{wants}</ul>"
        f'<form method="post" action="/authorize"><input type="hidden" name="request" value="{escape(request)}">'
        f"{_who(address)}{_BUTTONS}</form>",
    )


def enter_code(*, code: str = "", address: str = "", wrong: str = "") -> str:
    """The person enters the code that a device shows."""
    field = (
        '<label for="user_code">Code</label><input id="user_code" name="user_code" required autocomplete="off" '
        f'value="{escape(code)}">'
    )
    return _page(
        "Enter the code",
        f'{_said(wrong)}<form method="post" action="/enter">{field}{_who(address)}{_BUTTONS}</form>',
    )


def told(title: str, words: str) -> str:
    """A page that only says something."""
    return _page(title, f"<p>{escape(words)}</p>")


_BUTTONS = (
    '<button name="do" value="allow">Allow</button>'
    '<button class="plain" name="do" value="decline" formnovalidate>Decline</button>'
)


def _who(address: str) -> str:
    focus = ("", " autofocus") if address else (" autofocus", "")
    return (
        '<label for="address">Address</label><input id="address" name="address" type="email" required '
        f'autocomplete="username" value="{escape(address)}"{focus[0]}>'
        '<label for="password">Password</label><input id="password" name="password" type="password" required '
        f'autocomplete="current-password"{focus[1]}>'
    )


def _said(wrong: str) -> str:
    return f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""


def _page(title: str, main: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{main}</main><p><small>A simulated provider: everything here is made up, "
        "and nothing leaves this machine.</small></p></body></html>"
    )
