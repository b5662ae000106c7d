"""Tests of accounts of other servers."""
