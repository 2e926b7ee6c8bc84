def lint(promoted):
    return ()
