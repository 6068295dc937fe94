"""How a reader knows what the cases call by short names."""

from activations import STRUCTS

TITLES = {
    "eight_conv": "eight convolutions", "thirty_two_conv": "32 convolutions", "allcnn": "AllCNN", "resnet50": "ResNet-50",
    "forward_backward": "forward + backward", "forward_backward_graph": "forward + backward as a CUDA graph",
    "nchw": "contiguous", "nhwc": "channels last",
    "composed_cat": "composed, cat first", "compiled": "torch.compile",
}
# What follows `fused` in a variant's name.
OURS = {"output": "keeping its output", "input": "keeping its input", "bias": "with bias", "joint": "keeping only z", "compiled": "inside torch.compile"}


def title(name):
    return TITLES.get(name, name)


def activation_title(name):
    """LK-ReLU for lk_relu, BN+ReLU for bn_relu; an activation is called as its struct."""
    for prefix, words in (("bn_", "BN+"), ("lk_", "LK-")):
        if name.startswith(prefix):
            return words + activation_title(name.removeprefix(prefix))
    return STRUCTS.get("lk_" + name, name)


def case_title(key):
    """What stands in the place of an activation: LK-ReLU, with bias."""
    words = [activation_title(key.activation)]
    if key.fused:
        words += [OURS[part] for part in key.variant.split("_")[1:]]
    elif key.variant != "torch":
        words.append(title(key.variant))
    return ", ".join(words)
