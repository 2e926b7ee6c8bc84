"""What people and programs ask of a running search: proposals, stops, pauses and settings, and what the ledger says."""

import getpass
import os
import time
from dataclasses import replace

import pytest

from tests.steered import SteeredSearch
from tune.errors import ExperimentError
from tune.experiment.lock import is_written_by_search, lock_experiment
from tune.experiment.open import open_experiment
from tune.experiment.proposal_note import SearchPause
from tune.paths import display_path
from tune.results.status import read_status
from tune.search.build_controller import suspend_on_exit
from tune.search.progress import Progress
from tune.search.steering.controls import PollClock
from tune.search.study.study_notes import restore_set_values
from tune.space.space_file import read_space, write_space

OTHERS = {"BATCH_SIZE": 64, "DROPOUT": 0.1, "OPTIMIZER": "adam"}


@pytest.fixture
def search(tmp_path):
    found = SteeredSearch(tmp_path / "project")
    found.run_baseline()
    return found


def results(search):
    return {each.number: each for each in search.ledger.trial_results}


def test_a_proposal_runs_next_and_the_ledger_says_who_proposed_it_and_why(search):
    answer = search.propose(LR="3e-3", why="a hunch")
    task = search.begin()

    assert (answer.taken, answer.what, answer.trial) == (True, "trial 001 runs next", 1)
    assert (task.number, task.values) == (1, {"LR": 3e-3, **OTHERS})
    search.end(1, 0.7)
    proposal = results(search)[1].proposal
    assert (proposal.why, proposal.outside) == ("a hunch", ())
    assert proposal.user == getpass.getuser()
    assert results(search)[0].proposal is None


def test_proposals_run_beside_the_trials_that_were_asked_for(tmp_path):
    search = SteeredSearch(tmp_path / "project", SPACE_OF_3)
    search.run_baseline()
    for value in (0.002, 0.003, 0.004):
        assert search.propose(LR=value).taken
    numbers = []
    while (task := search.begin()) is not None:
        numbers.append((task.number, task.values["LR"]))
        search.end(task.number, 0.5)

    assert [lr for _, lr in numbers[:3]] == [0.002, 0.003, 0.004]
    assert len(numbers) == 3 + 2
    assert search.controller.has_finished
    experiment = open_experiment(str(search.paths.folder), search.paths.folder.parent)
    assert (experiment.n_proposed, experiment.n_wanted, experiment.is_sealed) == (3, 6, True)


SPACE_OF_3 = """\
system: program.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
trials: 3
scheduler: none
"""


def test_a_search_that_waits_for_its_last_trial_takes_a_proposal(tmp_path):
    search = SteeredSearch(tmp_path / "project", SPACE_OF_3)
    search.run_baseline()
    search.begin()
    search.begin()
    search.end(1, 0.5)
    assert not search.controller.has_finished
    assert search.propose(LR=0.002).taken
    search.end(2, 0.5)

    assert not search.controller.has_finished
    assert search.begin().values == {"LR": 0.002}


def test_a_configuration_that_ran_runs_or_waits_is_refused_with_its_trial(search):
    assert search.propose(LR=0.002).trial == 1
    waiting = search.propose(LR=0.002)
    search.begin()
    running = search.propose(LR="2e-3")
    search.end(1, 0.5)
    ended = search.propose(LR=0.002)
    baseline = search.propose(LR=0.01)

    assert not any(each.taken for each in (waiting, running, ended, baseline))
    assert {each.what for each in (waiting, running, ended)} == {"trial 001 has this configuration"}
    assert baseline.what == "trial 000 has this configuration"


def test_a_proposal_that_is_taken_survives_a_kill_and_runs_once(search):
    request = search.send("propose", constants={"LR": 0.002}, why="w")
    raw = (search.requests.folder / f"{request}.json").read_bytes()
    search.poll()
    assert search.requests.fetch_answer(request).taken
    search.write_raw(f"{request}.json", raw)  # killed after the ledger, before the request was deleted
    search.restart()
    again = search.ask_again(request)

    assert (again.taken, again.what, again.trial) == (True, "trial 001 was taken before", 1)
    assert search.begin().values["LR"] == 0.002
    assert search.begin().values["LR"] != 0.002


