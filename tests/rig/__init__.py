"""The rig: real mail servers, a real database and broken networks for tests, all on loopback and all thrown away."""
