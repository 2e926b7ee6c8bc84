"""What coding agents use: a server of the Model Context Protocol, and the summary that they read first."""
