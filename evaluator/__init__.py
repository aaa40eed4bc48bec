"""Local harness with the grader's protocol, and the challenge's scores.

The grader puts its own folder in place of this one: the submission may take nothing but
``MusicDemixingPredictor`` from here, and nothing here but the commands may need the submission.
"""
