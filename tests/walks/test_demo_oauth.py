"""`make demo-oauth` as people run it: the whole round in a headless browser, and what it says where there is none."""

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


async def demo(**environment):
    """Its exit code, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.demo_oauth"),
        cwd=ROOT,
        env=environment or None,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 110)
    return process.returncode, said.decode()


async def test_every_step_of_the_round_holds():
    code, said = await demo()
    assert (code, "Every step held." in said) == (0, True), said
    assert "Traceback" not in said


async def test_without_a_browser_it_says_what_to_install():
    code, said = await demo(PATH="")
    assert (code, "apt-get install chromium" in said) == (1, True), said
