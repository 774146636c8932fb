"""A model is tried in a process of its own first: what crashes, hangs or eats memory there harms nobody."""
