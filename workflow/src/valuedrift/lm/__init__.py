"""Logic on language models that decides results and that several stages share: sampling, prompts, fingerprints, refusals."""
