"""The protocols that the field's clients speak, all answered by the same engines as our own route."""
