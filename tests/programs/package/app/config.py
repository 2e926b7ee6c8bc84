LR = 1e-2
WIDTH = 8
