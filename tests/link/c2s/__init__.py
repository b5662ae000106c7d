"""Tests of logins at other servers."""
