"""
The borders to other libraries: their private names that this package uses, in one file for each library.

A name that begins with an underscore may go with any release. Here each stands behind a function whose own name says
what it gives, so that one line changes when one is gone. What cannot stand here is declared here: a subclass overrides
and reads what its base has, and the files of the Music Transformer, which are shipped with its weights, import nothing
of this package. `tests/test_borders.py` holds these lists against the package and against the libraries.
"""

USED = {
    "accelerate.Accelerator": ("_original_forward",),
    "datasets.Dataset": ("_fingerprint",),
    "datasets.formatting": ("_FORMAT_TYPES",),
    "miditok.MusicTokenizer": (
        "_adjust_time_to_tpb",
        "_first_beat_res",
        "_get_score_resampling_factor",
        "_merge_same_program_tracks",
        "_model",
        "_model_name",
        "_note_on_off",
        "_parse_token_time_signature",
        "_resample_score",
        "_tempos_mspq",
        "_tpb_per_ts",
        "_tpb_to_time_array",
        "_tpb_tokens_to_ticks",
        "_vocab_base_byte_to_token",
        "_vocab_base_id_to_byte",
        "_vocab_learned_bytes_to_tokens",
    ),
    "torch": ("_dynamo",),
    "torch._dynamo.eval_frame._TorchDynamoContext": ("_torchdynamo_orig_callable",),
    "torch.Tensor": ("_version",),
    "torch.distributed.distributed_c10d": ("_get_default_store",),
    "torch.nn.Module": (
        "_backward_hooks",
        "_backward_pre_hooks",
        "_compiled_call_impl",
        "_forward_hooks",
        "_forward_pre_hooks",
        "_parameters",
    ),
    "torch.ops.mkldnn": ("_linear_pointwise", "_reorder_linear_weight"),
    "transformers.GenerationMixin": ("_extract_generation_mode_kwargs", "_sample", "_validate_model_kwargs"),
    "transformers.AutoConfig.from_pretrained": ("_from_auto",),
    "transformers.PreTrainedModel.from_pretrained": ("_from_auto", "_from_pipeline"),
    "transformers.Trainer": (
        "_determine_best_metric",
        "_evaluate",
        "_globalstep_last_logged",
        "_total_loss_scalar",
        "_tr_loss",
    ),
    "transformers.integrations.TrackioCallback": ("_initialized", "_space_id"),
    "transformers.TrainingArguments": ("_VALID_DICT_FIELDS",),
}
"""Names that the files of this room use, by the class, module or function that has them."""

EXTENDED = {
    "datasets.ArrowBasedBuilder": ("_generate_tables",),
    "datasets.DatasetBuilder": (
        "_build_cache_dir",
        "_cache_dir",
        "_cache_dir_root",
        "_cache_downloaded_dir",
        "_info",
        "_load_info",
        "_output_dir",
        "_split_generators",
    ),
    "datasets.GeneratorBasedBuilder": ("_generate_examples", "_prepare_split_single"),
    "datasets.formatting.NumpyFormatter": ("_tensorize",),
    "datatrove.executor.LocalPipelineExecutor": ("_run_for_rank",),
    "evaluate.Metric": ("_compute", "_info"),
    "transformers.Pipeline": (
        "_forward",
        "_generate_kwargs",
        "_generation_defaults",
        "_load_feature_extractor",
        "_load_image_processor",
        "_load_processor",
        "_load_tokenizer",
        "_load_video_processor",
        "_pipeline_calls_generate",
        "_prepare_generate_kwargs",
        "_preprocess_params",
        "_sanitize_parameters",
    ),
    "transformers.PreTrainedTokenizerFast": ("_encode_plus",),
    "transformers.Trainer": (
        "_finish_current_push",
        "_get_grad_norm",
        "_get_output_dir",
        "_load_rng_state",
        "_maybe_log_save_evaluate",
        "_push_from_checkpoint",
        "_run_epoch",
        "_save_checkpoint",
        "_train_batch_size",
    ),
    "transformers.Trainer.save_model": ("_internal_call",),
}
"""Names that subclasses of this package define, read or set, by the class of the library that has them."""

SHIPPED = {
    "torch": ("_softmax_backward_data",),
    "transformers.PreTrainedConfig": ("_attn_implementation",),
    "transformers.PreTrainedModel": (
        "_can_compile_fullgraph",
        "_can_record_outputs",
        "_init_weights",
        "_no_split_modules",
        "_skip_keys_device_placement",
        "_supports_flash_attn",
        "_supports_flex_attn",
        "_supports_sdpa",
        "_tied_weights_keys",
    ),
}
"""Names in the files of the Music Transformer."""
