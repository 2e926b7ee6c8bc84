"""The environment of every worker, set before it starts."""

STOP_TIMEOUT_S = 3600
"""How long a trial may take to end once it was stopped. Ray's own 2 s would cost the next trial."""

WORKER_ENVIRONMENT = {
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": str(STOP_TIMEOUT_S),
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # the working directory stays the user's
}
