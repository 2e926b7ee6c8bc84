"""What a coding agent has to know, in one screen: ``promotune agents`` prints it, and ``docs/agents.md`` shows it."""

GUIDE = """\
# Promotune: hyperparameter search for PyTorch Lightning programs

Use it in the place of a loop that edits a constant, trains, and keeps what is
better. The program is not changed.

1. `promotune train.py --json` lists the constants that can be searched.
2. `promotune train.py LR=1e-4..1e-1 BATCH_SIZE=16,32,64 --name first --yes`
   searches. Run it in the background, and give it a budget: `--trials 40`,
   `--time-budget 30m`.
3. `promotune status first --json` says where it is, and
   `promotune status first --follow` prints a JSON line for each event until
   the search ends. Exit status: 0 it runs, or found something better;
   1 it failed; 3 nothing was better; 130 it was interrupted, and
   `promotune resume first` goes on.
4. A hunch goes into the running search:
   `promotune propose first LR=3e-4 --why "it diverged above"`. It is checked,
   and runs next. `promotune stop first` ends the search politely,
   `promotune stop first 7` one trial. Where `paused` is not null, somebody
   let no trial begin: `promotune resume first` lets it go on.
5. `promotune resume first --confirm` gives the verdict: it trains the best
   trials and the hardcoded values with fresh seeds. Then
   `promotune results first --json` has it as `confirmation.finding`.
6. `promotune apply first` shows a diff. Only after the verdict `gain`:
   `promotune apply first --write`.

Rules:

- **Do not keep what is better: wait for the verdict.** The best of many noisy
  trials is too good. Of 100 proposals that change nothing, about four look
  like an improvement when they are tried one after the other.
- `gain`: take the values. `noise` or `loss`: keep the hardcoded ones, and say
  so.
- Do not ask again until it says `gain`. All verdicts on a program share an
  error rate of 5%: each is counted, and has to be surer than the one before.
- Do not choose by test data. The verdict looks at them once.
- The ledger keeps every trial, failed ones too: say how many there were
  beside the gain.
- A failed trial has a reason: `promotune results first`. Exit status 2 is a
  mistake in the command; the message says what to write.
"""
