// Batch normalisation of x of shape (N, C, ...) in plain JavaScript, over the stateless protocol of conformance/COMMANDS.md.
const readline = require("node:readline");

const decode = ({ dtype, data }) => {
  const bytes = Uint8Array.from(Buffer.from(data, "base64")).buffer;
  return dtype === "float64" ? new Float64Array(bytes) : new Float32Array(bytes);
};
const encode = (values, dtype, shape) => {
  const typed = dtype === "float64" ? Float64Array.from(values) : Float32Array.from(values);
  return { dtype, shape, data: Buffer.from(typed.buffer).toString("base64") };
};
const DESCRIPTION = {
  name: "javascript",
  protocol: 1,
  stateful: false,
  convention: { running_variance: "biased" },
  capabilities: { dtypes: ["float32", "float64"] },
};

function step({ config, x, training, gamma, beta, running_mean, running_var, dy }) {
  const [n, c, ...rest] = x.shape;
  const size = rest.reduce((product, axis) => product * axis, 1);
  const count = n * size;
  if (c !== config.num_channels) throw new RangeError(`x has ${c} channels and the layer ${config.num_channels}`);
  if (x.shape.length !== config.rank) throw new RangeError(`x has rank ${x.shape.length} and the layer ${config.rank}`);
  if (!["float32", "float64"].includes(x.dtype)) throw new TypeError(`x is an array of ${x.dtype}`);
  for (const vector of [gamma, beta, running_mean, running_var])
    if (vector.shape[0] !== c) throw new RangeError(`a vector has ${vector.shape[0]} values, for ${c} channels`);
  if (training && count < 2) throw new RangeError("training needs two values a channel");
  if (dy && String(dy.shape) !== String(x.shape)) throw new RangeError(`dy has shape ${dy.shape} and y ${x.shape}`);
  const [values, scale, shift] = [decode(x), decode(gamma), decode(beta)];
  const [mean, variance] = [decode(running_mean), decode(running_var)];
  const eps = config.eps ?? 1e-5, momentum = config.momentum ?? 0.1;
  const place = (i, j, k) => (i * c + j) * size + k;
  const y = new Float64Array(values.length), dx = new Float64Array(values.length);
  const dgamma = new Float64Array(c), dbeta = new Float64Array(c);
  const upstream = dy ? decode(dy) : null;
  for (let j = 0; j < c; j++) {
    const each = (visit) => { for (let i = 0; i < n; i++) for (let k = 0; k < size; k++) visit(place(i, j, k)); };
    let mu = mean[j], sigma2 = variance[j];
    if (training) {
      mu = 0; sigma2 = 0;
      each((at) => { mu += values[at]; });
      mu /= count;
      each((at) => { sigma2 += (values[at] - mu) ** 2; });
      sigma2 /= count;
      mean[j] = (1 - momentum) * mean[j] + momentum * mu;
      variance[j] = (1 - momentum) * variance[j] + momentum * sigma2;
    }
    const inverse = 1 / Math.sqrt(sigma2 + eps);
    each((at) => { y[at] = (values[at] - mu) * inverse * scale[j] + shift[j]; });
    if (!upstream) continue;
    each((at) => { dbeta[j] += upstream[at]; dgamma[j] += upstream[at] * (values[at] - mu) * inverse; });
    each((at) => {
      const hat = (values[at] - mu) * inverse;
      const inner = training ? upstream[at] - dbeta[j] / count - (hat * dgamma[j]) / count : upstream[at];
      dx[at] = scale[j] * inverse * inner;
    });
  }
  const vector = (numbers) => encode(numbers, gamma.dtype, [c]);
  return {
    y: encode(y, x.dtype, x.shape), running_mean: vector(mean), running_var: vector(variance),
    dx: upstream && encode(dx, x.dtype, x.shape), dgamma: upstream && vector(dgamma), dbeta: upstream && vector(dbeta),
  };
}

const OPERATIONS = { describe: () => DESCRIPTION, step };
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  let answer;
  try {
    const { op, ...request } = JSON.parse(line);
    if (!Object.hasOwn(OPERATIONS, op)) throw Object.assign(new Error(`there is no operation ${op}`), { name: "ProtocolError" });
    answer = { ok: OPERATIONS[op](request) };
  } catch (error) {
    answer = { error: { type: error.name, message: error.message } };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
