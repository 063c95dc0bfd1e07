"""One stream over several processes: a Bytewax cluster whose decisions are those of one process, bit by bit."""
