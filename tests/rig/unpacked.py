"""Servers that cannot be installed beside Dovecot: `make servers` unpacks their packages, and they run from there."""

from pathlib import Path

from tests.rig.process import MissingServerError

APART = Path("/var/cache/postroom-rig")  # outside of any home, for the servers give up root


class Unpacked:
    """One package, with the libraries that it brought."""

    def __init__(self, package: str) -> None:
        self.root = APART / package
        if not self.root.is_dir():
            raise MissingServerError(f"{package} is not in {APART}: run `make servers`, which unpacks it there")

    def path(self, place: str) -> str:
        """Where a file of the package is. Raises MissingServerError."""
        found = self.root / place
        if not found.exists():
            raise MissingServerError(f"{found} is missing: remove {self.root} and run `make servers`")
        return str(found)

    @property
    def libraries(self) -> str:
        """For LD_LIBRARY_PATH."""
        places = [*self.root.glob("usr/lib/*-linux-gnu"), *self.root.glob("lib/*-linux-gnu"), self.root / "usr/lib"]
        return ":".join(map(str, places))
