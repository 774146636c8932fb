"""Reads CSV, JSON Lines and Parquet as declared, in a stream; what does not fit is reported, never guessed.

Modules are imported by name: what serves needs the table of spellings, without the readers and what they load.
"""