def test_a_proposal_waits_for_the_next_driver(search):
    for lr in (0.002, 0.003):
        search.send("propose", constants={"LR": lr})
    search.restart()
    search.controller.handle_kept_requests()

    assert search.requests.list_requests() == []
    assert [search.begin().values["LR"] for _ in range(2)] == [0.002, 0.003]


def test_a_finished_search_has_a_trial_to_run_once_something_was_proposed(tmp_path):
    search = SteeredSearch(tmp_path / "project", SPACE_OF_3)
    search.run_baseline()
    for number in (1, 2):
        search.begin()
        search.end(number, 0.5)
    assert search.controller.has_finished
    search.send("propose", constants={"LR": 0.002})
    search.restart()
    assert search.controller.has_finished
    search.controller.handle_kept_requests()

    assert not search.controller.has_finished
    assert search.begin().values == {"LR": 0.002}
    search.end(3, 0.5)
    assert search.controller.has_finished


def test_a_trial_is_stopped_after_its_epoch_and_recorded_with_the_reason(search):
    search.propose(LR=0.002)
    search.begin()
    assert not search.report(1, 1, 0.5)
    answer = search.ask("stop", trials=[1], why="too slow")
    assert search.report(1, 2, 0.6)
    search.stop(1)

    assert answer.what == "trial 001 stops after its epoch"
    assert results(search)[1].state == "pruned"
    assert results(search)[1].reason == f"stopped by {__import__('getpass').getuser()}: too slow"
    assert search.ask("stop", trials=[1]).what == "trial 001 has ended"
    assert search.ask("stop", trials=[9]).what == "there are trials 0 to 1, got 9"
    assert not search.ask("stop", trials=[0]).taken


def test_a_proposal_that_waits_is_withdrawn_and_nobody_learns_from_it(search):
    search.propose(LR=0.002)
    assert search.ask("stop", trials=[1]).taken
    search.restart()
    task = search.begin()

    assert (results(search)[1].state, results(search)[1].curve) == ("pruned", {})
    assert task.number == 2
    assert search.propose(LR=0.002).taken  # it has never run


def test_a_stop_holds_for_the_driver_that_goes_on(search):
    search.propose(LR=0.002)
    search.begin()
    search.report(1, 1, 0.5)
    search.ask("stop", trials=[1], why="w")
    search.restart()

    assert results(search)[1].state == "pruned"
    assert search.begin().number == 2


def test_the_whole_search_ends_politely(search):
    search.begin()
    answer = search.ask("stop")

    assert answer.what == "the search ends: the running epochs end first, then all is saved"
    assert search.controller.end.is_requested
    assert search.begin() is None
    assert search.report(1, 1, 0.5)


def test_a_stop_that_was_sent_to_an_earlier_driver_ends_nothing(search):
    request = search.send("stop")
    search.restart()
    answer = search.ask_again(request)

    assert (answer.taken, answer.what) == (False, "stop: the search that it was meant for had ended")
    assert not search.controller.end.is_requested


def test_no_trial_begins_after_finish_and_the_running_ones_train_to_their_end(search):
    search.begin()
    search.propose(LR=0.002)
    assert search.ask("stop", finish=True).taken
    assert search.propose(LR=0.003).what == "trial 003 is kept: the search ends after the running trials"

    assert search.begin() is None
    assert not search.report(1, 1, 0.5)
    assert not search.controller.has_finished
    search.end(1, 0.5, 0.6)
    assert search.controller.has_finished
    search.restart()
    assert search.begin().values["LR"] == 0.002


def test_a_search_that_was_to_finish_is_finished_however_many_run_at_a_time(tmp_path):
    search = SteeredSearch(tmp_path / "project", concurrency=1)
    search.run_baseline()
    search.begin()
    assert search.ask("stop", finish=True).taken
    search.end(1, 0.5)

    assert search.controller.has_finished  # nobody asked for another trial
    assert read_status(search.paths)["state"] == "finished"


