"""Ways to ask for a decode, and what it returns besides tokens, against transformers."""

from __future__ import annotations

import pytest
import torch
import transformers

from longt5 import GenerationConfig
from tests.parity.generation_cases import ToyTokenizer
from tests.parity.reference import ours_like, padded_batch, pair, reference_model, relative_error

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def both():
    theirs, ours = pair(scale=3.0)
    theirs.set_attn_implementation("eager")
    return theirs, ours


SOURCE = padded_batch([30, 18], 96)


@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 1},
        {"num_beams": 3, "num_return_sequences": 2},
        {"num_beams": 2, "do_sample": True, "min_p": 0.05},
        {"num_beams": 1, "do_sample": True, "num_return_sequences": 2, "typical_p": 0.8},
    ],
)
def test_everything_of_a_decode_equals_transformers(both, options: dict) -> None:
    theirs, ours = both
    wanted = {f"output_{name}": True for name in ("scores", "logits", "attentions")}
    wanted |= {"output_hidden_states": True, "max_new_tokens": 6}
    torch.manual_seed(3)
    a = theirs.generate(
        SOURCE[0], attention_mask=SOURCE[1], return_dict_in_generate=True, **options, **wanted
    )
    sampled = {"seed": 3} if options.get("do_sample") else {}
    b = ours.generate(*SOURCE, **options, **wanted, **sampled)
    assert torch.equal(a.sequences, b.sequences)
    for name in ("scores", "logits"):
        for x, y in zip(getattr(a, name), getattr(b, name), strict=True):
            assert torch.allclose(x, y, rtol=1e-4, atol=1e-4), name
    for name in ("decoder_attentions", "cross_attentions", "decoder_hidden_states"):
        for x, y in zip(getattr(a, name), getattr(b, name), strict=True):
            for one, other in zip(x, y, strict=True):
                assert one.shape == other.shape and relative_error(other, one) < 1e-4, name
    for x, y in zip(a.encoder_hidden_states, b.encoder_hidden_states, strict=True):
        real = SOURCE[1].bool().repeat_interleave(len(x) // len(y), 0)
        x, y = (t.repeat_interleave(len(real) // len(t), 0)[real] for t in (x, y))
        assert relative_error(y, x) < 1e-4
    assert len(b.encoder_attentions) == len(a.encoder_attentions)
    if options["num_beams"] > 1:
        assert torch.equal(a.beam_indices.long(), b.beam_indices)
        assert torch.allclose(a.sequences_scores, b.sequences_scores, atol=1e-5)
    else:
        assert b.beam_indices is None
    plain = ours.generate(*SOURCE, **options, max_new_tokens=6, **sampled)
    assert torch.equal(plain.sequences, b.sequences) and plain.scores is None


def test_a_generation_config_fills_from_the_models_own(both) -> None:
    """As in transformers: options that it sets count, also those set to a default."""
    theirs, ours = both
    own = {"num_beams": 3, "length_penalty": 2.0, "max_new_tokens": 7}
    ours.generation_config = GenerationConfig(**own)
    theirs.generation_config = transformers.GenerationConfig(
        **own, decoder_start_token_id=0, eos_token_id=1, pad_token_id=0
    )
    try:
        for given in ({"num_beams": 1}, {"length_penalty": 1.0}, {"no_repeat_ngram_size": 1}, {}):
            a = theirs.generate(
                SOURCE[0],
                attention_mask=SOURCE[1],
                generation_config=transformers.GenerationConfig(**given),
            )
            b = ours.generate(*SOURCE, generation_config=GenerationConfig(**given))
            assert torch.equal(a, b.sequences), given
            drafts = ours.stream(*SOURCE, generation_config=GenerationConfig(**given))
            assert len([draft for draft in drafts if draft.done]) == 2
        config = GenerationConfig(num_beams=2)
        b = ours.generate(*SOURCE, generation_config=config, num_beams=1, max_new_tokens=3)
        assert b.sequences.shape[1] <= 4 and b.sequences_scores is None
    finally:
        ours.generation_config = GenerationConfig()
        theirs.generation_config = transformers.GenerationConfig(
            decoder_start_token_id=0, eos_token_id=1, pad_token_id=0
        )


def test_a_generation_config_saves_what_transformers_reads(tmp_path) -> None:
    given = {"num_beams": 2, "sequence_bias": [[[3, 4], 1.5]], "typical_p": 0.4,
             "exponential_decay_length_penalty": [3, 1.2], "stop_strings": ["ab"]}  # fmt: skip
    GenerationConfig(**given).save_pretrained(tmp_path / "new")
    theirs = transformers.GenerationConfig.from_pretrained(tmp_path / "new")
    assert {name: getattr(theirs, name) for name in given} == given
    theirs.save_pretrained(tmp_path)
    again = GenerationConfig.from_pretrained(tmp_path)
    assert again == GenerationConfig(**given)
    assert {"num_beams", "typical_p"} <= again.given


@torch.no_grad()
def test_embeddings_decode_like_ids(both) -> None:
    theirs, ours = both
    embeds = ours.shared(SOURCE[0])
    options = {"num_beams": 3, "max_new_tokens": 8}
    expected = theirs.generate(inputs_embeds=embeds, attention_mask=SOURCE[1], **options)
    assert torch.equal(
        ours.generate(inputs_embeds=embeds, attention_mask=SOURCE[1], **options).sequences, expected
    )
    with pytest.warns(UserWarning, match="the source was given without ids"):
        ours.generate(inputs_embeds=embeds, encoder_no_repeat_ngram_size=2, max_new_tokens=2)
    with pytest.raises(ValueError, match="either input_ids, inputs_embeds or encoded"):
        ours.generate(*SOURCE, inputs_embeds=embeds)


@torch.no_grad()
def test_embeddings_of_the_target_equal_ids(both) -> None:
    theirs, ours = both
    target = torch.randint(2, 96, (2, 5))
    embeds = ours.shared(target)
    expected = theirs(SOURCE[0], SOURCE[1], decoder_inputs_embeds=embeds).logits
    got = ours(*SOURCE, decoder_inputs_embeds=embeds).logits
    assert relative_error(got, expected) < 1e-5
    labels = torch.randint(2, 96, (2, 5))
    a = theirs(SOURCE[0], SOURCE[1], decoder_inputs_embeds=embeds, labels=labels).loss
    assert abs(float(a - ours(*SOURCE, decoder_inputs_embeds=embeds, labels=labels).loss)) < 1e-5
    with pytest.raises(ValueError, match="either decoder_input_ids"):
        ours(*SOURCE, target, decoder_inputs_embeds=embeds)
    with pytest.raises(ValueError, match=r"decoder_inputs_embeds is \(2, 5\)"):
        ours(*SOURCE, decoder_inputs_embeds=embeds[..., 0])


@pytest.mark.parametrize("beams", [1, 2, 3, 4])
def test_several_forced_ends_tie_as_in_transformers(both, beams: int) -> None:
    theirs, ours = both
    for longest in (1, 2, 5):
        options = {"num_beams": beams, "forced_eos_token_id": [3, 4], "max_new_tokens": longest}
        expected = theirs.generate(SOURCE[0], attention_mask=SOURCE[1], **options)
        assert torch.equal(ours.generate(*SOURCE, **options).sequences, expected)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_stop_string_ends_a_stream(beams: int) -> None:
    ours = ours_like(reference_model(scale=3.0))
    tokenizer = ToyTokenizer(96)
    options = {"num_beams": beams, "max_new_tokens": 30, "eos_token_id": -1}
    free = [*ours.stream(SOURCE[0][:1], **options)][-1]
    text = tokenizer.texts[free.committed[3]]
    options |= {"stop_strings": [text]}
    *_, last = ours.stream(SOURCE[0][:1], tokenizer=tokenizer, **options)
    assert last.finish_reason == "stop_string"
    assert text in "".join(tokenizer.texts[t] for t in last.committed)
    with pytest.raises(ValueError, match="stop_strings need the tokenizer"):
        ours.generate(*SOURCE, **options)
    with pytest.raises(ValueError, match="must not be empty"):
        ours.generate(*SOURCE, tokenizer=tokenizer, stop_strings=[""])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"top_h": 0.0}, "top_h must be above 0"),
        ({"typical_p": 1.5}, "typical_p must be above 0"),
        ({"min_p": -0.1}, "min_p must be 0 or more"),
        ({"epsilon_cutoff": 1.0}, "epsilon_cutoff must be 0 or more, below 1"),
        ({"sequence_bias": {(): 1.0}}, "sequence_bias must have sequences"),
    ],
)
def test_values_outside_their_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GenerationConfig(do_sample=True, **options)


