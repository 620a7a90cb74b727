from valuedrift.cli import dispatch
from valuedrift.train import processes

processes.join()
dispatch(
    __package__,
    {
        "base": "take in a base model",
        "external": "take in checkpoints that somebody else trained",
        "sft": "supervised fine-tuning",
        "reward": "a reward model for PPO",
        "ppo": "proximal policy optimization",
        "dpo": "direct preference optimization",
        "simpo": "simple preference optimization",
    },
)
