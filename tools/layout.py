"""Checks the house's rules that no other tool checks: sizes, docstrings, names, documented settings, stray paths.

Prints `path:line: what is wrong and how to mend it`, one finding a line, and ends with 1 when there are any. It
changes nothing, and it needs a git checkout (2: there is none). Usage: `python tools/layout.py [ROOT]`.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LINES = 400
OURS = ("src", "tests", "bench", "tools")
NAMELESS = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}
SETTINGS = Path("src/postroom/settings.py")
SETTINGS_PAGE = Path("docs/settings.md")

# A path of somebody's machine; not the path of a web address and not the middle of another path.
_machine_path = re.compile(rb"(?<![\w./:~}-])/(?:work|root|home)/[\w.-]")
_setting = re.compile(r"POSTROOM_[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, order=True)
class Finding:
    """One broken rule at one place; `line` counts from 1."""

    path: Path
    line: int
    words: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.words}"


def findings(root: Path) -> list[Finding]:
    """Every broken rule in the project at `root`, sorted by place. Raises OSError when a file cannot be read."""
    files = tracked(root)
    python = [path for path in files if path.suffix == ".py" and path.parts[0] in OURS]
    found: list[Finding] = []
    for path in python:
        text = (root / path).read_text(encoding="utf-8")
        found += too_long(path, text)
        found += no_docstring(path, text)
        found += nameless(path)
    for path in files:
        found += machine_paths(path, (root / path).read_bytes())
    if (root / SETTINGS).exists() and (root / SETTINGS_PAGE).exists():
        settings = (root / SETTINGS).read_text(encoding="utf-8")
        found += undocumented(settings, (root / SETTINGS_PAGE).read_text(encoding="utf-8"))
    return sorted(found)


def tracked(root: Path) -> list[Path]:
    """The files that git has or would take, without the ignored ones; paths from `root`."""
    listed = subprocess.run(
        # A checkout may belong to another account than ours, as in a container.
        [
            "git",
            "-c",
            "safe.directory=*",
            "-C",
            str(root),
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
        capture_output=True,
        check=True,
    )
    paths = {Path(name.decode()) for name in listed.stdout.split(b"\0") if name}
    return sorted(path for path in paths if (root / path).is_file())


def too_long(path: Path, text: str) -> Iterator[Finding]:
    """A file longer than LINES lines."""
    lines = text.count("\n")
    if lines > LINES:
        yield Finding(path, LINES + 1, f"{lines} lines, {LINES} are allowed: give a part of it a file of its own")


def no_docstring(path: Path, text: str) -> Iterator[Finding]:
    """A module of the product that does not say what it is."""
    if path.parts[0] == "src" and not ast.get_docstring(ast.parse(text)):
        yield Finding(path, 1, "no module docstring: say in a sentence what it does and in one what it does not")


def nameless(path: Path) -> Iterator[Finding]:
    """A file or folder whose name says nothing."""
    for part in (*path.parts[1:-1], path.stem):
        if part.lower() in NAMELESS:
            yield Finding(path, 1, f"“{part}” says nothing of what is in it: name it after a word of the glossary")


def machine_paths(path: Path, raw: bytes) -> Iterator[Finding]:
    """A path that is true on one machine only. Binary files are passed over."""
    if b"\0" in raw:
        return
    for number, line in enumerate(raw.splitlines(), 1):
        found = _machine_path.search(line)
        if found:
            start = found[0].decode()
            yield Finding(path, number, f"“{start}…” is a path of one machine: make it relative, or a setting")


def undocumented(settings: str, page: str) -> Iterator[Finding]:
    """A setting in settings.py that the settings page does not name."""
    documented = set(_setting.findall(page))
    for name, line in sorted(_settings(settings).items()):
        if name not in documented:
            yield Finding(SETTINGS, line, f"{name} is not in {SETTINGS_PAGE}: document it with its default")


def _settings(source: str) -> dict[str, int]:
    """The settings by name with their lines: fields of classes with a POSTROOM_ prefix, and names written out."""
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and "env_prefix='POSTROOM_'" in ast.unparse(node):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    name = field.target.id
                    if name != "model_config" and not name.startswith("_"):
                        found.setdefault(f"POSTROOM_{name.upper()}", field.lineno)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            whole = _setting.fullmatch(node.value)
            if whole:
                found.setdefault(whole[0], node.lineno)
    return found


def main() -> int:
    """Check the project given, or the one that this file is part of."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    try:
        found = findings(root)
    except subprocess.CalledProcessError as error:
        print(f"layout: git does not list the files of {root}: {error.stderr.decode().strip()}")
        return 2
    for finding in found:
        print(finding)
    print(f"layout: {len(found)} findings" if found else "layout: kept")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
