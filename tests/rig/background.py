"""An event loop in a thread of its own: what runs there goes on whatever the test's own loop is doing.

The sink, the proxy and the session's servers live here, so a blocked or finished test loop never stops them.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Background:
    """A running event loop in a daemon thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="rig", daemon=True)
        self._thread.start()

    def run(self, story: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in this loop and wait for it, blocking the caller. Raises what it raises."""
        return asyncio.run_coroutine_threadsafe(story, self.loop).result()

    async def join(self, story: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in this loop and await it from another loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(story, self.loop))

    def call(self, work: Callable[[], T]) -> T:
        """Call a function in this loop's thread and give its result."""

        async def story() -> T:
            return work()

        return self.run(story())

    def close(self) -> None:
        """Stop the loop and end the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


_shared: Background | None = None


def background() -> Background:
    """The one background loop of this test run, started when first asked for."""
    global _shared
    if _shared is None:
        _shared = Background()
    return _shared
