"""Measurements that no test needs; each prints a table and, last, one JSON object."""
