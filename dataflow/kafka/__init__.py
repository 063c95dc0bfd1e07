"""Kafka as a source of events and a place for decisions: an optional extra."""
