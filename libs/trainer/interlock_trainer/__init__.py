"""The program a Ray job runs: candidates, search, export, manifest."""
