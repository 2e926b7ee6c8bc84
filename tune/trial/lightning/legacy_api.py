"""Programs written for Lightning 1, or torchmetrics before 0.11: what they ask for, and what stands for it today.

Read from Lightning's own changelogs of 1.5 to 2.0: https://lightning.ai/docs/pytorch/stable/upgrade/migration_guide.html,
and from that of torchmetrics, of 0.7 to 0.11: https://github.com/Lightning-AI/torchmetrics/blob/master/CHANGELOG.md.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from tune.experiment.records import Failure
from tune.promotion.program import Program

DEVICES = "accelerator='gpu', devices=...; a trial has the devices that the search gives it"
TUNER = "`pytorch_lightning.tuner.Tuner(trainer)`; the search is there for it"
ARGPARSE = "options of your own, passed by name: `Trainer(max_epochs=args.max_epochs)`; or `trainer:` in the space file"
LOOP = "a loop of your own around `trainer.fit`, with a new Trainer and module for each fold"
MIXED = "`plugins=[MixedPrecisionPlugin(...)]`, or `precision='16-mixed'`"

TODAY: Mapping[str, str] = MappingProxyType(
    {
        "Trainer.add_argparse_args": ARGPARSE,
        "Trainer.from_argparse_args": ARGPARSE,
        "Trainer.parse_argparser": ARGPARSE,
        "Trainer.default_attributes": "`inspect.signature(Trainer)`",
        "add_argparse_args": "options of your own, passed by name",
        "from_argparse_args": "options of your own, passed by name",
        "Trainer.gpus": DEVICES,
        "Trainer.num_gpus": "`trainer.num_devices`",
        "Trainer.tpu_cores": "accelerator='tpu', devices=...",
        "Trainer.ipus": "accelerator='auto', devices=...",
        "Trainer.num_processes": "accelerator='cpu', devices=...",
        "Trainer.auto_select_gpus": DEVICES,
        "Trainer.distributed_backend": "strategy='ddp'",
        "Trainer.progress_bar_refresh_rate": "`callbacks=[TQDMProgressBar(refresh_rate=...)]`",
        "Trainer.process_position": "`callbacks=[TQDMProgressBar(process_position=...)]`",
        "Trainer.get_progress_bar_dict": "`trainer.progress_bar_metrics`",
        "Trainer.resume_from_checkpoint": "`trainer.fit(model, ckpt_path=...)`",
        "Trainer.auto_lr_find": TUNER,
        "Trainer.auto_scale_batch_size": TUNER,
        "Trainer.tune": TUNER,
        "Trainer.lr_find": TUNER,
        "Trainer.scale_batch_size": TUNER,
        "Trainer.checkpoint_callback": "enable_checkpointing=True, and a ModelCheckpoint among `callbacks`",
        "Trainer.early_stop_callback": "an EarlyStopping among `callbacks`",
        "Trainer.weights_summary": "enable_model_summary=True, or `callbacks=[ModelSummary(max_depth=...)]`",
        "Trainer.weights_save_path": "`dirpath` of a ModelCheckpoint",
        "Trainer.default_save_path": "default_root_dir=...",
        "Trainer.row_log_interval": "log_every_n_steps=...",
        "Trainer.log_save_interval": "nothing: the loggers flush by themselves",
        "Trainer.flush_logs_every_n_steps": "`flush_secs` of the TensorBoardLogger",
        "Trainer.log_gpu_memory": "a DeviceStatsMonitor among `callbacks`",
        "Trainer.track_grad_norm": "`self.log_dict(grad_norm(self, 2))` in `on_before_optimizer_step`",
        "Trainer.terminate_on_nan": "detect_anomaly=True",
        "Trainer.nb_epochs": "max_epochs=...",
        "Trainer.max_nb_epochs": "max_epochs=...",
        "Trainer.train_percent_check": "limit_train_batches=...",
        "Trainer.val_percent_check": "limit_val_batches=...",
        "Trainer.test_percent_check": "limit_test_batches=...",
        "Trainer.overfit_pct": "overfit_batches=...",
        "Trainer.nb_sanity_val_steps": "num_sanity_val_steps=...",
        "Trainer.use_amp": "precision='16-mixed'",
        "Trainer.amp_backend": MIXED,
        "Trainer.amp_level": MIXED,
        "Trainer.replace_sampler_ddp": "use_distributed_sampler=...",
        "Trainer.move_metrics_to_cpu": "nothing: metrics stay where they were computed",
        "Trainer.multiple_trainloader_mode": "`CombinedLoader(loaders, mode=...)`",
        "Trainer.prepare_data_per_node": "the attribute of that name of the LightningDataModule",
        "Trainer.reload_dataloaders_every_epoch": "reload_dataloaders_every_n_epochs=1",
        "Trainer.stochastic_weight_avg": "a StochasticWeightAveraging among `callbacks`",
        "Trainer.truncated_bptt_steps": "a loop of your own, with manual optimization",
        "Trainer.plugin": "strategy=...",
        "Trainer.train_dataloader": "`train_dataloaders`",
        "Trainer.test_dataloaders": "`dataloaders`",
        "Trainer.val_dataloader": "`val_dataloaders`",
        "ModelCheckpoint.filepath": "`dirpath` and `filename`",
        "ModelCheckpoint.period": "`every_n_epochs`",
        "ModelCheckpoint.every_n_val_epochs": "`every_n_epochs`",
        "ModelCheckpoint.save_function": "nothing: the Trainer saves",
        "ModelCheckpoint.prefix": "`filename`, with the prefix in it",
        "load_from_checkpoint_path": "`load_from_checkpoint(...)`",
        "load_from_metrics": "`load_from_checkpoint(...)`",
        "use_amp": "precision='16-mixed' of the Trainer",
        "hparams": "`self.save_hyperparameters(hparams)`",
        "training_epoch_end": "`on_train_epoch_end(self)`; keep outputs in a list of your own",
        "validation_epoch_end": "`on_validation_epoch_end(self)`; keep outputs in a list of your own",
        "test_epoch_end": "`on_test_epoch_end(self)`; keep outputs in a list of your own",
        "optimizer_idx": "`self.automatic_optimization = False`, and `opt_g, opt_d = self.optimizers()`",
        "accelerator": "strategy='ddp', and devices=... for their number",
        "strategy": "strategy='ddp'; 'dp' and 'ddp2' are gone",
        "LightningCLI.save_config_filename": "save_config_kwargs={'config_filename': ...}",
        "LightningCLI.save_config_overwrite": "save_config_kwargs={'overwrite': ...}",
        "LightningCLI.save_config_multifile": "save_config_kwargs={'multifile': ...}",
        "LightningCLI.description": "parser_kwargs={'description': ...}",
        "LightningCLI.env_prefix": "parser_kwargs={'env_prefix': ...}",
        "LightningCLI.env_parse": "parser_kwargs={'default_env': ...}",
        "on_train_epoch_end": "`on_train_epoch_end(self)`, of a callback `(self, trainer, pl_module)`",
        "on_train_batch_start": "`on_train_batch_start`, without `dataloader_idx` or `unused`",
        "on_train_batch_end": "`on_train_batch_end`, without `dataloader_idx` or `unused`",
        "optimizer_step": "`optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None)`",
        "lr_scheduler_step": "`lr_scheduler_step(self, scheduler, metric)`",
        "transfer_batch_to_device": "`transfer_batch_to_device(self, batch, device, dataloader_idx)`",
        "EarlyStopping.monitor": "`monitor=` with the name of a metric that the program logs",
        "pytorch_lightning.loops.base": LOOP,
        "pytorch_lightning.loops.Loop": LOOP,
        "pytorch_lightning.metrics": "the package `torchmetrics`",
        "pytorch_lightning.lite": "the package `lightning.fabric`",
        "lightning_lite": "the package `lightning.fabric`",
        "pytorch_lightning.utilities.cli": "`pytorch_lightning.cli`",
        "pytorch_lightning.utilities.seed": "`pytorch_lightning.seed_everything`",
        "pytorch_lightning.utilities.distributed": "`pytorch_lightning.utilities.rank_zero`",
        "pytorch_lightning.callbacks.base": "`pytorch_lightning.callbacks.Callback`",
        "pytorch_lightning.loggers.base": "`pytorch_lightning.loggers.logger`",
        "pytorch_lightning.profiler": "`pytorch_lightning.profilers`",
        "pytorch_lightning.logging": "`pytorch_lightning.loggers`",
        "pytorch_lightning.root_module": "`pytorch_lightning.LightningModule`",
        "pytorch_lightning.plugins.DDPPlugin": "`pytorch_lightning.strategies.DDPStrategy`",
        "pytorch_lightning.utilities.types.EPOCH_OUTPUT": "nothing: a list of what your steps return",
        "pytorch_lightning.loggers.TestTubeLogger": "TensorBoardLogger or CSVLogger",
        "pytorch_lightning.loggers.NeptuneLogger": "LitLogger, TensorBoardLogger or CSVLogger",
        "pytorch_lightning.callbacks.ProgressBarBase": "`pytorch_lightning.callbacks.ProgressBar`",
        "pytorch_lightning.callbacks.GPUStatsMonitor": "`pytorch_lightning.callbacks.DeviceStatsMonitor`",
        "torch.nn.DataLoader": "`torch.utils.data.DataLoader`",
        "torchmetrics.F1": "`torchmetrics.F1Score(task='multiclass', num_classes=...)`",
        "torchmetrics.FBeta": "`torchmetrics.FBetaScore(task='multiclass', num_classes=...)`",
        "torchmetrics.IoU": "`torchmetrics.JaccardIndex(task='multiclass', num_classes=...)`",
        "torchmetrics.MatthewsCorrcoef": "`torchmetrics.MatthewsCorrCoef(task='multiclass', num_classes=...)`",
        "torchmetrics.PSNR": "`torchmetrics.image.PeakSignalNoiseRatio(data_range=...)`",
        "torchmetrics.SSIM": "`torchmetrics.image.StructuralSimilarityIndexMeasure(data_range=...)`",
        "torchmetrics.WER": "`torchmetrics.text.WordErrorRate()`",
    }
)
"""What an exception says is missing -> what stands for it."""

HOOKS = (
    "on_train_epoch_end",
    "on_train_batch_start",
    "on_train_batch_end",
    "optimizer_step",
    "lr_scheduler_step",
    "transfer_batch_to_device",
)
"""Methods that take other arguments today."""

SAYINGS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<owner>\w+)\.\w+\(\) got an unexpected keyword argument '(?P<name>\w+)'",
        r"(?:type object |module )?'(?P<owner>[\w.]+)'(?: object)? has no attribute '(?P<name>\w+)'",
        r"property '(?P<name>hparams)' of '(?P<owner>\w+)' object has no setter",
        r"Support for `(?P<name>\w+)` has been removed",
        r"No module named '(?P<name>[\w.]+)'",
        r"cannot import name '(?P<name>\w+)' from '(?P<owner>[\w.]+)'",
        r"Remove the `(?P<name>optimizer_idx)` argument",
        r"invalid (?P<name>accelerator|strategy) name: `\w+='(?:ddp|dp|ddp2|ddp_cpu|ddp_spawn|horovod)'",
        rf"\.(?P<name>{'|'.join(HOOKS)})\(\) (?:missing|takes) .*positional argument",
        r"(?P<owner>EarlyStopping)\.__init__\(\) missing .*'(?P<name>monitor)'",
    )
)
"""How Python and Lightning say it."""

WITHOUT_TASK = re.compile(r"(\w+?)(?P<of_class>\.__new__)?\(\) missing .*argument: 'task'")
"""What a metric of classification says that is called as before torchmetrics 0.11."""
METRICS_WITH_TASK = re.compile(
    r"(?i:accuracy|auroc|average_?precision|calibration_?error|cohen_?kappa|confusion_?matrix|exact_?match|f1_?score"
    r"|fbeta_?score|hamming_?distance|hinge_?loss|jaccard_?index|matthews_?corr_?coef|precision|precision_?recall_?curve"
    r"|recall|roc|specificity|stat_?scores)"
)
"""The names of these metrics, classes and functions."""

STRATEGIES = frozenset({"ddp", "dp", "ddp2", "ddp_cpu", "ddp_spawn", "horovod"})
"""What Lightning 1 took as an accelerator."""


@dataclass(frozen=True, slots=True)
class LegacyName:
    """A name of Lightning 1, or of an old torchmetrics."""

    name: str
    """As the program writes it: ``gpus``."""
    today: str
    """What stands for it."""
    library: str = "Lightning"
    """Whose it is."""


def check_legacy_accelerator(accelerator: object) -> None:
    """Raise what Lightning would, had the trial not an accelerator of its own."""
    if isinstance(accelerator, str) and accelerator in STRATEGIES:
        raise ValueError(f"You selected an invalid accelerator name: `accelerator={accelerator!r}`.")


def add_upgrade_hint(failure: Failure, program: Program) -> Failure:
    """Return a failure with what stands today for what the program asks for, at the user's own line of it."""
    old = _find_legacy_name(failure.message)
    if old is None or failure.ours:
        return failure
    hint = f"It is written for an older {old.library}: instead of `{old.name}` write {old.today}."
    if old.name in (failure.code or ""):
        return replace(failure, hint=hint)
    place, code = next(_find_name_uses(old.name, program), (failure.place, failure.code))
    return replace(failure, hint=hint, place=place, code=code)


