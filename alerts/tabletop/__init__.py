"""Training at the table: an incident played as a story, without the engine; answers scored against the emergency plan."""
