"""A headless Chromium, driven over its own pipe (Chrome DevTools Protocol): opens pages, types, clicks, looks."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import tempfile
import time
from types import TracebackType
from typing import Any, Self

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check"),
    *("--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions"),
    "--no-proxy-server",
)


def program() -> str | None:
    """The browser that is installed; None where there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Chromium:
    """`async with Chromium(width=390) as browser`; `javascript=False` for people who have none."""

    def __init__(self, *, width: int = 1280, height: int = 900, dark: bool = False, javascript: bool = True) -> None:
        self.width, self.height, self.dark, self.javascript = width, height, dark, javascript
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._session: str | None = None

    async def __aenter__(self) -> Self:
        browser = program()
        assert browser, "chromium is not installed: make servers"
        self._profile = tempfile.TemporaryDirectory(prefix="postroom-chromium-", ignore_cleanup_errors=True)
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        # Chromium reads at 3 and writes at 4.
        words = f"exec {browser} {' '.join(_FLAGS)} --user-data-dir={self._profile.name} about:blank"
        self._process = await asyncio.create_subprocess_exec(
            *("/bin/bash", "-c", f"{words} 3<&{to_read} 4>&{to_write}"),
            pass_fds=(to_read, to_write),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_read)
        os.close(to_write)
        reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
        loop = asyncio.get_running_loop()
        self._pipe, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(self._read, "rb")
        )
        self._listening = asyncio.create_task(self._listen(reader))
        targets = await self._ask("Target.getTargets")
        (page,) = [one for one in targets["targetInfos"] if one["type"] == "page"]
        attached = await self._ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        metrics: dict[str, Any] = {
            "width": self.width,
            "height": self.height,
            "deviceScaleFactor": 1,
            "mobile": self.width < 600,
        }
        await self._ask("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = "dark" if self.dark else "light"
        await self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        if not self.javascript:
            await self._ask("Emulation.setScriptExecutionDisabled", value=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._listening.cancel()
        self._pipe.close()
        os.close(self._write)
        self._profile.cleanup()

    async def open(self, url: str) -> str:
        """Gives what went wrong on the way; empty where the page came."""
        return str((await self._ask("Page.navigate", url=url)).get("errorText", ""))

    async def fill(self, name: str, value: str) -> None:
        """Types into the field of that name."""
        await self._run(f"document.querySelector('[name={name}]:not([type=hidden])').focus()")
        await self._run("document.activeElement.select && document.activeElement.select()")
        await self._ask("Input.insertText", text=value)

    async def click(self, words: str) -> None:
        """The button, link or summary with these words; a click as of a mouse."""
        find = (
            "(() => { const one = [...document.querySelectorAll('button, a, summary')].find(each => "
            f"each.textContent.trim().startsWith({json.dumps(words)})); one.scrollIntoView({{block: 'center'}}); "
            "const at = one.getBoundingClientRect(); return [at.x + at.width / 2, at.y + at.height / 2] })()"
        )
        await self._loaded()  # a style sheet that comes later moves what is to be clicked
        x, y = await self._run(find)
        for kind in ("mousePressed", "mouseReleased"):
            await self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def choose(self, name: str, value: str) -> None:
        """An entry of a select."""
        await self._run(f"document.querySelector('[name={name}]').value = {json.dumps(value)}")

    async def value(self, name: str) -> str:
        """What stands in the field of that name."""
        return str(await self._run(f"document.querySelector('[name={name}]:not([type=hidden])').value"))

    async def text(self) -> str:
        """What a person reads."""
        return str(await self._run("document.body ? document.body.innerText : ''"))

    async def html(self) -> str:
        return str(await self._run("document.documentElement.outerHTML"))

    async def url(self) -> str:
        return str(await self._run("location.href"))

    async def shows(self, words: str, seconds: float = 60.0) -> str:
        """Waits for these words; the whole text."""
        return await self.settled(words, seconds=seconds)

    async def settled(self, *words: str, seconds: float = 60.0) -> str:
        """Waits for any of these; the whole text."""
        ends = time.monotonic() + seconds
        while True:
            seen = await self.text()
            if any(one in seen for one in words):
                return seen
            assert time.monotonic() < ends, f"not within {seconds} s: {words} in {seen!r}"
            await asyncio.sleep(0.05)

    async def wide(self) -> int:
        """How many pixels the page is wider than the window, once its style sheet is there."""
        await self._loaded()
        return int(await self._run("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    async def _loaded(self) -> None:
        ends = time.monotonic() + 60
        while await self._run("document.readyState") != "complete":
            assert time.monotonic() < ends, f"the page does not come to its end: {await self.text()!r}"
            await asyncio.sleep(0.02)

    async def screenshot(self) -> bytes:
        """The whole page as PNG."""
        taken = await self._ask("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(taken["data"])

    async def _run(self, expression: str) -> Any:
        for _ in range(100):
            answer = await self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
            if "exceptionDetails" not in answer:
                return answer["result"].get("value")
            await asyncio.sleep(0.05)  # the page changes just now
        raise AssertionError(answer["exceptionDetails"])

    async def _ask(self, method: str, **parameters: object) -> Any:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        asked: dict[str, object] = {"id": number, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._write, json.dumps(asked).encode() + b"\0")
        answer = await asyncio.wait_for(self._waiting[number], 60)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            message = json.loads((await reader.readuntil(b"\0"))[:-1])
            if (waiting := self._waiting.pop(message.get("id"), None)) is not None:
                waiting.set_result(message)