def test_biases_of_unknown_tokens_are_refused(both) -> None:
    with pytest.raises(ValueError, match=r"ids that the vocabulary lacks: \[96\]"):
        both[1].generate(*SOURCE, sequence_bias={(3, 96): 1.0})
    with pytest.raises(ValueError, match="needs EOS ids of 0 or more"):
        both[1].generate(*SOURCE, exponential_decay_length_penalty=(1, 1.5), eos_token_id=-1)


def record_leaves(model) -> dict[str, list[torch.Tensor]]:
    """Record the outputs of every module without children, as flat tensors by its name."""
    found: dict[str, list[torch.Tensor]] = {}
    for name, module in model.named_modules():
        if [*module.children()] or not [*module.parameters()] or name.endswith("attention_bias"):
            continue
        seen = found.setdefault(name, [])
        module.register_forward_hook(
            lambda module, inputs, output, seen=seen: seen.append(output.detach().flatten())
        )
    return found


@pytest.mark.parametrize(
    "fields", [{}, {"feed_forward_proj": "relu", "encoder_attention_type": "local"}]
)
@torch.no_grad()
def test_hooks_run_in_searches_and_see_what_transformers_computes(fields: dict) -> None:
    theirs, ours = pair(d_model=64, d_kv=16, num_heads=4, d_ff=64, **fields)
    a, b = record_leaves(theirs), record_leaves(ours)
    options = {"max_new_tokens": 5, "num_beams": 1, "eos_token_id": -1}
    ids, mask = padded_batch([40], 96)
    theirs.generate(ids, attention_mask=mask, **options)
    ours.generate(ids, mask, **options)
    assert set(b) <= set(a) and len(b) > 40
    assert len(b.pop("shared")) == 6  # transformers calls copies of it
    for name, outputs in b.items():
        assert a[name], name
        expected = torch.cat(a[name])
        got = torch.cat(outputs)
        assert got.shape == expected.shape, name
        assert relative_error(got, expected) < 1e-4, name


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("name", ["SelfAttention.o", "EncDecAttention.q", "DenseReluDense.wo"])
def test_a_hook_that_changes_an_output_changes_the_search(name: str, beams: int) -> None:
    theirs, ours = pair(d_model=64, d_kv=16, num_heads=4, d_ff=64, scale=3.0)
    for model in (theirs, ours):
        for layer, module in model.decoder.named_modules():
            if layer.endswith(name):
                module.register_forward_hook(lambda module, inputs, output: output * -1.5)
    options = {"num_beams": beams, "max_new_tokens": 8}
    expected = theirs.generate(SOURCE[0], attention_mask=SOURCE[1], **options)
    assert torch.equal(ours.generate(*SOURCE, **options).sequences, expected)


