"""A mail provider on loopback that fails on command: for the demo, for tests, for other people's tests.

It imports nothing of Postroom, keeps everything in memory, and relays nothing to the outside.
"""

from postroom.simulator.accounts import Account, Submission
from postroom.simulator.fault import Behaviour, Fault, FieldError, NotThere, Service, StandingFault
from postroom.simulator.replay import fault_from_record
from postroom.simulator.simulator import Simulator, serve

__all__ = [
    "Account",
    "Behaviour",
    "Fault",
    "FieldError",
    "NotThere",
    "Service",
    "Simulator",
    "StandingFault",
    "Submission",
    "fault_from_record",
    "serve",
]
