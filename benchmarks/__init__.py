"""What Promotune costs, against a limit or against peers, measured side by side in one run."""
