lr = 3e-3
hidden_dim = 8
n_features = 4
