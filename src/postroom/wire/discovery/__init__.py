"""Finding the settings of an address in the network: autoconfig, SRV, MX, guesses. It tries none of them."""

from postroom.wire.discovery.discover import Discovery

__all__ = ["Discovery"]
