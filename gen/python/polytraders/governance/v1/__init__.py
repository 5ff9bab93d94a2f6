"""The generated messages and clients of the governance service."""
