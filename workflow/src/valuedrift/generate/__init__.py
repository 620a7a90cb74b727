"""Generation: sampled responses to the evaluation prompts at every checkpoint of a run."""
