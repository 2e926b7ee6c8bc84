"""Train once, without a search: ``python -m lit.panodepth``."""

import argparse

import pytorch_lightning as pl

from lit.panodepth.system import MAX_EPOCHS, PanoDepth, dataloaders

SEED = 3985


def main() -> None:
    parser = argparse.ArgumentParser("python -m lit.panodepth", description=__doc__)
    parser.add_argument("--gpu", "-g", nargs="+", type=int, help="use these GPUs; else all that there are, or the CPU")
    parser.add_argument("--testrun", "-t", action="store_true", help="one batch of each kind; nothing is kept")
    args = parser.parse_args()

    pl.seed_everything(SEED, workers=True)
    trainer = pl.Trainer(
        accelerator="gpu" if args.gpu else "auto",
        devices=args.gpu or "auto",
        max_epochs=MAX_EPOCHS,
        deterministic=True,
        fast_dev_run=args.testrun,
        log_every_n_steps=10,
    )
    trainer.fit(PanoDepth(), *dataloaders())


if __name__ == "__main__":
    main()
