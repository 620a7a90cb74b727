"""Builds a study from the values of its config and checks it."""

from collections.abc import Mapping
from typing import Any

from valuedrift.config.load import load_study_config
from valuedrift.study.checks import check, check_files
from valuedrift.study.jobs import Jobs
from valuedrift.study.study import Study


def load_study(values: Mapping[str, Any], files: bool = True) -> Study:
    """Return the study that a config's values describe; raises UserError with one line for the first mistake.

    `files`: check as well that the files and folders that the config names exist or are made by the workflow.
    """
    study = Study(load_study_config(values))
    check(study)
    if files:
        check_files(study)
    Jobs(study).check()
    return study
