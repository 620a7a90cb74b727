"""Generation: responses to the evaluation prompts, sampled at every checkpoint of a run."""
