"""From a reference to a model that may answer: fetched, verified, tried in a process of its own, mapped and warm."""
