"""The layout check finds what it is there to find, in a project made for it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tools.layout import findings

TOOL = Path(__file__).parents[2] / "tools" / "layout.py"
HOME = "/ho" + "me/anna/mail"  # parted, so that the check does not find it here


@pytest.fixture
def project(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    def write(path, text):
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    write("src/postroom/good.py", '"""It is good. It is not bad."""\n')
    write.root = tmp_path
    return write


def said(project):
    return [str(finding) for finding in findings(project.root)]


def test_a_project_that_keeps_the_rules_has_no_findings(project):
    project("docs/page.md", "See https://example.test/home/page and docs/home/x, or ~/mail/x.\n")
    project("tests/test_x.py", "\n" * 400)
    assert said(project) == []


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("tests/long.py", "\n" * 401, "tests/long.py:401: 401 lines, 400 are allowed"),
        ("src/postroom/bare.py", "x = 1\n", "src/postroom/bare.py:1: no module docstring"),
        ("src/postroom/utils.py", '"""U."""\n', "src/postroom/utils.py:1: “utils” says nothing"),
        ("tests/helpers/one.py", "", "tests/helpers/one.py:1: “helpers” says nothing"),
        ("docs/page.md", f"fine\nin {HOME}\n", "docs/page.md:2: “/ho" + "me/a…” is a path of one machine"),
        ("bench/x.sh", f"cd '{HOME}'\n", "bench/x.sh:1: “/ho" + "me/a…” is a path"),
    ],
)
def test_a_broken_rule_is_found_at_its_place(project, path, text, words):
    project(path, text)
    (finding,) = said(project)
    assert finding.startswith(words)


def test_a_setting_that_is_not_documented_is_found(project):
    project(
        "src/postroom/settings.py",
        '"""S."""\n'
        "class Settings(BaseSettings):\n"
        '    model_config = SettingsConfigDict(env_prefix="POSTROOM_")\n'
        "    port: int = 8025\n"
        "    host: str = 'localhost'\n"
        'KEY = environ["POSTROOM_SECRET_KEY"]\n',
    )
    assert said(project) == []
    project("docs/settings.md", "| `POSTROOM_HOST` | where | and POSTROOM_PORTS |\n")
    assert [line.split(" is not")[0] for line in said(project)] == [
        "src/postroom/settings.py:4: POSTROOM_PORT",
        "src/postroom/settings.py:6: POSTROOM_SECRET_KEY",
    ]


def test_ignored_files_are_not_looked_at(project):
    project(".gitignore", "/out/\n")
    project("out/page.md", HOME)
    assert said(project) == []


def test_the_command_ends_with_one_when_there_are_findings(project):
    def run():
        return subprocess.run(
            [sys.executable, str(TOOL), str(project.root)], capture_output=True, text=True, check=False
        )

    assert (run().returncode, run().stdout) == (0, "layout: kept\n")
    project("src/postroom/misc.py", '"""M."""\n')
    assert run().returncode == 1
    assert run().stdout.endswith("layout: 1 findings\n")