def test_a_paused_search_starts_nothing_until_it_is_resumed(search):
    search.begin()
    assert search.ask("pause").taken
    again = search.ask("pause")
    assert (again.taken, again.what) == (False, f"the search is {search.controller.controls.pause.description} already")
    assert search.begin() is None
    assert not search.report(1, 1, 0.5)
    search.end(1, 0.5)
    assert not search.controller.has_finished
    assert search.propose(LR=0.002).taken
    assert search.begin() is None
    assert search.ask("resume").taken
    assert not search.ask("resume").taken
    assert search.begin().values["LR"] == 0.002


def test_a_pause_is_in_the_ledger_until_the_search_goes_on_or_another_driver_begins(search):
    def stored():
        return open_experiment(str(search.paths.folder), search.paths.folder.parent).pause

    assert stored() is None
    search.ask("pause")
    assert stored().user == getpass.getuser()
    assert abs(stored().time - time.time()) < 60
    search.ask("resume")
    assert stored() is None
    search.ask("pause")
    search.restart()
    assert stored() is None
    search.ask("pause")
    with suspend_on_exit(search.ledger):
        pass
    assert stored() is None


def test_whoever_shows_a_search_hears_of_a_pause(tmp_path):
    progress = Progress("max", 20, 2)
    search = SteeredSearch(tmp_path / "project", listeners=[progress])
    search.run_baseline()
    search.ask("pause")
    paused = progress.current_status()
    search.ask("resume")

    assert paused.pause == search_pause(paused)
    assert f", {paused.pause.description}" in paused.describe_line("m")
    assert "left" not in paused.describe_line("m")
    assert progress.current_status().pause is None


def search_pause(status):
    return SearchPause(user=getpass.getuser(), time=status.pause.time)


def test_a_request_that_was_sent_while_the_search_began_is_done(search):
    with lock_experiment(search.paths):
        request = search.send("pause")
        search.restart()  # the driver builds its controller once Ray runs
        assert search.ask_again(request).taken


def test_a_request_that_a_killed_driver_was_doing_is_done_once_by_the_next(search):
    request = search.send("propose", constants={"LR": 0.002})
    assert search.requests.read_request(f"{request}.json").id == request  # killed before the ledger
    assert not search.requests.withdraw_request(request)
    stop = search.send("stop")
    search.requests.read_request(f"{stop}.json")
    search.restart()
    search.controller.handle_kept_requests()

    assert search.requests.fetch_answer(request).taken
    assert not search.requests.fetch_answer(stop).taken
    assert search.requests.list_requests() == []
    assert search.begin().values["LR"] == 0.002
    assert search.begin().values["LR"] != 0.002


def test_a_name_that_acts_on_a_terminal_is_cleaned(search):
    name = "00000000000000000001-00000000"
    told = {"format": 1, "id": name, "verb": "propose", "user": "a\n\x1b[31mb", "time": time.time() + 60}
    search.write_raw(f"{name}.json", {**told, "arguments": {"constants": {"LR": 0.002}, "why": "\x07w"}})
    search.poll()

    assert search.requests.fetch_answer(name).taken
    assert results(search)[1].proposal.description == "proposed by a [31mb: w"


def test_trials_concurrency_and_time_are_set_while_it_runs(search):
    assert search.ask("set", trials="+20").what == "trials 40"
    assert search.ask("set", concurrency="1", time_budget="2h").what == "concurrency 1, time_budget 2 h"
    assert search.begin() is not None
    assert search.begin() is None
    assert search.ask("set", concurrency="4").taken
    assert sum(search.begin() is not None for _ in range(5)) == 3
    assert search.ask("set", concurrency="5").what == "concurrency: at most 4 trials fit at a time, got 5"
    assert search.ask("set", trials="2").what == "trials: there are 5 already, got 2"
    assert search.ask("set", trials="many").what == "trials: must be a whole number, 1 or more, got 'many'"
    assert search.ask("set", sampler="gp").what == "no setting that changes while a search runs, got 'sampler'"
    assert search.ask("set").what == "nothing to set"
    search.restart()
    assert search.controller.controls.limits.trials == 40
    assert search.controller.controls.budget.budget_s == 7200


