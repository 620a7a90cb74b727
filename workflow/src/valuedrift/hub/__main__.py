from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "access": "check that every model and dataset can be downloaded",
        "model": "download a model's config, tokenizer and safetensors as a folder",
        "dataset": "download a dataset's files as a folder",
    },
)
