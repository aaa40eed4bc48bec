"""Tests of the grader's protocol of 2021."""
