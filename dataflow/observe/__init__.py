"""How the running system is: structured logs, metrics, traces."""
