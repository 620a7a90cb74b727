import pytest

from valuedrift.io.tables import TRAINING_LOG
from valuedrift.report.training_table import training_table


@pytest.fixture
def logs(tmp_path):
    """The logs of an SFT that overfits, of a run that measures nothing, and of a reward model that ranks 90 of 100 pairs right."""
    metrics = {
        "m/sft": {
            "loss": {1: 2.5, 40: 1.25},
            "validation_loss": {0: 2.6, 20: 1.4, 40: 1.5},
            "validation_rows": {0: 7, 20: 7, 40: 7},
        },
        "m/sft/dpo": {"loss": {1: 0.69, 30: 0.31}},
        "reward": {"loss": {1: 0.7}, "validation_accuracy": {0: 0.5, 9: 0.9}, "validation_rows": {0: 100, 9: 100}},
    }
    for number, (run, found) in enumerate(metrics.items()):
        rows = [{"run": run, "step": step, "metric": metric, "value": float(value)}
                for metric, series in found.items() for step, value in series.items()]  # fmt: skip
        TRAINING_LOG.write(TRAINING_LOG.frame(rows), tmp_path / f"{number}.parquet")
    return sorted(tmp_path.glob("*.parquet"))


def test_each_training_has_a_row(logs):
    table = training_table(["m/base", "m/sft", "m/sft/dpo"], logs[::-1])
    rows = [[cell.text for cell in row] for row in table.blocks[0].rows]
    assert rows == [
        ["m/sft", "2.500", "1.250", "7", "2.600", "1.400", "20", "1.500", "–", "–"],
        ["m/sft/dpo", "0.690", "0.310", "none", "–", "–", "–", "–", "–", "–"],
        # Wilson's interval of 90 of 100, as in Newcombe (1998)'s formula: (2 n p + z² ± z √(z² + 4 n p q)) / 2 (n + z²)
        ["reward", "0.700", "0.700", "100", "–", "–", "–", "–", "90.0%", "82.6% to 94.5%"],
    ]


def test_a_study_without_trainings_has_no_table(logs):
    assert training_table(["m/base"], []).empty
