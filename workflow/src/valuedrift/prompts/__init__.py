"""Curation: from raw prompts to value-laden questions, after V-PRISM (section 3 and appendix A.1 of the paper).

raw → questions → embeddings → reduction → clusters → n-grams → names → categories → value-laden → sample, and the counts of each.
Where the paper asks GPT-4o (rephrasing, naming, filtering), this stage has rules that anyone can run and read; it calls a chat
model where the config says llm.
Outside the chain are the steps for its one manual decision, each cluster's category: map2d, suggestion → page.
"""
