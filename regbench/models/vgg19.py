"""VGG with 19 weight layers on resized images."""

from typing import Annotated

import keras
from pydantic import Field, PositiveInt

from regbench.models import vgg16


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    image_size: PositiveInt = 224,
    filters: vgg16.Filters = (64, 128, 256, 512, 512),
    units: PositiveInt = 4096,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
) -> keras.Model:
    """Build VGG 19: VGG 16 with a fourth convolution in each of the last three blocks.

    Reference: Simonyan and Zisserman 2015, arXiv 1409.1556, configuration E; as in Schneider et al. 2019, DeepOBS,
    arXiv 1903.05499 (`cifar10_vgg19`, `cifar100_vgg19`, `imagenet_vgg19`).

    Args:
        input_shape: of one image: (height, width, channels).
        classes: number of classes.
        image_size: height and width that images are resized to.
        filters: output channels of the convolutions in each block.
        units: width of the two hidden dense layers.
        dropout: share of their activations that is dropped in training.
    """
    return vgg16.network("vgg19", (2, 2, 4, 4, 4), input_shape, classes, image_size, filters, units, dropout)