def test_a_time_that_is_set_counts_from_the_first_trial_of_a_search_that_goes_on(tmp_path):
    search = SteeredSearch(tmp_path / "project", f"{SPACE_OF_3}time_budget: 1h\n", spent_s=1800.0)
    search.run_baseline()
    assert search.ask("set", time_budget="2h").taken
    assert search.controller.controls.budget.budget_s == 7200 - 1800


def test_what_was_set_is_set_once_where_the_driver_was_killed_meanwhile(search):
    request = search.send("set", trials="+20")
    raw = (search.requests.folder / f"{request}.json").read_bytes()
    search.poll()
    search.write_raw(f"{request}.json", raw)
    search.restart()
    answer = search.ask_again(request)

    assert (answer.taken, answer.what) == (True, "this was set before")
    assert search.controller.controls.limits.trials == 40


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"\xff\xfe", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"[" * 100_000, "a request has 65536 bytes at most"),
        (b"[" * 60_000, None),
        ([], "a request has format 1"),
        ({"format": 2}, "a request has format 1"),
        ({"format": 1, "id": "x"}, "a request has the id of its file, got 'x'"),
    ],
)
def test_what_is_no_request_is_moved_aside_and_answered(search, raw, why):
    name = "00000000000000000001-00000000"
    search.write_raw(f"{name}.json", raw)
    search.poll()
    answer = search.requests.fetch_answer(name)

    assert not answer.taken
    assert why is None or answer.what == f"this is no request of ours: {why}"
    assert search.requests.list_requests() == []
    assert [each.name for each in search.requests.refused.iterdir()] == [f"{name}.json"]
    assert search.propose(LR=0.002).taken


def test_a_link_a_pipe_and_a_folder_are_no_requests(search):
    search.requests.make_folder()
    names = [f"0000000000000000000{number}-00000000" for number in range(3)]
    (search.requests.folder / f"{names[0]}.json").symlink_to("/etc/passwd")
    os.mkfifo(search.requests.folder / f"{names[1]}.json")
    (search.requests.folder / f"{names[2]}.json").mkdir()
    search.poll()

    assert search.requests.list_requests() == []
    assert not any(search.requests.fetch_answer(name).taken for name in names)


def test_a_request_of_another_user_is_refused(search, monkeypatch):
    request = search.send("stop")
    mine = os.getuid()
    fstat = os.fstat

    def of_another(number):
        found = fstat(number)
        return os.stat_result((*found[:4], mine + 1, *found[5:10]))

    monkeypatch.setattr(os, "fstat", of_another)
    search.poll()

    answer = search.requests.fetch_answer(request)
    assert answer.what == f"this is no request of ours: it is of another user, number {mine + 1}"
    assert not search.controller.end.is_requested


@pytest.mark.parametrize("name", ["", "answers", "refused", "claimed"])
def test_a_folder_of_requests_that_is_a_link_leads_nowhere(search, tmp_path, name):
    """Whoever may write to the experiment's folder has the driver neither move nor delete files elsewhere."""
    elsewhere, requests = tmp_path / "elsewhere", search.paths.requests
    elsewhere.mkdir()
    names = ["0.json", "00000000000000000001-00000000.json"]
    for each in names:
        (elsewhere / each).write_text("junk")
    if name:
        requests.mkdir()
        (requests / "00000000000000000002-00000000.json").write_text("junk")
        (requests / name).symlink_to(elsewhere)
    else:
        requests.symlink_to(elsewhere)
    search.poll()
    search.controller.handle_kept_requests()

    assert sorted(each.name for each in elsewhere.iterdir()) == names


