"""Study: what compressed forms of a model cost in accuracy when they are trained by probes."""
