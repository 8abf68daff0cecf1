"""The network that classifies, and the model that is deployed: padding changes nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.utils import set_random_seed
from scipy.special import softmax

from objectives.classification.messages import PADDING, Ending, LinearPart
from objectives.classification.network import Layout, build_deployable, build_network
from objectives.export.comparison import compare
from objectives.export.conversion import convert
from objectives.export.messages import ComparisonRequest, ConversionRequest
from objectives.scaling import fit_scaling
from tests.elsewhere import run_elsewhere

pytestmark = pytest.mark.usefixtures("one_thread")

FEATURES, TIMESTEPS = 2, 9
LENGTHS = np.array([9, 1, 4, 6, 2])
PRESENT = np.arange(TIMESTEPS) >= TIMESTEPS - LENGTHS[:, None]  # (batch 5, timesteps)


def trained(network: keras.Model) -> keras.Model:
    """The network with other weights than it starts with."""
    generator = np.random.default_rng(1)
    weights = network.get_weights()
    network.set_weights([w + generator.normal(size=w.shape, scale=0.3) for w in weights])
    return network


def build(hyperparameters, classes=3, padded=True, fast=True):
    set_random_seed(0)
    return trained(build_network(hyperparameters, Layout(FEATURES, classes, padded), fast=fast))


@pytest.fixture(scope="module")
def window() -> np.ndarray:
    """(batch 5, timesteps, features)."""
    generator = np.random.default_rng(0)
    return generator.normal(size=(5, TIMESTEPS, FEATURES)).astype(np.float32)


def logits_and_gradients(network, inputs):
    variables = [v.value for v in network.trainable_variables]
    with tf.GradientTape() as tape:
        logits = network(inputs, training=False)
        loss = tf.reduce_sum(tf.sin(logits))
    return [logits.numpy(), *(g.numpy() for g in tape.gradient(loss, variables))]


def assert_close(ours, theirs):
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, atol=2e-5 * max(1, np.abs(their).max()))


VARIANTS = {
    "one_way": {"units": (5, 4)},
    "both_ways": {"units": (5, 4), "bidirectional": True},
    "wide": {"units": (100,), "skip": "none"},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_fused_layers_are_the_plain_ones_on_padded_sequences(
    sequence_hyperparameters, window, variant
):
    wanted = sequence_hyperparameters(**VARIANTS[variant])
    fast, plain = build(wanted), build(wanted, fast=False)
    inputs = [window, PRESENT]
    assert_close(logits_and_gradients(fast, inputs), logits_and_gradients(plain, inputs))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_sequence_that_is_padded_more_gives_the_same_logits_and_gradients(
    sequence_hyperparameters, window, variant
):
    changes = VARIANTS[variant]
    more = build(sequence_hyperparameters(**changes))
    less = build(sequence_hyperparameters(**changes, timesteps=6))
    kernels = [w[-6:] if w.shape[0] == TIMESTEPS else w for w in more.get_weights()]
    less.set_weights(kernels)  # the skip path's kernel has a row for each step
    short = PRESENT & (np.arange(TIMESTEPS) >= 3)
    expected = logits_and_gradients(less, [window[:, 3:], short[:, 3:]])
    found = logits_and_gradients(more, [window, short])
    found = [g[-6:] if g.shape[0] == TIMESTEPS else g for g in found]
    assert_close(found, expected)


@pytest.mark.parametrize("fast", [False, True])
def test_what_stands_on_padding_is_nobodys(sequence_hyperparameters, window, fast):
    network = build(sequence_hyperparameters(bidirectional=True), fast=fast)
    other = np.where(PRESENT[:, :, None], window, 7).astype(np.float32)
    expected = logits_and_gradients(network, [window, PRESENT])
    for our, their in zip(logits_and_gradients(network, [other, PRESENT]), expected, strict=True):
        np.testing.assert_array_equal(our, their)
    changed = network([window + 1, PRESENT]).numpy() - expected[0]
    assert np.abs(changed).max(axis=1).min() > 1e-3  # but what stands on rows matters


@pytest.mark.parametrize("padded", [False, True])
def test_noise_acts_in_training_and_only_there(sequence_hyperparameters, window, padded):
    network = build(sequence_hyperparameters(noise=0.3), padded=padded)
    inputs = [window, PRESENT] if padded else window
    still = network(inputs, training=False).numpy()
    np.testing.assert_array_equal(network(inputs, training=False).numpy(), still)
    assert np.abs(network(inputs, training=True).numpy() - still).min(axis=1).max() > 1e-4


def test_an_untrained_skip_path_adds_nothing_and_is_linear(sequence_hyperparameters, window):
    set_random_seed(0)
    network = build_network(sequence_hyperparameters(), Layout(FEATURES, 3, True), fast=True)
    before = network([window, PRESENT]).numpy()
    kernel = np.random.default_rng(4).normal(size=(TIMESTEPS, FEATURES, 3)).astype(np.float32)
    network.get_layer("skip").set_weights([kernel])
    seen = window * PRESENT[:, :, None]
    expected = before + np.einsum("btf,tfo->bo", seen, kernel)
    np.testing.assert_allclose(network([window, PRESENT]).numpy(), expected, atol=1e-5)


def test_two_classes_have_one_logit_and_the_others_is_zero(sequence_hyperparameters, window):
    network = build(sequence_hyperparameters(), classes=2, padded=False)
    logits = network(window).numpy()
    assert logits.shape == (5, 2)
    assert not logits[:, 0].any()
    assert logits[:, 1].all()
    assert network.get_layer("head").units == 1


# ------------------------------------------------------------------------------- deployable model

DEPLOYED = {
    "equal": {"padded": False, "classes": 2, "noise": 0.3, "dropout": 0.3, "linear": 0.3},
    "padded": {"padded": True, "classes": 3, "recurrent_dropout": 0.2, "scaling": "min-max"},
    "both_ways": {"padded": True, "classes": 2, "bidirectional": True, "units": (5, 4)},
    "members": {"padded": True, "classes": 3, "skip": "none", "members": 2},
}


@pytest.fixture(scope="module")
def raw() -> np.ndarray:
    """Sequences in the data's units, (batch 5, timesteps, features)."""
    generator = np.random.default_rng(2)
    return generator.normal(size=(5, TIMESTEPS, FEATURES)) * [10.0, 0.01] + [50.0, 0.0]


