"""The worker of jobs: takes them from the store, runs each in a process of its own, keeps the result."""
