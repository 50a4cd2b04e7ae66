"""The JSON of the interface: what requests bring and answers show. It holds no behaviour."""
