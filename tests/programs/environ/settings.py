import os

LR = float(os.environ.get("LR", "1e-2"))
HIDDEN = int(os.getenv("HIDDEN", 8))
BATCH_SIZE = int(os.environ.get("BATCH_SIZE", default="4"))
ACTIVATION = os.environ.get("ACTIVATION", "relu")
MAX_EPOCHS = 2
