"""What a change of rules, thresholds or models would have done to a recorded stream, before it goes live."""
