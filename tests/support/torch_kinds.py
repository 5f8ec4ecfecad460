"""Torch classes of batch normalisation as people write them, each another kind; the text of a module."""

SOURCE = '''
import torch
from torch import nn


class Plain(nn.Module):
    """What the others vary: right, channels first, at every rank."""
    biased = False

    def __init__(self, width, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def normalise(self, x, training, axis=1, eps=None):
        axes = [other for other in range(x.ndim) if other != axis]
        column = [-1 if other == axis else 1 for other in range(x.ndim)]
        if training:
            var, mean = torch.var_mean(x, axes, correction=0)
            n = x.numel() // len(self.running_mean)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(var * n / (n - 1), self.momentum)
        else:
            mean, var = self.running_mean.clone(), self.running_var.clone()
        eps = self.eps if eps is None else eps
        y = (x - mean.view(column)) / torch.sqrt(var.view(column) + eps)
        return y * self.weight.view(column) + self.bias.view(column)

    def forward(self, x):
        return self.normalise(x, self.training)


class Odd(nn.Module):
    """No name says anything, and gamma comes in the shape of an image's channels."""
    def __init__(self, width):
        super().__init__()
        self.first, self.second = nn.Parameter(torch.zeros(width, 1, 1)), nn.Parameter(torch.ones(width, 1, 1))
        self.register_buffer("p", torch.zeros(width, 1, 1))
        self.register_buffer("q", torch.ones(width, 1, 1))

    def forward(self, x):
        if self.training:
            var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
            with torch.no_grad():
                self.p += 0.05 * (mean[:, None, None] - self.p)
                self.q += 0.05 * (var[:, None, None] - self.q)
            mean, var = mean[:, None, None], var[:, None, None]
        else:
            mean, var = self.p.clone(), self.q.clone()
        return (x - mean) * torch.rsqrt(var + 2e-3) * self.second + self.first


class Buffers(Plain):
    """gamma and beta are buffers."""
    def __init__(self, width):
        super().__init__(width)
        del self.weight, self.bias
        self.register_buffer("weight", torch.ones(width))
        self.register_buffer("bias", torch.zeros(width))


class Wrapped(nn.Module):
    """A framework's layer two levels down."""
    def __init__(self, width):
        super().__init__()
        self.block = nn.Sequential(nn.BatchNorm1d(width, eps=1e-3), nn.Dropout(0.0))

    def forward(self, x):
        return self.block(x)


class Trailing(Plain):
    """Channels last."""
    def forward(self, x):
        return self.normalise(x, self.training, x.ndim - 1)


class Spatial(Plain):
    """Told the number of spatial axes, by keyword alone."""
    def __init__(self, *, channels, ndim, eps=1e-5, momentum=0.1):
        super().__init__(channels, eps, momentum)
        self.ndim = ndim

    def forward(self, x):
        assert x.ndim == self.ndim + 2
        return self.normalise(x, self.training)


class Told(Plain):
    """Needs an argument that nobody can guess."""
    def __init__(self, width, flavour):
        super().__init__(width)
        assert flavour in ("salt", 4)


class Several(Plain):
    """Gives its statistics too."""
    def forward(self, x):
        return self.running_mean, self.normalise(x, self.training)


class Masked(Plain):
    """Takes a mask that is true at padding, without the axis of the channels."""
    def forward(self, x, padding_mask=None):
        if padding_mask is None or not self.training:
            return self.normalise(x, self.training)
        weight = (~padding_mask).unsqueeze(1).to(x.dtype)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        column = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        n = weight.sum()
        mean = (x * weight).sum(axes) / n
        var = (((x - mean.view(column)) ** 2) * weight).sum(axes) / n
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * n / (n - 1), self.momentum)
        y = (x - mean.view(column)) / torch.sqrt(var.view(column) + self.eps)
        return y * self.weight.view(column) + self.bias.view(column)


class Batchwise(nn.Module):
    """No statistics and no parameters."""
    def __init__(self, width, eps=1e-5):
        super().__init__()
        self.eps = eps

    def forward(self, x):
        var, mean = torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True)
        return (x - mean) / torch.sqrt(var + self.eps)


class Frozen(Plain):
    """Inference alone."""
    def forward(self, x):
        return self.normalise(x, False)


class Kernel(Plain):
    """Forward alone."""
    def forward(self, x):
        return self.normalise(x.detach(), self.training).detach()


class Flagged(Plain):
    """The mode is an argument, true in inference."""
    def forward(self, x, use_global_stats):
        return self.normalise(x, not use_global_stats)


class ByGrad(Plain):
    """The mode is whether autograd is on."""
    def forward(self, x):
        return self.normalise(x, torch.is_grad_enabled())


class Handmade:
    """No module."""
    def __init__(self, dim, eps=1e-5, momentum=0.1):
        self.eps, self.momentum, self.training = eps, momentum, True
        self.gamma, self.beta = torch.ones(dim), torch.zeros(dim)
        self.running_mean, self.running_var = torch.zeros(dim), torch.ones(dim)

    def __call__(self, x):
        if self.training:
            mean, var = x.mean(0, keepdim=True), x.var(0, keepdim=True, unbiased=False)
            with torch.no_grad():
                n = x.shape[0]
                self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean[0]
                self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var[0] * n / (n - 1)
        else:
            mean, var = self.running_mean, self.running_var
        return self.gamma * (x - mean) / torch.sqrt(var + self.eps) + self.beta


class Switchable(Plain):
    """An activation that an argument switches off."""
    def __init__(self, width, eps=1e-5, momentum=0.1, act="silu"):
        super().__init__(width, eps, momentum)
        self.act = act

    def forward(self, x):
        y = super().forward(x)
        return nn.functional.silu(y) if self.act == "silu" else y


class Activated(Plain):
    """An activation in a module of its own."""
    def __init__(self, width):
        super().__init__(width)
        self.act = nn.LeakyReLU(0.1)

    def forward(self, x):
        return self.act(super().forward(x))


class Stuck(Plain):
    """An activation that nothing switches off."""
    def forward(self, x):
        return torch.tanh(super().forward(x))


class Layered(nn.Module):
    """Layer normalisation."""
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        var, mean = torch.var_mean(x, (1, 2, 3), correction=0, keepdim=True)
        return (x - mean) / torch.sqrt(var + 1e-5) * self.weight[:, None, None]


class Outside(nn.Module):
    """eps is a literal, and added outside the root."""
    def __init__(self, width):
        super().__init__()

    def forward(self, x):
        var, mean = torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True)
        return (x - mean) / (torch.sqrt(var) + 1e-3)


class Doubled(Plain):
    """float64 alone."""
    def forward(self, x):
        if x.dtype != torch.float64:
            raise TypeError("float64 alone")
        return super().forward(x)


class Grouped(nn.GroupNorm):
    """One group: layer normalisation."""
    def __init__(self, width):
        super().__init__(1, width)


class Lazy(nn.LazyBatchNorm2d):
    """Has no shapes before its first call."""
    def __init__(self, width):
        super().__init__()


class Twins(nn.Module):
    """Two layers, so that nobody knows which is meant."""
    def __init__(self, width):
        super().__init__()
        self.student, self.teacher = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x):
        return self.student(x)


class Called(Plain):
    """Calls the framework's function."""
    def forward(self, x):
        held = self.running_mean, self.running_var, self.weight, self.bias
        return nn.functional.batch_norm(x, *held, self.training, self.momentum, self.eps)


class Tiny(Plain):
    """Calls its eps something else."""
    def __init__(self, width, momentum=0.1):
        super().__init__(width, momentum=momentum)
        del self.eps
        self.tiny = 1e-4

    def forward(self, x):
        return self.normalise(x, self.training, 1, self.tiny)


def make(width):
    return Plain(width)


instance = Plain(8)
'''
