"""What operators ask, and the first page."""

from prometheus_client.parser import text_string_to_metric_families

from tests.web.conftest import problem_of


def figures_of(answer):
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value for one in families for sample in one.samples
    }


async def test_alive_asks_nobody_and_ready_asks_database_and_engine(stranger, house):
    assert (await stranger.get("/healthz")).json() == {"status": "ok", "version": "0.1.0-test"}
    assert (await stranger.get("/readyz")).json() == {"status": "ready"}
    house.trouble = "The engine has stopped: see the log."
    problem = problem_of(await stranger.get("/readyz"), 503, "unavailable")
    assert problem["detail"] == "The engine has stopped: see the log."
    house.trouble, house.store.broken = None, "The database is locked."
    assert problem_of(await stranger.get("/readyz"), 503, "unavailable")["detail"] == "The database is locked."
    assert (await stranger.get("/healthz")).status_code == 200


async def test_figures_count_requests_by_route_and_deliveries_and_mailboxes_by_state(client, stranger, mailbox):
    await client.get(f"/v1/mailboxes/{mailbox['id']}")
    await client.get("/v1/mailboxes/mbx_zzzzzzzzzzzzz")
    await client.post("/v1/messages", json={"mailbox_id": mailbox["id"], "to": ["a@example.net"]})
    await stranger.get("/nothing/at/all")
    figures = figures_of(await stranger.get("/metrics"))

    def requests(method, route, status):
        return figures["postroom_http_requests_total", (("method", method), ("route", route), ("status", status))]

    assert requests("GET", "/v1/mailboxes/{mailbox_id}", "200") == 1
    assert requests("GET", "/v1/mailboxes/{mailbox_id}", "404") == 1
    assert requests("GET", "none", "404") == 1
    assert figures["postroom_deliveries", (("state", "queued"),)] == 1
    assert figures["postroom_deliveries", (("state", "failed"),)] == 0
    assert figures["postroom_mailboxes", (("direction", "sending"), ("state", "connected"))] == 1
    assert figures["postroom_store_up", ()] == 1
    assert not any(mailbox["id"] in str(labels) for labels in figures)


async def test_figures_are_there_when_the_database_is_not_and_it_is_not_asked_each_time(stranger, house):
    for _ in range(3):
        await stranger.get("/metrics")
    assert house.store.asked["counts"] == 1
    house.world.advance(seconds=11)
    house.store.broken = "gone"
    assert figures_of(await stranger.get("/metrics"))["postroom_store_up", ()] == 0


async def test_the_first_page_says_how_to_begin_and_loads_nothing_from_elsewhere(stranger, house):
    page = await stranger.get("/")
    assert page.status_code == 200
    assert "Postroom is running." in page.text
    assert "postroom key create" in page.text
    assert "0.1.0-test" in page.text
    assert "<script" not in page.text
    assert 'src="http' not in page.text
    assert (await stranger.get("/static/postroom.css")).headers["content-type"].startswith("text/css")
    house.trouble = "<the engine> has stopped"
    page = await stranger.get("/")
    assert "Postroom is not ready: &lt;the engine&gt; has stopped" in page.text
    assert "Postroom is running." not in page.text
