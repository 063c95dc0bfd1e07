"""Synchronous scoring over HTTP: an event in, its decision out, within a deadline."""
