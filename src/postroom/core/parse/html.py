"""Makes HTML of strangers safe to show, and text of it. It loads nothing: remote pictures stay addresses."""

from __future__ import annotations

import re
from html import escape, unescape

import nh3
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import DOMContext, HTMLTree, traverse_dom

from postroom.core.parse.charset import clean

DEEPEST = 500
"""Open elements inside each other; the sanitiser's time grows with their square. Real mail has under 100."""
MOST_UNMEASURED = 2000
"""Tags of HTML that is not measured: however deep, it takes milliseconds."""
MOST_ATTRIBUTES = 20_000
"""In that few tags: more of them are an attack."""

_ATTRIBUTES = {
    "*": {"align", "valign", "dir", "lang", "title", "width", "height", "bgcolor", "style"},
    "a": {"href"},
    "img": {"src", "alt"},
    "font": {"color", "face", "size"},
    "table": {"border", "cellpadding", "cellspacing", "summary"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "col": {"span"},
    "ol": {"start", "type"},
    "blockquote": {"cite"},
}
_STYLES = {
    "background-color", "border", "border-bottom", "border-collapse", "border-color", "border-left", "border-radius",
    "border-right", "border-spacing", "border-style", "border-top", "border-width", "color", "direction", "font",
    "font-family", "font-size", "font-style", "font-weight", "height", "letter-spacing", "line-height", "list-style",
    "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-width",
    "min-width", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top", "text-align",
    "text-decoration", "text-indent", "text-transform", "vertical-align", "white-space", "width", "word-break",
}  # fmt: skip
_TAGS = nh3.ALLOWED_TAGS | {"font", "center", "u", "big", "tt", "section", "main"}


def safe_html(html: str) -> str:
    """HTML without scripts, forms, frames, style sheets or event handlers, to be put into a page of ours.

    Links open apart and tell nobody where they were clicked; addresses are http, https, mailto, tel, cid, and data for
    pictures only. Remote pictures are kept: whether they are loaded is for the page's Content-Security-Policy.
    What is too deep to sanitise in time is shown as text.
    """
    if _too_deep(html):
        return f'<pre style="white-space: pre-wrap">{escape(text_of_html(html))}</pre>'
    return nh3.clean(
        html,
        tags=_TAGS,
        clean_content_tags={"script", "style", "title", "template", "noscript", "svg", "math"},
        attributes=_ATTRIBUTES,
        attribute_filter=_filtered,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        filter_style_properties=_STYLES,
    )


def _filtered(tag: str, attribute: str, value: str) -> str | None:
    if attribute in ("href", "src", "cite"):
        lower = value.strip().lower()
        picture = (tag, attribute) == ("img", "src")
        if lower.startswith("data:") and not (picture and re.match(r"data:image/(png|gif|jpe?g|webp);base64,", lower)):
            return None
        if lower.startswith("cid:") and not picture:
            return None
    return None if attribute == "style" and "url(" in value.lower() else value


def _too_deep(html: str) -> bool:
    """Measured in the parsed tree: tags inside attributes and comments deceive whoever counts them."""
    if html.count("<") <= MOST_UNMEASURED:
        return html.count("=") > MOST_ATTRIBUTES
    deepest = 0

    def measure(context: DOMContext) -> None:
        nonlocal deepest
        deepest = max(deepest, context.depth)

    document = HTMLTree.parse(html).document
    if document is not None:
        traverse_dom(document, measure)
    return deepest > DEEPEST


def text_of_html(html: str) -> str:
    """What a reader of the HTML sees, as text with its lines and lists."""
    try:
        text = extract_plain_text(html, preserve_formatting=True, alt_texts=False)
    except (ValueError, RuntimeError):  # the parser gives up on nothing known; a message must not fail for it
        text = unescape(re.sub(r"<[^>]*>", " ", html))
    return clean(text).strip()
