"""Tests of separation within a time limit."""