@pytest.mark.parametrize(
    "name, forward, search",
    [
        ("encoder.block.0.layer.0", True, True),
        ("decoder.block.0.layer.0.SelfAttention.relative_attention_bias", True, True),
        ("decoder.block.1.layer.2", True, True),
        ("decoder.block.1", False, True),
        ("decoder.block.0.layer.0.SelfAttention", False, True),
        ("decoder", False, True),
        ("", False, True),
        ("encoder.block.1", False, False),
        ("encoder.block.0.layer.1.DenseReluDense", False, False),
    ],
)
def test_hooks_that_would_not_run_are_refused(name: str, forward: bool, search: bool) -> None:
    ours, target = ours_like(reference_model()), torch.tensor([[3], [4]])
    calls: list[int] = []
    ours.get_submodule(name).register_forward_hook(lambda *_: calls.append(1))
    for refused, call in (
        (forward, lambda: ours(*SOURCE, target)),
        (search, lambda: ours.generate(*SOURCE, max_new_tokens=2)),
    ):
        calls.clear()
        if refused:
            with pytest.raises(TypeError, match="would not run"):
                call()
        else:
            call()
            assert calls


@pytest.mark.parametrize("tied", [True, False])
def test_resized_embeddings_equal_transformers(tied: bool) -> None:
    theirs = reference_model(tie_word_embeddings=tied)
    if not tied:
        theirs.lm_head.weight = torch.nn.Parameter(torch.randn(96, 32))
    ours = ours_like(theirs)
    head = ours.lm_head.weight.detach().clone()
    ids, target = padded_batch([20], 90)[0], torch.randint(2, 90, (1, 4))
    for size, multiple in ((101, None), (97, 16), (90, None), (None, 64)):
        theirs.resize_token_embeddings(size, pad_to_multiple_of=multiple)
        table = ours.resize_token_embeddings(size, multiple)
        assert table.weight.shape == theirs.shared.weight.shape
        assert ours.config.vocab_size == theirs.config.vocab_size == len(table.weight)
        assert (ours.lm_head.weight is table.weight) is tied
        with torch.no_grad():
            theirs.lm_head.weight = ours.lm_head.weight  # which transformers ties here
            a = theirs(input_ids=ids, decoder_input_ids=target).logits
            assert relative_error(ours(ids, None, target).logits, a) < 1e-2
        if not tied:
            kept = min(len(head), len(ours.lm_head.weight))
            assert torch.equal(ours.lm_head.weight[:kept], head[:kept])
            head = ours.lm_head.weight.detach().clone()
        # transformers draws new rows from a narrow normal distribution around the mean.
        assert torch.allclose(table.weight, theirs.shared.weight, atol=1e-3)
        assert ours.generate(ids, max_new_tokens=2).sequences.max() < len(table.weight)
    ours.resize_token_embeddings(200, mean_resizing=False)
    assert 0.7 < float(ours.shared.weight[130:].detach().std()) < 1.3
    with pytest.raises(ValueError, match="at least one id"):
        ours.resize_token_embeddings(0)


