"""Separation within a time limit: planned, watched, and never late."""
