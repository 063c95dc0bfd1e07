"""Incidents and containment as a process and as commands."""
