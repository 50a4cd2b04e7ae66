"""docs/api.md and docs/operating.md say what is there, all of it, and nothing that is not."""

import json
import re
import shlex
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from postroom.core.delivery import State
from postroom.core.events import EventType
from postroom.core.health import State as HealthState
from postroom.flows.announce import SCHEDULE
from postroom.settings import Settings
from postroom.web.problem import TYPES
from postroom.web.schema.draft import MOST_ATTACHED
from tests.web.conftest import new_house

DOCS = Path(__file__).parents[2] / "docs"
API = (DOCS / "api.md").read_text()
OPERATING = (DOCS / "operating.md").read_text()

NAMED = re.compile(r"`(GET|POST|PATCH|PUT|DELETE) (/[^`?\s]*)[^`]*`")


def described():
    """(method, path template) of everything that the application serves to programs."""
    paths = new_house().app.openapi()["paths"]
    return {(method.upper(), path) for path, operations in paths.items() for method in operations}


def named(text):
    return {(method, path) for method, path in NAMED.findall(text)}


def section(text, heading):
    """What stands under a heading, up to the next one of its rank or a higher one."""
    level = heading.partition(" ")[0]
    rest = text.partition(f"\n{heading}\n")[2]
    assert rest, f"there is no section {heading}"
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def first_column(text):
    """The names in backticks that begin the rows of the tables in a text."""
    return re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)


def test_every_operation_is_mentioned_and_nothing_else_is():
    assert named(API) == described()
    assert named(OPERATING) <= described()


def commands():
    """(method, path, body or None) of each curl command on the page, taken apart as a shell does."""
    for block in re.findall(r"```sh\n(api .*?)```", API, re.DOTALL):
        words = shlex.split(block)
        (url,) = [word for word in words if word.startswith("http://127.0.0.1:8025/")]
        body = words[words.index("--json") + 1] if "--json" in words else None
        yield "GET" if body is None else "POST", urlsplit(url).path, body


def test_every_command_calls_an_operation_that_exists_with_fields_that_it_knows():
    document = new_house().app.openapi()
    found = list(commands())
    assert len(found) >= 10
    for method, path, body in found:
        (operations,) = [
            one
            for template, one in document["paths"].items()
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
        ]
        operation = operations[method.lower()]
        if body is None:
            assert not operation.get("requestBody", {}).get("required")
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        known = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
        given = json.loads(body.replace("$(jq -Rs . ca.pem)", '"-----BEGIN CERTIFICATE-----"'))
        assert set(given) - {"textt"} <= set(known), path  # that one is misspelt on purpose


def test_every_json_example_is_json():
    examples = re.findall(r"```json\n(.*?)```", API, re.DOTALL)
    assert len(examples) >= 10
    for example in examples:
        json.loads(example)


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("## Deliveries", {str(one) for one in State}),
        ("## Health", {one.public for one in HealthState}),
        ("## Events", {str(one) for one in EventType}),
    ],
)
def test_every_state_and_every_event_is_listed(heading, names):
    listed = first_column(section(API, heading))
    assert set(listed) == names
    assert len(listed) == len(names)


def test_every_problem_is_listed_with_its_status():
    rows = re.findall(r"^\| `([\w-]+)` \| (\d{3}) \|", section(API, "## Errors"), re.MULTILINE)
    assert [(name, int(status)) for name, status in rows] == [(one.name, one.status) for one in TYPES]


def test_the_schedule_of_webhooks_is_the_real_one():
    said = re.search(r"is repeated\*\* after (.*?) \(each", API, re.DOTALL)[1]
    units = {"second": 1, "minute": 60, "hour": 3600}
    waits = [timedelta(seconds=int(n) * units[unit]) for n, unit in re.findall(r"(\d+) (second|minute|hour)", said)]
    assert waits == list(SCHEDULE)
    assert len(SCHEDULE) == 9, "the page says ten tries"


def test_the_limit_of_attachments_is_the_real_one():
    assert f"{MOST_ATTACHED // 1024**2} MiB together" in API


async def test_every_metric_is_listed(stranger):
    await stranger.get("/healthz")
    families = text_string_to_metric_families((await stranger.get("/metrics")).text)
    ours = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    ours = {name for name in ours if not name.endswith("_created")}  # since when the others are counted
    assert set(first_column(section(OPERATING, "## Is it well"))) == ours


def test_every_setting_that_is_named_exists():
    known = {f"POSTROOM_{name.upper()}" for name in Settings.model_fields} | {"POSTROOM_KEY", "POSTROOM_SIMULATOR"}
    for page in DOCS.glob("*.md"):
        text = page.read_text() if page.name in ("api.md", "operating.md", "simulator.md") else ""
        assert set(re.findall(r"\bPOSTROOM_[A-Z_]*[A-Z]\b", text)) <= known, page.name


def test_links_between_pages_lead_somewhere():
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\((?!https?://)([^)#]*)(?:#[^)]*)?\)", page.read_text()):
            assert not target or (page.parent / target).exists(), f"{page.name}: {target}"
