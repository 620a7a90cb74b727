"""The study of these tests: the small one, smaller still. SFT, DPO, a reward model and PPO are in it once."""

import copy
from typing import Any

from clone import SMALL

SFT = "mini/wildchat"
DPO, PPO = (f"{SFT}/{algorithm}-synthetic-oppose" for algorithm in ("dpo", "ppo"))
RUNS = ["mini/base", SFT, DPO, PPO]
RESULTS = "results/cluster"
REWARD = f"{RESULTS}/rewards/mini/wildchat/synthetic-oppose"
TARGETS = [f"{RESULTS}/drift.parquet", f"{RESULTS}/tables/everything.csv", f"{RESULTS}/judges/mini-judge/orders.parquet"]


def study() -> dict[str, Any]:
    config = copy.deepcopy(SMALL)
    config["study"] = "cluster"
    config["cluster"] = {"gpus": 4}
    tiny = {"hidden": 32, "layers": 1, "heads": 2}
    config["miniature"] |= {
        "corpus": 600, "sft_rows": 320, "preference_rows": 160, "judge_short_steps": 20, "base": {**tiny, "steps": 40},
        "judge": {**tiny, "steps": 10},
    }  # fmt: skip
    config["training"]["dpo"]["epochs"] = 3  # enough steps to be stopped in the middle
    config["prompts"]["per_category"] = 2
    config["figures"] = {}
    config["report"] = {}
    return config