def _find_legacy_name(message: str) -> LegacyName | None:
    said = WITHOUT_TASK.search(message)
    if said is not None and METRICS_WITH_TASK.fullmatch(said[1]) is not None:
        before = "" if said["of_class"] else "..., "
        return LegacyName(said[1], f"`{said[1]}({before}task='multiclass', num_classes=...)`", "torchmetrics")
    for saying in SAYINGS:
        if (said := saying.search(message)) is None:
            continue
        owner = (said.groupdict().get("owner") or "").replace("lightning.pytorch", "pytorch_lightning")
        name = said["name"]
        for key in (f"{owner}.{name}", name, owner, *_list_parent_packages(name)):
            if key in TODAY:
                library = "torchmetrics" if key.startswith("torchmetrics.") else "Lightning"
                return LegacyName(key if key != name and "." in name else name, TODAY[key], library)
    return None


def _list_parent_packages(name: str) -> Iterator[str]:
    """Yield ``pytorch_lightning.metrics`` of ``pytorch_lightning.metrics.functional``."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 1, -1):
        yield ".".join(parts[:end])


def _find_name_uses(name: str, program: Program) -> Iterator[tuple[str, str]]:
    """Yield (file:line, its code) of every place that writes a name of Lightning 1."""
    for source in program.sources.values():
        lines = source.text.splitlines()
        for node in ast.walk(source.tree):
            line = getattr(node, "lineno", None)
            if line is not None and name in _list_node_names(node):
                yield f"{source.name}:{line}", lines[line - 1].strip()


def _list_node_names(node: ast.AST) -> tuple[str, ...]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return (name,)
        case ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
            return (name,)
        case ast.ImportFrom(module=str(module), names=names):
            return (module, *(alias.name for alias in names))
        case ast.Import(names=names):
            return tuple(alias.name for alias in names)
        case _:
            return ()
