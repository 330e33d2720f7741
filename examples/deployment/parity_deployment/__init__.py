"""A federation with TLS and node authentication that loses a node and a server."""
