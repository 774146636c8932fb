"""The interlock command and the local stack."""
