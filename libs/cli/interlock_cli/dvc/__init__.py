"""DVC's pointers and remotes, read and written without DVC."""
