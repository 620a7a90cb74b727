from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "access": "whether every model and dataset can be had",
        "model": "a model's config, tokenizer and safetensors as a folder",
        "dataset": "a dataset's files as a folder",
    },
)
