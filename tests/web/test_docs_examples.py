"""The Python in the pages is run as it stands there, and docs/simulator.md is held against the simulator."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from fastapi.routing import APIRoute
from standardwebhooks import Webhook

from postroom.simulator import Behaviour, Simulator
from postroom.simulator.control import control_app
from postroom.simulator.fault import STAGES

DOCS = Path(__file__).parents[2] / "docs"
SIMULATOR = (DOCS / "simulator.md").read_text()


def python_of(page):
    """The names that the one Python example of a page defines."""
    (example,) = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    names = {}
    exec(compile(example, page, "exec"), names)
    return names


def signed(secret, body, at):
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(int(at.timestamp()))}
    return {**headers, "webhook-signature": Webhook(secret).sign("evt_1", at, body.decode())}


def test_the_webhook_example_takes_what_is_signed_once_and_refuses_all_else(capsys):
    example = python_of("api.md")
    body = json.dumps({"type": "delivery.sent", "data": {"id": "dlv_1"}}).encode()
    headers = signed(example["SECRET"], body, datetime.now(UTC))
    assert [example["received"](headers, body) for _ in range(2)] == [204, 204]
    assert capsys.readouterr().out == "delivery.sent dlv_1\n"
    assert example["received"](headers, body + b" ") == 401
    assert example["received"]({}, body) == 401
    assert example["received"](signed(example["SECRET"], body, datetime(2026, 1, 1, tzinfo=UTC)), body) == 401


async def test_the_simulator_example_holds():
    (story,) = [value for name, value in python_of("simulator.md").items() if name.startswith("test_")]
    await story()


def test_every_stage_and_every_behaviour_is_listed():
    for protocol, stages in STAGES.items():
        listed = re.search(rf"Stages of `{protocol}`: (.*?)\.\n", SIMULATOR, re.DOTALL)[1]
        assert set(re.findall(r"`(\w+)`", listed)) == stages
    table = SIMULATOR.partition("| behaviour |")[2].partition("\n\n")[0]
    names = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(names))) == {str(one) for one in Behaviour}


def test_every_request_of_the_control_api_is_listed():
    routes = {
        (method, re.sub(r":path\}", "}", route.path))
        for route in control_app(Simulator()).routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert set(re.findall(r"`(GET|POST|PATCH|DELETE) (/[^`]*)`", SIMULATOR)) == routes
