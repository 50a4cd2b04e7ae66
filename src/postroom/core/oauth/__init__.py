"""Signing in with OAuth: requests to write, answers to read, what is known of providers. It asks nobody itself."""
