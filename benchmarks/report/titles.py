"""How a reader knows what the cases call by short names."""

TITLES = {
    "lk_relu": "LK-ReLU", "lk_prelu": "LK-PReLU", "lk_selu": "LK-SELU", "lk_swish": "LK-Swish",
    "relu": "ReLU", "selu": "SELU", "bn_relu": "BN+ReLU",
    "eight_conv": "eight convolutions", "allcnn": "AllCNN", "resnet50": "ResNet-50",
    "forward_backward": "forward + backward",
    "fused_output": "fused, keeping its output", "fused_bias": "fused, bias in it",
    "composed": "cat(g(z), g(-z))", "composed_cat": "g(cat(z, -z))", "torch": "LibTorch's",
}


def title(name):
    if name not in TITLES and name.startswith("bn_"):
        return "BN+" + title(name.removeprefix("bn_"))
    return TITLES.get(name, name)


def layer_title(key):
    kept = ", keeping its output" if "output" in key.variant else ""
    return title(key.activation) + kept + (" with bias" if key.biased else "")


def network_title(key):
    if key.variant == "torch":
        return title(key.activation)
    variant = key.variant if key.variant == "composed" else title(key.variant)
    return f"{title(key.activation)}, {key.filters}, {variant}"
