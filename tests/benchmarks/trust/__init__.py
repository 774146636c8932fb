"""Whether the gate's promise holds: what its bound and its ledger do over the whole life of simulated models."""
