"""Estimate what a job needs: GPUs, cores, memory and time, by one formula from the model's parameters and the data's size.

`needs.py` has a row for each rule of the workflow; every other module here estimates the jobs of the stage that it is named after.

Of a model with P parameters of b bytes:

- **Width d and layers L** follow from P: 12 L d^2 = P with L = d / 120, about as in Llama 3 (d / L = 110 and 128) and Qwen3 (71
  and 114), so d = (10 P)^(1/3).
- **State**: a model that is trained takes 4 b P bytes (weights, gradients, AdamW's two moments), in float32 wherever several GPUs
  share it; with adapters of rank r, b P and 16 bytes for each of 19 r d L adapter weights, on every GPU. A model that is only
  read takes b P. SFT, SimPO, ORPO and a reward model train one model; DPO and KTO also read a reference; PPO trains policy and
  value, and reads reference and reward model. n GPUs share the state; each of several holds also 2 P bytes of PPO's policy, which
  it samples from whole, or of DPO's reference, which is gathered.
- **Activations** of the t tokens that a GPU holds at once (its rows x the longest sequence), which GPUs do not share: 34 t d
  bytes in each layer (Korthikanti et al. 2022, with attention that keeps no scores), twice that in float32 without a GPU; with
  gradient checkpointing 2 t d in each layer and 34 t d once. The logits of a vocabulary V take another 12 t V: float32, softmax
  and gradient.
- **GPUs**: the smallest power of two for which each GPU gets whole rows and 1.1 (state / n + activations) + 2 GiB fit into
  `cluster.gpu_memory`; at most `cluster.gpus`. Where that is too few the job gets the most, and `Need.lacking_gib` says what is
  missing. Engines and judges in transformers take one GPU, those in vLLM `tensor_parallel`, a chat's server what its command
  says.
- **Memory** of the host: 2 GiB and the weights that it loads for each process, the weights once more for saving, the tables three
  times; without GPUs also what a GPU would have held. PPO loads one model after another (the policy twice where GPUs share it),
  and one process gathers its state, six numbers for each weight: the larger of the two. Samplers and judges load their weights
  once, without GPUs twice.
- **Time**: 6 s for imports (on the miniature), the weights at 0.5 GiB/s (assumed), and tokens x seconds a token / n by the table
  of speeds. Tokens are counted from the data where they lie here, 4 characters each, else from the config. SFT, reward model, DPO,
  SimPO, KTO and ORPO train on every sequence once an epoch; DPO's reference reads them once, KTO's twice, and KTO's own model
  once more an epoch. PPO samples a response to each prompt,
  reads prompt and response with its four models and trains two on them `ppo_epochs` times; sampling a batch lasts as long as its
  longest response, taken as twice the mean, and on GPUs each of its tokens as long as one of 64 responses, however few a GPU has:
  seconds = batches x longest x 64 / rate, not divided by n. Gradient checkpointing adds a third to training.

docs/sizing.md works it through for the paper's models.
"""

from valuedrift.sizing.base import Need as Need
from valuedrift.sizing.needs import Sizing as Sizing