@pytest.mark.parametrize("options", [None, {"use_reentrant": False, "preserve_rng_state": True}])
def test_gradient_checkpointing_gives_the_same_gradients(options: dict | None) -> None:
    ours = ours_like(reference_model(dropout_rate=0.2)).train()
    labels = torch.randint(2, 96, (2, 6))

    def gradients() -> list[torch.Tensor]:
        ours.zero_grad()
        torch.manual_seed(5)
        ours(*SOURCE, labels=labels).loss.backward()
        return [p.grad.clone() for p in ours.parameters()]

    expected = gradients()
    ours.gradient_checkpointing_enable(options)
    assert ours.is_gradient_checkpointing
    runs: list[int] = []
    ours.encoder.block[0].register_forward_pre_hook(lambda *_: runs.append(1))
    got = gradients()
    assert len(runs) == 2  # once more in the backward pass
    for mine, wanted in zip(got, expected, strict=True):
        assert torch.allclose(mine, wanted, rtol=1e-4, atol=1e-6)
    ours.gradient_checkpointing_disable()
    assert not ours.is_gradient_checkpointing


LACKING = {
    "num_beam_groups": 2,
    "diversity_penalty": 0.5,
    "penalty_alpha": 0.6,
    "constraints": [1],
    "force_words_ids": [[5]],
    "guidance_scale": 2.0,
    "max_time": 1.0,
    "assistant_model": "a model",
    "dola_layers": "high",
    "prompt_lookup_num_tokens": 3,
    "forced_decoder_ids": [[1, 2]],
    "prefix_allowed_tokens_fn": len,
    "stopping_criteria": [len],
    "top_l": 3,  # nobody's
}


@pytest.mark.parametrize("name", LACKING)
def test_options_that_are_lacking_are_refused_by_name(both, name: str) -> None:
    _, ours = both
    ids, mask = padded_batch([9], 96)
    for search in (ours.generate, ours.stream):
        with pytest.raises(ValueError, match=name):
            search(ids, mask, num_beams=4, **{name: LACKING[name]})


def test_options_that_are_lacking_may_change_nothing(both) -> None:
    theirs, ours = both
    ids, mask = padded_batch([9], 96)
    same = {"num_beam_groups": 1, "diversity_penalty": 0.0, "penalty_alpha": None, "max_time": None}
    expected = theirs.generate(input_ids=ids, attention_mask=mask, num_beams=2, max_new_tokens=5)
    found = ours.generate(ids, mask, num_beams=2, max_new_tokens=5, **same).sequences
    assert torch.equal(found, expected)


def test_a_generation_config_of_transformers_is_refused_with_the_way_to_read_it(both) -> None:
    _, ours = both
    ids, mask = padded_batch([9], 96)
    config = transformers.GenerationConfig(num_beams=3, max_new_tokens=4)
    with pytest.raises(TypeError, match="from_dict.*to_diff_dict"):
        ours.generate(ids, mask, generation_config=config)
    read = GenerationConfig.from_dict(config.to_diff_dict())
    expected = ours.generate(ids, mask, num_beams=3, max_new_tokens=4).sequences
    assert torch.equal(ours.generate(ids, mask, generation_config=read).sequences, expected)


def test_accessors_of_transformers() -> None:
    theirs, ours = pair()
    labels = torch.tensor([[5, 6, -100]])
    expected = theirs.prepare_decoder_input_ids_from_labels(labels=labels)
    assert torch.equal(ours.prepare_decoder_input_ids_from_labels(labels=labels), expected)
    assert ours.num_parameters() == theirs.num_parameters()
    for model in (ours, theirs):
        model.decoder.block.requires_grad_(False)
    trainable = theirs.num_parameters(only_trainable=True)
    assert ours.num_parameters(only_trainable=True) == trainable < ours.num_parameters()
    parts = ours.get_encoder(), ours.get_decoder(), ours.get_output_embeddings()
    assert parts == (ours.encoder, ours.decoder, ours.lm_head)
