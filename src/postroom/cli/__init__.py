"""The command line: one file a group of commands. It prints and asks; what it does is done by flows."""
