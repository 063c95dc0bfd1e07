"""How well fraud is told from the rest: protocols, measures, baselines, ablation and their report."""
