"""Shows what happens: every event, every run as lanes over its trace, and the pages that people look at."""
