"""Tests of the list of weights, and of fetching them."""
