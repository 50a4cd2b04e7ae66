"""What flows ask of the rooms that do I/O, as protocols. It holds no code of theirs."""
