"""PostgreSQL as the tests have it: fresh databases in a cluster that can crash."""

import asyncpg


async def test_a_fresh_database_is_empty_and_durable(postgres, postgresql_url):
    connection = await asyncpg.connect(postgresql_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        assert await connection.fetchval("SHOW fsync") == "on"
    finally:
        await connection.close()


def test_each_kind_of_database_gets_its_own_fresh_address(database_url, request):
    kind = request.node.callspec.params["database_url"]
    assert database_url.startswith(f"{kind}://")


async def test_committed_rows_outlive_a_crash_of_the_cluster(postgres):
    name = await postgres.create_database()
    connection = await asyncpg.connect(postgres.url(name))
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    await postgres.crash()
    connection.terminate()
    await postgres.start()
    connection = await asyncpg.connect(postgres.url(name))
    assert await connection.fetchval("SELECT one FROM kept") == 1
    await connection.close()
    await postgres.drop_database(name)
