"""The adapter of my_layers.MyBatchNorm."""

from bn_adapters.torch_modules import TorchModuleLayer, hyperparameters
from bn_conformance.adapter import Adapter, Capabilities, Convention


class MyBatchNormAdapter(Adapter):
    """`my_layers.MyBatchNorm`, eager, on the CPU."""

    name = "my.batchnorm"
    requires = ("torch", "my_layers")
    install = "pip install 'bnconform[torch]'"
    convention = Convention(running_variance="biased")
    capabilities = Capabilities(
        dtypes=frozenset({"float32"}), ranks=frozenset({4}), affine=frozenset({"both"}), freeze=True
    )

    def build(self, config):
        from my_layers import MyBatchNorm

        return TorchModuleLayer(MyBatchNorm(config.num_channels, **hyperparameters(config)))
