"""Drills as data: what is played, the score card, the history and when each drill is due. dataflow/drill plays them."""
