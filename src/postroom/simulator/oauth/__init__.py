"""The provider's authorization server: OAuth 2.0 and OpenID Connect, as far as mail programs meet them."""
