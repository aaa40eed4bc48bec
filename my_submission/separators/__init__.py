"""Separators: the mixture in, estimates of stems out, as streams of blocks."""
