"""What is true: states, decisions, words. It does no I/O and knows no clock, no randomness, no asyncio."""
