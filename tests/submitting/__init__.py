"""Tests of submitting: real git and git-lfs, and a bare repository as the challenge's GitLab."""
