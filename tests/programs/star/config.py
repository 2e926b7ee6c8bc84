# Training hyperparameters
LEARNING_RATE = 0.001
BATCH_SIZE = 8
NUM_EPOCHS = 2

# Model
INPUT_SIZE = 6
HIDDEN = 12
NUM_CLASSES = 3
SIZES = [INPUT_SIZE, HIDDEN, HIDDEN // 2]

# Compute related
ACCELERATOR = "cpu"