def test_a_folder_of_requests_that_is_a_link_is_told_to_who_asks(search, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    search.paths.requests.mkdir()
    search.requests.answers.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ExperimentError) as raised:
        search.send("pause")
    assert raised.value.where == display_path(search.requests.answers)
    assert str(raised.value).endswith(
        ": requests lie in a folder of the user who searches, and this is none\n"
        "  Only the user who started a search can steer it."
    )


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_request_after_the_clock_was_set_is_for_the_driver_that_runs(search, monkeypatch, hours):
    now = time.time_ns
    monkeypatch.setattr("tune.experiment.requests.time.time_ns", lambda: now() + hours * 3600 * 10**9)

    assert search.ask("pause").taken
    assert search.ask("resume").taken
    assert search.propose(LR=0.002).what == "trial 001 runs next"


def test_the_folder_is_the_users_alone(search):
    search.send("pause")

    assert search.requests.folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in search.requests.folder.glob("*.json"))


def test_the_folder_of_requests_is_no_reason_to_keep_a_search_that_never_trained(tmp_path):
    search = SteeredSearch(tmp_path / "project")
    search.begin()
    search.poll()
    assert is_written_by_search(search.requests.folder, search.paths)
    search.send("propose", constants={"LR": 0.002})
    assert not is_written_by_search(search.requests.folder, search.paths)


def test_a_value_outside_is_taken_on_request_and_the_sampler_learns_from_it(search):
    refused = search.propose(LR=0.5)
    taken = search.propose(LR=0.5, outside=True)
    assert search.begin().values["LR"] == 0.5
    search.end(1, 0.9)

    assert refused.what == "LR: outside of loguniform 0.0001 to 0.1, got 0.5"
    assert (taken.taken, taken.hint) == (True, None)
    assert results(search)[1].proposal.outside == ("LR",)
    for driver in range(2):
        known = search.ledger.searcher._memory._study.get_trials()
        assert 0.5 in [trial.params.get("LR") for trial in known], driver
        search.restart()


def test_others_come_from_the_best_trial_or_the_sampler(search):
    search.propose(LR=0.002, DROPOUT=0.3)
    search.begin()
    search.end(1, 0.9)
    assert search.propose(LR=0.003, others="best").taken
    assert search.begin().values == {"LR": 0.003, **OTHERS, "DROPOUT": 0.3}
    assert search.propose(LR=0.004, others="sampler").taken
    assert search.begin().values["LR"] == 0.004
    assert not search.propose(LR=0.005, others="nobody").taken


def test_what_was_set_is_restored_where_the_driver_was_killed_before_the_space_file(search):
    before = search.paths.space.read_text()
    search.ask("set", trials="+20", time_budget="2h", concurrency="1")
    after = search.paths.space.read_text()
    search.paths.space.write_text(before)
    restore_set_values(search.paths)

    assert after != before
    assert search.paths.space.read_text() == after


def test_what_resume_wrote_later_stays(search):
    search.ask("set", trials="+20")
    later = replace(search.space, settings=replace(search.space.settings, trials=70))
    write_space(later, search.paths.space)
    search.ledger.notes.note_settings(later)
    restore_set_values(search.paths)

    assert read_space(search.paths.space, program_is_here=False).settings.trials == 70


@pytest.mark.parametrize(("score", "moves"), [(0.9, True), (0.1, False)], ids=["good", "bad"])
def test_the_sampler_moves_towards_an_end_beyond_which_a_trial_was_good_and_stays_inside(tmp_path, score, moves):
    space = f"{SPACE_OF_3.replace('trials: 3', 'trials: 60')}sampler_args: {{n_startup_trials: 5}}\n"
    search = SteeredSearch(tmp_path / "project", space)
    search.run_baseline()
    for outside in (0.3, 0.5, 0.8):
        assert search.propose(LR=outside, outside=True).taken
        search.end(search.begin().number, score)
    rates = []
    while (task := search.begin()) is not None:
        rates.append(task.values["LR"])
        search.end(task.number, 0.5)

    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    share = sum(rate > 0.03 for rate in rates[10:]) / len(rates[10:])
    assert (share > 0.3) is moves  # 0.17 of the range, by orders of magnitude


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    ("sampler", "why"),
    [
        ("gp", "gp learns from trials inside of the ranges alone"),
        ("random", "random learns from no trial"),
        ("cmaes", "cmaes learns from the trials that it draws"),
        ("qmc", "qmc learns from no trial"),
    ],
)
def test_a_sampler_that_cannot_learn_from_it_is_said_and_goes_on(tmp_path, sampler, why):
    search = SteeredSearch(tmp_path / "project", f"{SPACE_OF_3.replace('trials: 3', 'trials: 8')}sampler: {sampler}\n")
    search.run_baseline()
    answer = search.propose(LR=0.5, outside=True)
    inside = search.propose(LR=0.002)
    n_run = 0
    while (task := search.begin()) is not None:
        n_run += 1
        search.end(task.number, 0.5 + task.values["LR"])
        if n_run == 4:
            search.restart()

    assert answer.hint == why
    assert (inside.hint is None) is (sampler == "gp")
    assert n_run == 7 + 2
    assert results(search)[1].values == {"LR": 0.5}


