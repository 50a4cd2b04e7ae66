"""What happens: one story a file, in the order in which it happens. It holds no protocol and no SQL."""
