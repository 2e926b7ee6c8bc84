import pytorch_lightning as pl
import torch
from config import *
from model import NN
from torch.utils.data import DataLoader, TensorDataset

if __name__ == "__main__":
    x = torch.randn(32, INPUT_SIZE)
    ds = TensorDataset(x, x[:, :NUM_CLASSES].argmax(1))
    trainer = pl.Trainer(accelerator=ACCELERATOR, max_epochs=NUM_EPOCHS)
    model = NN()
    trainer.fit(model, DataLoader(ds, BATCH_SIZE), DataLoader(ds, BATCH_SIZE))
    trainer.validate(model, DataLoader(ds, BATCH_SIZE))
