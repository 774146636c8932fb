"""Models that were trained elsewhere: read as data, translated, compared with their original."""