@pytest.fixture(scope="module")
def regression() -> tuple[np.ndarray, np.ndarray]:
    """Kernel (timesteps, features, 2) and bias (2,) of a linear part, for the data's units."""
    generator = np.random.default_rng(3)
    kernel = generator.normal(size=(TIMESTEPS, FEATURES, 2)) / [[10.0], [0.01]]
    return kernel, -50 * kernel[:, 0].sum(axis=0)


@pytest.fixture(scope="module")
def deployed(sequence_hyperparameters, raw, regression, tmp_path_factory):
    """Each variant's model saved, its inputs, and what scaling, network and softmax give by hand."""
    folder = tmp_path_factory.mktemp("deployed")
    expected = {}
    for name, changes in DEPLOYED.items():
        others = dict(changes)
        padded, classes = others.pop("padded"), others.pop("classes")
        members, share = others.pop("members", 1), others.pop("linear", 0.0)
        wanted = sequence_hyperparameters(**others)
        layout = Layout(FEATURES, classes, padded)
        networks = [build(wanted, classes, padded) for _ in range(members)]
        networks[-1].set_weights([w * 1.5 for w in networks[-1].get_weights()])
        scaling = fit_scaling(wanted.scaling, raw.reshape(-1, FEATURES))
        weights = [network.get_weights() for network in networks]
        linear = LinearPart(*regression, share, 1.0) if share else None
        model = build_deployable(wanted, weights, scaling, layout, Ending(linear=linear))
        model.save(folder / f"{name}.keras")
        scaled = scaling.apply(raw)
        inputs = [scaled, PRESENT] if padded else scaled
        found = [keras.ops.softmax(n(inputs, training=False)).numpy() for n in networks]
        expected[name] = np.mean(found, axis=0)
        if share:
            mine = softmax(np.tensordot(raw, regression[0], axes=2) + regression[1], axis=1)
            expected[name] = (1 - share) * expected[name] + share * mine
        windows = np.where(PRESENT[:, :, None], raw, PADDING) if padded else raw
        np.save(folder / f"{name}.npy", windows.astype(np.float32))
    return folder, expected


@pytest.mark.parametrize("name", DEPLOYED)
def test_the_deployable_model_is_scaling_network_and_softmax(deployed, name):
    folder, expected = deployed
    model = keras.saving.load_model(folder / f"{name}.keras", safe_mode=True)
    found = model(np.load(folder / f"{name}.npy"))["probabilities"].numpy()
    np.testing.assert_allclose(found, expected[name], atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert np.abs(found - found[:1]).max() > 0.01
    assert model.input.name == "window"
    assert model.input.shape == (None, TIMESTEPS, FEATURES)


def test_the_deployable_model_loads_safely_where_this_package_is_not(deployed):
    folder, expected = deployed
    script = """
import keras, numpy
for name in sys.argv[1:]:
    model = keras.saving.load_model(f"{name}.keras", safe_mode=True)
    kinds = {type(layer).__module__.split(".")[0] for layer in model._flatten_layers()}
    assert kinds == {"keras"}, kinds
    found = model.predict(numpy.load(f"{name}.npy"), batch_size=3, verbose=0)
    numpy.save(f"{name}_found.npy", found["probabilities"])
"""
    run_elsewhere(folder, script, *DEPLOYED)
    for name in DEPLOYED:
        np.testing.assert_allclose(np.load(folder / f"{name}_found.npy"), expected[name], atol=1e-5)


@pytest.mark.parametrize("name", ["equal", "both_ways"])
def test_the_onnx_file_gives_the_same_probabilities(deployed, name, tmp_path):
    folder, expected = deployed
    model, windows = tmp_path / "model.onnx", folder / f"{name}.npy"
    outcome = convert(ConversionRequest(folder / f"{name}.keras", {"onnx": model}, windows, {}))
    assert outcome.failures == {}
    np.testing.assert_allclose(outcome.outputs["probabilities"], expected[name], atol=1e-5)
    request = ComparisonRequest(
        "onnx", model, windows, outcome.outputs, {"probabilities": np.array(1.0)}
    )
    found = compare(request)
    assert found.problem is None
    assert found.greatest_difference < 1e-5
