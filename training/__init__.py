"""The published training: data, networks, export; nothing here runs inside the grader."""
