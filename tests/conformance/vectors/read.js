// Reads golden vectors, computes batch normalisation in plain loops, and compares within the bounds of the files.
// node read.js FILE...   BN_DROP_EPS=1 computes wrongly, to show that the comparison can fail.
const fs = require("fs");
function number(text) { // a C99 hexadecimal float
  const [, sign, one, digits, power] = /^(-?)0x([01])\.?([0-9a-f]*)p([+-]\d+)$/.exec(text) || [];
  if (!one) return { nan: NaN, inf: Infinity, "-inf": -Infinity }[text];
  return (sign ? -1 : 1) * parseInt(one + digits, 16) * 2 ** (Number(power) - 4 * digits.length);
}
const numbers = (tensor, fallback) => (tensor ? tensor.values.map(number) : fallback);
const sum = (list, term) => list.reduce((total, index) => total + term(index), 0);
function compare(name, golden, got, count) {
  if (!golden || !golden.tight) return;
  golden.values.map(number).forEach((value, i) => {
    if (golden.tight[i] === null && Number.isFinite(value)) return; // vacuous: judges nothing
    count.judged += 1;
    const near = Math.abs(got[i] - value - (golden.low ? number(golden.low[i]) : 0)) <= number(golden.tight[i]);
    if (Number.isFinite(value) ? near : !Number.isFinite(got[i])) return;
    if (!count.wrong++) count.first = `${name}[${i}]: expected ${value}, got ${got[i]}`;
  });
}
function step(doc, s, layer, count) {
  const { num_channels: channels, channel_axis: axis } = doc.layer, fields = doc.convention.fields;
  const eps = process.env.BN_DROP_EPS ? 0 : number(doc.layer.eps_used);
  const x = numbers(s.x), dy = s.dy && numbers(s.dy), y = [], dx = [], dgamma = [], dbeta = [];
  const inner = s.x.shape.slice(axis + 1).reduce((a, b) => a * b, 1), batch = s.do === "train" && !s.frozen;
  for (let c = 0; c < channels; c++) {
    const own = [...x.keys()].filter((i) => Math.floor(i / inner) % channels === c), n = own.length;
    const mean = batch ? sum(own, (i) => x[i]) / n : layer.mean[c];
    const variance = batch ? sum(own, (i) => (x[i] - mean) ** 2) / n : layer.variance[c];
    const r = 1 / Math.sqrt(variance + (batch || fields.eps_in_inference ? eps : 0));
    for (const i of own) y[i] = layer.gamma[c] * (x[i] - mean) * r + layer.beta[c];
    if (dy) {
      dbeta[c] = sum(own, (i) => dy[i]);
      dgamma[c] = sum(own, (i) => dy[i] * (x[i] - mean) * r);
      const path = (i) => (batch ? dbeta[c] / n + (x[i] - mean) * r * (dgamma[c] / n) : 0);
      for (const i of own) dx[i] = layer.gamma[c] * r * (dy[i] - path(i));
    }
    const estimate = variance * (fields.running_variance === "unbiased" ? n / (n - 1) : 1);
    const move = (old, fresh) => (s.weights ? number(s.weights.old) * old + number(s.weights.new) * fresh : old);
    layer.mean[c] = move(layer.mean[c], mean);
    layer.variance[c] = move(layer.variance[c], estimate + (fields.eps_in_running_variance ? eps : 0));
  }
  for (const [name, got] of Object.entries({ y, dx, dgamma, dbeta })) compare(name, s.expected[name], got, count);
  compare("running_mean", s.after.running_mean, layer.mean, count);
  compare("running_var", s.after.running_var, layer.variance, count);
}
for (const file of process.argv.slice(2)) {
  const doc = JSON.parse(fs.readFileSync(file)), channels = doc.layer.num_channels;
  const { gamma, beta } = doc.parameters, start = number(doc.convention.fields.initial_running_variance);
  const all = (value) => Array(channels).fill(value), count = { judged: 0, wrong: 0 };
  const layer = { mean: all(0), variance: all(start), gamma: numbers(gamma, all(1)), beta: numbers(beta, all(0)) };
  for (const s of doc.expects === "numbers" ? doc.steps : []) {
    layer.mean = numbers(s.running_mean, layer.mean), layer.variance = numbers(s.running_var, layer.variance);
    layer.gamma = numbers(s.gamma, layer.gamma), layer.beta = numbers(s.beta, layer.beta);
    if (s.x) step(doc, s, layer, count);
  }
  console.log(`${doc.case} ${doc.convention.name}: ${count.judged} judged, ${count.wrong} wrong ${count.first || ""}`);
  if (count.wrong) process.exitCode = 1;
}
