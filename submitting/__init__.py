"""From a working tree to an evaluation: checks, a rehearsal and a pushed tag.

It runs on the participant's machine. Nothing that runs inside the grader imports it.
"""