def test_proposals_to_a_grid_leave_every_point_of_it_to_run_once(tmp_path):
    space = SPACE_OF_3.replace("{loguniform: [1e-4, 1e-1]}", "{choice: [0.01, 0.02, 0.03, 0.04]}") + "sampler: grid\n"
    search = SteeredSearch(tmp_path / "project", space.replace("trials: 3", "trials: 20"))
    search.run_baseline()
    assert search.propose(LR=0.03).taken
    assert search.propose(LR=0.05, outside=True).taken
    ran = []
    while (task := search.begin()) is not None:
        ran.append(task.values["LR"])
        search.end(task.number, 0.5)
        if len(ran) == 2:
            search.restart()

    assert sorted(ran) == [0.02, 0.03, 0.04, 0.05]
    assert search.controller.has_finished


@pytest.mark.slow
def test_a_thousand_proposals_at_once_are_all_answered(search):
    names = [search.send("propose", constants={"LR": 1e-4 + number * 1e-5}) for number in range(1000)]
    while search.requests.list_requests():
        search.controller.handle_requests()
        time.sleep(0.02)
    answers = [search.requests.fetch_answer(name) for name in names]

    assert sum(answer.taken for answer in answers) == 1000 - 1  # one of them is the baseline
    assert len({answer.trial for answer in answers if answer.taken}) == 999
    assert search.begin().values["LR"] == 1e-4


def test_more_proposals_than_may_wait_are_refused(search, monkeypatch):
    monkeypatch.setattr("tune.search.steering.request_handler.MOST_WAITING", 2)
    assert [search.propose(LR=lr).taken for lr in (0.002, 0.003, 0.004)] == [True, True, False]


@pytest.mark.parametrize("damaged", ["x", {"set": "x"}, {"set": {"trials": "many"}}, {"set": {"trials": []}}])
def test_a_damaged_note_of_what_was_set_changes_nothing(search, damaged):
    before = search.paths.space.read_text()
    study = search.ledger._study
    study.set_user_attr("request 1", damaged)
    study.set_user_attr("settings", {**study.user_attrs["settings"], "trials": "many"})
    restore_set_values(search.paths)

    assert search.paths.space.read_text() == before


def test_a_proposal_whose_constants_are_lost_is_taken_by_what_optuna_knows(search):
    search.propose(LR=0.002)
    search.ledger.set_attributes(1, constants=3)
    search.restart()

    assert search.begin().values["LR"] == 0.002


def test_a_file_that_is_no_request_and_cannot_be_moved_aside_holds_nothing_up(search):
    search.requests.make_folder()
    requests = search.paths.requests
    (requests / "refused").write_text("a file where a folder is to be")
    (requests / "0.json").write_text("junk")
    search.controller.handle_kept_requests()

    assert (requests / "0.json").exists()
    assert search.propose(LR=0.002).taken


def test_after_a_look_that_took_long_the_next_one_is_soon():
    clock = PollClock()
    with clock.time_look():
        began = time.thread_time()
        while time.thread_time() - began < 0.3:
            pass

    assert clock._next - time.monotonic() <= 3.0
