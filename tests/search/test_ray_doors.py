"""What Ray Tune's own record of a trial holds, of which our doors see each."""

from types import SimpleNamespace

from ray.tune.trainable.metadata import _TrainingRunMetadata

from tune.search.ray_doors import SchedulerDoor


def test_ray_keeps_no_windows_of_a_trials_metrics():
    trial = SimpleNamespace(run_metadata=_TrainingRunMetadata(n_steps=[5, 10]))

    SchedulerDoor(None).on_trial_add(None, trial)
    trial.run_metadata.update_metric("loss", 0.5)
    trial.run_metadata.update_metric("loss", 0.25, step=2)

    assert trial.run_metadata.metric_n_steps == {"loss": {}}
    assert trial.run_metadata.metric_analysis["loss"]["last"] == 0.25


def test_another_ray_whose_trials_have_no_such_record_is_let_be():
    SchedulerDoor(None).on_trial_add(None, SimpleNamespace())
