"""`tidegate bench`: what the flow takes, how long a decision takes, and where the time goes."""
