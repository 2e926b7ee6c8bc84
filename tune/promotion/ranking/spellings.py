"""The usual names of one hyperparameter: ``lr`` and ``learning_rate``, ``dropout`` and ``drop_rate``."""

SPELLINGS = tuple(
    tuple(group.split())
    for group in (
        "lr learning_rate learn_rate",
        "batch_size bs batchsize",
        "weight_decay wd",
        "dropout dropout_rate dropout_prob drop_rate drop_prob dropout_p p_dropout",
        "hidden_dim hidden_size hidden hidden_units n_hidden num_hidden dim_hidden",
        "n_layers num_layers n_layer num_layer layers",
        "n_heads num_heads n_head nhead heads",
        "max_epochs n_epochs num_epochs epochs",
        "latent_dim z_dim latent_size",
        "embedding_dim embed_dim emb_dim embedding_size",
    )
)
"""Each group is of one meaning; torch's own name of a parameter is the first where it has one."""


def find_other_spellings(word: str) -> tuple[str, ...]:
    """Return the other usual names of what ``word`` names: ``learning_rate`` for ``LR``; none where it has none."""
    lowered = word.casefold()
    return next((tuple(each for each in group if each != lowered) for group in SPELLINGS if lowered in group), ())
